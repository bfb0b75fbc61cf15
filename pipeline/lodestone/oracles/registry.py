"""The oracle named in the parameters."""

from __future__ import annotations

from lodestone.config.registry import ORACLES
from lodestone.config.sections import OracleParams
from lodestone.errors import LodestoneError
from lodestone.oracles.base import Oracle


def as_is(oracle: Oracle) -> Oracle:
    """The oracle for crystals that are relaxed already: without a relaxation, if it can."""
    try:
        return oracle.static()
    except LodestoneError:
        return oracle


def make_oracle(params: OracleParams) -> Oracle:
    """The oracle of a campaign; its model is loaded on first use."""
    oracle: Oracle = ORACLES.make(params.name, params)
    return oracle
