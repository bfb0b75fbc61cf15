"""One round of active learning: state in, state out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import polars as pl

from pipeline.crystals.encoding import decode, describe
from pipeline.discovery.screening import acquire, screen
from pipeline.discovery.substitution import propose
from pipeline.errors import LodestoneError
from pipeline.labelling import Labeller, energy_above_hull
from pipeline.learning.ensemble import Ensemble
from pipeline.learning.metrics import errors, hit_rate
from pipeline.oracles.protocol import Label
from pipeline.params import Params
from pipeline.schemas import Crystals
from pipeline.seeds import child_generator
from pipeline.splits import split_verified
from pipeline.stability.compositions import atomic_fractions
from pipeline.stability.hull import ConvexHull, describe_decomposition
from pipeline.stability.references import formation_energies

_PREDICTED = [
    "formation_energy_per_atom_pred",
    "formation_energy_per_atom_pred_composition",
    "formation_energy_per_atom_pred_structure",
    "formation_energy_per_atom_epistemic_std",
    "formation_energy_per_atom_std",
    "formation_energy_per_atom_lower",
    "formation_energy_per_atom_upper",
    "out_of_distribution",
    "energy_above_hull_pred",
    "stability_probability",
]


@dataclass(frozen=True)
class RoundState:
    """What a round starts from.

    Attributes:
        crystals: Known crystals (contract :class:`pipeline.schemas.Crystals`).
        attempts: Candidates already given to the oracle (contract :class:`pipeline.schemas.Attempts`).
        references: Elemental references (contract :class:`pipeline.schemas.References`); they stay as they are.
    """

    crystals: pl.DataFrame
    attempts: pl.DataFrame
    references: pl.DataFrame

    def hull(self) -> ConvexHull:
        """The convex hull of the known crystals."""
        fractions = atomic_fractions(self.crystals["atomic_numbers"].to_list())
        return ConvexHull(fractions, self.crystals["formation_energy_per_atom"].to_numpy())


@dataclass(frozen=True)
class RoundResult:
    """What a round leaves behind.

    Attributes:
        candidates: Contract :class:`pipeline.schemas.Candidates`.
        verifications: Contract :class:`pipeline.schemas.Verifications`.
        state: Where the next round starts.
        metrics: Counts, hit rates and errors.
    """

    candidates: pl.DataFrame
    verifications: pl.DataFrame
    state: RoundState
    metrics: dict[str, Any]


def run_round(name: str, state: RoundState, ensemble: Ensemble, params: Params, label: Labeller) -> RoundResult:
    """Propose, screen, verify, update the hull.

    Args:
        name: Name of the round; its random choices depend on it and on the root seed only.
        state: What is known.
        ensemble: Models of this round.
        params: Parameters of the campaign.
        label: The oracle.

    Raises:
        LodestoneError: If no candidate is left after screening, or the oracle fails on all of them.
    """
    hull = state.hull()
    candidates, counts = _candidates(name, state, ensemble, hull, params)
    acquired = candidates.filter(pl.col("acquired_by") != "none").sort("material_id")
    labels = label(decode(acquired))
    _refuse_if_all_failed(name, labels)
    verifications = _verify(name, acquired, labels, state, hull)
    following = _next_state(name, state, acquired, verifications, params)
    metrics = counts | _metrics(verifications, state, following)
    return RoundResult(candidates, verifications, following, metrics)


def _candidates(
    name: str, state: RoundState, ensemble: Ensemble, hull: ConvexHull, params: Params
) -> tuple[pl.DataFrame, dict[str, Any]]:
    generator = child_generator(params.seed, name, "propose")
    tried, elements = set(state.attempts["decorated_prototype"]), set(state.references["element"])
    required = params.snapshot.filters.require_any_of
    proposals = propose(state.crystals, tried, elements, params.discovery, generator, required)
    if not proposals.items:
        raise LodestoneError(
            f"{name}: no substitution gives a candidate that is not known yet",
            "lower discovery.min_substitution_probability, raise discovery.max_parent_energy_above_hull, "
            "or widen the snapshot",
        )
    prediction = ensemble.predict([proposal.crystal for proposal in proposals.items], "unrelaxed")
    table = screen(proposals.items, state.crystals["material_id"].to_list(), prediction, hull, name)
    chosen = acquire(table, params.discovery, params.rounds[name], child_generator(params.seed, name, "acquire"))
    within = int((table["energy_above_hull_pred"] <= params.discovery.threshold).sum())
    _refuse_if_none_chosen(name, chosen, within, params)
    return chosen, {"n_proposed": len(table), "n_known": proposals.n_known, "n_screened": within}


def _refuse_if_none_chosen(name: str, chosen: pl.DataFrame, within: int, params: Params) -> None:
    if "model" in chosen["acquired_by"]:
        return
    n, threshold = len(chosen), params.discovery.threshold
    if within:
        raise LodestoneError(
            f"{name}: the random baseline leaves the model none of {n} candidates",
            f"lower rounds.{name}.random_baseline or raise discovery.max_proposals in params.yaml",
        )
    raise LodestoneError(
        f"{name}: none of {n} candidates is predicted within {threshold} eV/atom of the hull",
        "raise discovery.threshold or discovery.max_proposals in params.yaml",
    )


def _refuse_if_all_failed(name: str, labels: list[Label]) -> None:
    if not any(label.ok for label in labels):
        reasons = Counter(label.status for label in labels)
        told = ", ".join(f"{count} x {reason}" for reason, count in reasons.most_common(3))
        raise LodestoneError(
            f"{name}: the oracle failed on all {len(labels)} candidates ({told})",
            "check oracle.max_steps, oracle.fmax and the installation of the oracle; failures are kept in the "
            "label store, so delete it after repairing the oracle",
        )


def _verify(
    name: str, acquired: pl.DataFrame, labels: list[Label], state: RoundState, hull: ConvexHull
) -> pl.DataFrame:
    """The table of verifications, rejected candidates included."""
    asked = acquired.select(
        "material_id",
        pl.lit(name).alias("round"),
        "acquired_by",
        "parent_id",
        "substitution",
        "formula_pretty",
        "chemsys",
        *_PREDICTED,
    ).with_columns(
        pl.Series("status", [label.status for label in labels]),
        pl.Series("n_steps", [label.n_steps for label in labels], dtype=pl.Int32),
    )
    relaxed = [label.crystal for label in labels if label.crystal is not None]
    found = (
        describe(relaxed)
        .drop("formula_pretty", "chemsys", "nsites")
        .with_columns(
            pl.Series("material_id", [i for i, label in zip(acquired["material_id"], labels, strict=True) if label.ok]),
            pl.Series("energy_per_atom", [label.energy_per_atom for label in labels if label.ok]),
        )
    )
    found = _against_hull(found, state, hull)
    table = asked.join(found, on="material_id", how="left", maintain_order="left")
    return table.with_columns(pl.col("is_novel", "is_stable").fill_null(value=False))


def _against_hull(found: pl.DataFrame, state: RoundState, hull: ConvexHull) -> pl.DataFrame:
    fractions = atomic_fractions(found["atomic_numbers"].to_list())
    energies = formation_energies(fractions, found["energy_per_atom"].to_numpy(), state.references)
    formulas = state.crystals["formula_pretty"].to_list()
    known = state.crystals["decorated_prototype"].to_list()
    distance = hull.energies_above_hull(fractions, energies)
    return (
        found.with_columns(
            pl.Series("formation_energy_per_atom", energies),
            pl.Series("energy_above_hull", distance),
            pl.Series(
                "decomposition",
                [describe_decomposition(mixture, formulas) for mixture in hull.decompositions(fractions)],
            ),
            pl.col("material_id")
            .sort_by("energy_per_atom", "material_id")
            .first()
            .over("decorated_prototype")
            .alias("lowest"),
        )
        .with_columns(
            is_novel=~pl.col("decorated_prototype").is_in(known) & (pl.col("material_id") == pl.col("lowest")),
        )
        .with_columns(is_stable=pl.col("is_novel") & (pl.col("energy_above_hull") <= 0))
        .drop("lowest")
    )


def _next_state(
    name: str, state: RoundState, acquired: pl.DataFrame, verifications: pl.DataFrame, params: Params
) -> RoundState:
    novel = verifications.filter("is_novel").with_columns(
        pl.lit(name).alias("origin"),
        pl.lit(None, dtype=pl.Float64).alias("source_formation_energy_per_atom"),
        pl.lit(None, dtype=pl.String).alias("created_at"),
        pl.col("atomic_numbers").list.len().cast(pl.Int32).alias("nsites"),
        pl.lit("train").alias("split"),
    )
    columns = list(Crystals.to_schema().columns)
    dealt = split_verified(novel, state.crystals, params.split)
    merged = pl.concat([state.crystals.select(columns), dealt.select(columns)])
    crystals = merged.with_columns(energy_above_hull(merged, merged["formation_energy_per_atom"].to_numpy()))
    tried = acquired.select("material_id", "decorated_prototype", pl.lit(name).alias("round")).join(
        verifications.select("material_id", "is_stable"), on="material_id", maintain_order="left"
    )
    return RoundState(
        crystals.sort("material_id"), pl.concat([state.attempts, tried.drop("material_id")]), state.references
    )


def _metrics(verifications: pl.DataFrame, before: RoundState, after: RoundState) -> dict[str, Any]:
    good = verifications.filter(pl.col("status") == "ok")
    true = good["formation_energy_per_atom"].to_numpy()
    suffixes = {"ensemble": "", "composition": "_composition", "structure": "_structure"}
    predicted = {view: good[f"formation_energy_per_atom_pred{end}"].to_numpy() for view, end in suffixes.items()}
    reasons = Counter(status.split(":")[0] for status in verifications["status"] if status != "ok")
    return {
        "n_verified": len(verifications),
        "n_ok": len(good),
        "n_novel": int(verifications["is_novel"].sum()),
        "rejected": dict(sorted(reasons.items())),
        "hit_rate": {how: _hits(verifications, how) for how in ("model", "random")},
        "claimed_hit_rate": {how: _claimed(verifications, how) for how in ("model", "random")},
        "verified_mae": {"n": len(good)} | {view: errors(values, true)["mae"] for view, values in predicted.items()},
        "n_stable_start": _n_stable(before.crystals),
        "n_stable_end": _n_stable(after.crystals),
        "n_discovered": int(verifications["is_stable"].sum()),
        "n_discovered_total": int(after.attempts["is_stable"].sum()),
        "n_known_crystals": len(after.crystals),
    }


def _hits(verifications: pl.DataFrame, how: str) -> dict[str, Any]:
    """Hits over all candidates given to the oracle, refused ones included: each has cost its share of the budget."""
    chosen = verifications.filter(pl.col("acquired_by") == how)
    return hit_rate(int(chosen["is_stable"].sum()), len(chosen))


def _claimed(verifications: pl.DataFrame, how: str) -> float | None:
    """Mean P(stable) of the chosen: the hit rate they promised, before some turn out known or cannot be relaxed."""
    chosen = verifications.filter(pl.col("acquired_by") == how)["stability_probability"].to_numpy()
    return float(chosen.mean()) if len(chosen) else None


def _n_stable(crystals: pl.DataFrame) -> int:
    return int((crystals["energy_above_hull"] == 0).sum())
