"""Predictions for candidates averaged with what their known relatives tell, as `discovery.relatives` asks for."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from lodestone.config.params import Params
from lodestone.crystals.encoding import describe
from lodestone.curation.labelling import hull_of
from lodestone.discovery.generators.base import Proposal
from lodestone.discovery.state import RoundState
from lodestone.ensemble.calibration import ENOUGH
from lodestone.ensemble.ensemble import Ensemble
from lodestone.ensemble.predictor import Prediction
from lodestone.ensemble.relatives import Relatives, with_relatives
from lodestone.runtime.seeds import child_seed
from lodestone.substitution.unrelaxed import unrelaxed_held_out


def informed(
    prediction: Prediction,
    proposals: Sequence[Proposal],
    name: str,
    *,
    ensemble: Ensemble,
    state: RoundState,
    params: Params,
) -> Prediction:
    """The prediction with relatives; as it is where too few validation crystals could be proposed.

    The share of relatives is fitted on validation crystals, predicted from unrelaxed structures by networks and by
    relatives that are trained on; then all known crystals are relatives, those of earlier rounds among them.

    Args:
        prediction: Of the networks for the proposals.
        proposals: Candidates.
        name: Name of the round.
        ensemble: Models of the round.
        state: What is known.
        params: Parameters of the campaign.
    """
    held_out = unrelaxed_held_out(state.crystals, child_seed(params.seed, name, "relatives"))
    of_validation = (held_out.table["split"] == "validation").to_numpy()
    known = held_out.table.filter(of_validation)
    if known["formula_pretty"].n_unique() < ENOUGH:
        return prediction
    crystals = [crystal for crystal, chosen in zip(held_out.crystals, of_validation, strict=True) if chosen]
    described = describe([proposal.crystal for proposal in proposals])
    labels = pl.Series("decorated_prototype", [proposal.label for proposal in proposals])
    return with_relatives(
        prediction,
        Relatives.of(state.crystals, state.hull()).energies(described.with_columns(labels)),
        validation=ensemble.predict(crystals, "unrelaxed"),
        validation_estimated=_trained_on(state).energies(known),
        true=known["formation_energy_per_atom"].to_numpy(),
        groups=known["chemsys" if params.split.by == "chemsys" else "formula_pretty"].to_list(),
    )


def _trained_on(state: RoundState) -> Relatives:
    train = state.crystals.filter(pl.col("split") == "train")
    return Relatives.of(train, hull_of(train, train["formation_energy_per_atom"].to_numpy(), state.phases))
