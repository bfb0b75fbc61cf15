"""One round of active learning: state in, state out."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial
from math import erf, fsum, sqrt
from typing import Any

import numpy as np
import polars as pl

from lodestone.config.params import Params
from lodestone.crystals.encoding import decode
from lodestone.curation.difference import Difference
from lodestone.discovery.choice import choose
from lodestone.discovery.proposals import Proposals, propose
from lodestone.discovery.relatives import informed
from lodestone.discovery.screening import formulas_above_hull, screen
from lodestone.discovery.state import Choice, RoundResult, RoundState, next_state
from lodestone.discovery.verification import refuse_if_all_failed, verify
from lodestone.ensemble.ensemble import Ensemble
from lodestone.ensemble.metrics import errors, wilson_proportion
from lodestone.ensemble.pieces import predict_in_pieces
from lodestone.ensemble.predictor import Prediction
from lodestone.errors import WaitingError
from lodestone.oracles.base import Label, Labeller
from lodestone.runtime.seeds import child_generator
from lodestone.schemas import view_columns
from lodestone.stability.density import depths


def run_round(name: str, state: RoundState, ensemble: Ensemble, params: Params, label: Labeller) -> RoundResult:
    """Propose, screen, verify, update the hull.

    A round may end empty: if everything is known, or nothing is predicted near the hull, the state passes on unchanged.

    Args:
        name: Name of the round; its random choices depend on it and on the root seed only.
        state: Where the round starts.
        ensemble: Models of this round.
        params: Parameters of the campaign.
        label: The oracle.

    Raises:
        LodestoneError: If the oracle fails on all of many candidates.
    """
    return verify_choice(name, state, choose_candidates(name, state, ensemble, params), params, label)


def choose_candidates(
    name: str,
    state: RoundState,
    ensemble: Ensemble,
    params: Params,
    difference: Difference = Difference(),  # noqa: B008 (frozen)
) -> Choice:
    """The first half of a round: propose, screen, choose.

    Args:
        name: As for :func:`run_round`, like the next three.
        state: Where the round starts.
        ensemble: Models of this round.
        params: Parameters of the campaign.
        difference: What is added to the oracle's energies; its error grows the predicted ones.
    """
    hull = state.hull()
    judge = partial(formulas_above_hull, ensemble=ensemble, hull=hull)
    filters, seed = params.snapshot.filters, params.seed
    proposals = propose(name, state, params.discovery, filters, seed, judge_formulas=judge)
    dropped = {f"n_{word}": n for word, n in proposals.dropped.items()}
    prediction, depth = _predicted(proposals, ensemble, state.crystals), params.discovery.max_depth
    if params.discovery.relatives and proposals.items:
        crystals = [proposal for _, proposal in proposals.items]
        prediction = informed(prediction, crystals, name, ensemble=ensemble, state=state, params=params)
    error = difference.std([proposal.crystal for _, proposal in proposals.items])
    prediction = replace(prediction, std=np.hypot(prediction.std, error)) if error.any() else prediction
    table = screen(proposals.items, prediction, hull, name, max_depth=depth)
    rng = child_generator(params.seed, name, "acquire")
    latents = _latents(proposals, ensemble) if params.discovery.min_latent_distance else None
    chosen = choose(table, params.discovery, params.rounds[name], rng, judged=proposals.judged, latents=latents)
    within = int((table["energy_above_hull_pred"] <= params.discovery.threshold).sum())
    return Choice(chosen, {"n_proposed": len(table), "n_screened": within} | dropped)


def verify_choice(
    name: str,
    state: RoundState,
    choice: Choice,
    params: Params,
    label: Labeller,
    *,
    difference: Difference = Difference(),  # noqa: B008 (frozen)
) -> RoundResult:
    """The second half of a round: verify, update the hull. Arguments are those of :func:`choose_candidates`.

    Raises:
        LodestoneError: If the oracle fails on all candidates, and they were many.
        WaitingError: If their labels are computed elsewhere, and not all are there.
    """
    acquired = choice.candidates.filter(pl.col("acquired_by") != "none").sort("material_id")
    labels = _labels(name, acquired, difference.applied(label))
    refuse_if_all_failed(name, labels)
    verifications = verify(
        name,
        acquired,
        labels,
        state,
        state.hull(),
        plausible=params.validate_.formation_energy,
        tolerance=params.discovery.stability_tolerance,
        depth=(params.discovery.min_depth, params.discovery.max_depth),
    )
    following = next_state(name, state, acquired, verifications, params)
    metrics = dict(choice.counts) | _metrics(verifications, state, following)
    metrics |= _shallow_and_overtaken(verifications, params.discovery.min_depth) | _expected(verifications, difference)
    return RoundResult(choice.candidates, verifications, following, metrics)


def _labels(name: str, acquired: pl.DataFrame, label: Labeller) -> list[Label]:
    try:
        return label(decode(acquired)) if len(acquired) else []
    except WaitingError as waiting:
        raise WaitingError(
            f"{name}, {len(acquired)} candidates: {waiting.problem}",
            f"`lodestone candidates --round {name} --out FOLDER` writes them; `lodestone labels import FILE…` takes "
            "results, as many as there are; then run again: the round goes on where it waits",
        ) from waiting


def _predicted(proposals: Proposals, ensemble: Ensemble, known: pl.DataFrame) -> Prediction:
    """Predictions for the proposals; without proposals, an empty prediction with the same columns."""
    if proposals.items:
        return predict_in_pieces(ensemble, [proposal.crystal for _, proposal in proposals.items], "unrelaxed")
    return ensemble.predict(decode(known.head(1)), "unrelaxed").of(np.zeros(1, dtype=bool))


def _latents(proposals: Proposals, ensemble: Ensemble) -> np.ndarray:
    return ensemble.latents([proposal.crystal for _, proposal in proposals.items], "unrelaxed")


def _metrics(verifications: pl.DataFrame, before: RoundState, after: RoundState) -> dict[str, Any]:
    good, discoveries = verifications.filter(pl.col("status") == "ok"), verifications.filter("is_discovery")
    true = good["formation_energy_per_atom"].to_numpy()
    columns = view_columns(good) | {"ensemble": "formation_energy_per_atom_pred"}
    predicted = {view: good[column].to_numpy() for view, column in columns.items()}
    reasons = Counter(status.split(":")[0] for status in verifications["status"] if status != "ok")
    return {
        "n_verified": len(verifications),
        "n_ok": len(good),
        "n_new": int(verifications["is_new"].sum()),
        "rejected": dict(sorted(reasons.items())),
        "hit_rate": {how: _hits(verifications, how) for how in ("model", "random")},
        "predicted_hit_rate": {how: _predicted_hit_rate(verifications, how) for how in ("model", "random")},
        "verified_mae": {"n": len(good)} | {view: errors(values, true)["mae"] for view, values in predicted.items()},
        "n_stable_start": _n_stable(before.crystals),
        "n_stable_end": _n_stable(after.crystals),
        "n_discovered": len(discoveries),
        "n_discovered_total": int(after.attempts["is_discovery"].sum()),
        "n_discovered_formulas": discoveries["formula_pretty"].n_unique(),
        "depth": depths(discoveries["energy_above_hull"]),
        "n_hull_incomplete": int(verifications["hull_is_incomplete"].sum()),
        "n_hull_incomplete_total": int(after.attempts["hull_is_incomplete"].sum()),
        "n_known_crystals": len(after.crystals),
    }


def _shallow_and_overtaken(verifications: pl.DataFrame, min_depth: float) -> dict[str, int]:
    """Why hits are no discoveries: too little below the hull, or not on it any more with the others of their round."""
    others = verifications.filter(pl.col("is_stable") & ~pl.col("is_discovery"))
    shallow = int((others["energy_above_hull"] > -min_depth).sum())
    return {"n_undecided": shallow, "n_overtaken": len(others) - shallow}


def _hits(verifications: pl.DataFrame, how: str) -> dict[str, Any]:
    """Hits over all candidates given to the oracle, rejected ones included, as each used up budget.

    A crystal found by both choices counts as one hit for each.
    """
    chosen = verifications.filter(pl.col("acquired_by") == how)
    crystals = chosen.select(pl.coalesce("same_as", "material_id")).to_series().unique()
    stable = verifications.filter("is_stable")["material_id"]
    return wilson_proportion(int(crystals.is_in(stable.implode()).sum()), len(chosen))


def _predicted_hit_rate(verifications: pl.DataFrame, how: str) -> float | None:
    """Mean probability of a hit among the chosen: the rate expected before some turn out known or fail to relax."""
    chosen = verifications.filter(pl.col("acquired_by") == how)
    hit = (chosen["stability_probability"] - chosen["incomplete_probability"]).to_numpy()
    return float(hit.mean()) if len(hit) else None


def _expected(verifications: pl.DataFrame, difference: Difference) -> dict[str, float]:
    """Discoveries to be expected by the source's own method, where the oracle's energies are brought to its scale.

    The sum of the probabilities that a discovery is stable, its error being normal and the hull exact.
    """
    if difference.kind == "none":
        return {}
    found = verifications.filter("is_discovery")
    stds, depth = difference.std(decode(found)), -found["energy_above_hull"].to_numpy()
    probabilities = [0.5 + 0.5 * erf(d / std / sqrt(2)) for d, std in zip(depth, stds, strict=True)]
    return {"n_discovered_expected": fsum(probabilities)}


def _n_stable(crystals: pl.DataFrame) -> int:
    return int((crystals["energy_above_hull"] == 0).sum())
