"""The oracle named in the parameters."""

from lodestone.config.registry import ORACLES
from lodestone.config.sections import OracleParams
from lodestone.oracles.base import Oracle


def make_oracle(params: OracleParams) -> Oracle:
    """The oracle of a campaign; its model is loaded on first use."""
    oracle: Oracle = ORACLES.make(params.name, params)
    return oracle
