"""The phonons that a campaign computes itself: of the discoveries that nobody disputes."""

from __future__ import annotations

from typing import Any

import polars as pl

from lodestone.config.params import Params
from lodestone.handover.campaign import Finished
from lodestone.phonons.phonons import phonons, phonopy_version, potential_of
from lodestone.phonons.settings import PhononSettings
from lodestone.phonons.store import VerdictStore

NOTHING: dict[str, Any] = {"finds": []}  # content of ``phonons.json`` where there is nothing to look at
_DIGITS = 6  # of all figures: what lies behind them is not the same on every processor


def refuse_if_impossible(params: Params) -> None:
    """Say before anything is computed what phonons lack.

    Raises:
        LodestoneError: If phonopy is not installed, or the campaign's oracle gives no forces.
    """
    if params.phonons.most:
        potential_of(params.oracle)
        phonopy_version()


def undisputed_phonons(campaign: Finished, params: Params, store: VerdictStore) -> dict[str, Any]:
    """Phonons of the discoveries that no further oracle disputes, as many as the parameters ask for.

    Args:
        campaign: Finished, with all of its discoveries.
        params: Its parameters.
        store: Where each verdict is kept as soon as it exists.

    Returns:
        The content of ``phonons.json`` without ``seconds``.
    """
    disputed = pl.col("disputed_by").fill_null("") != ""
    names = campaign.discoveries.filter(~disputed)["material_id"].to_list()
    if not names:
        return NOTHING
    oracle = potential_of(params.oracle)
    content = phonons(campaign.only(names), oracle, PhononSettings(), store, params.phonons.most)
    return dict(_reproducible(content))


def _reproducible(content: Any) -> Any:
    """Without what differs from run to run and, in the last digits, from processor to processor."""
    if isinstance(content, dict):
        return {name: _reproducible(value) for name, value in content.items() if name != "seconds"}
    if isinstance(content, (list, tuple)):
        return [_reproducible(value) for value in content]
    return round(content, _DIGITS) if isinstance(content, float) else content
