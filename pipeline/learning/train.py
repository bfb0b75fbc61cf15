"""Train the ensemble of one view for one round."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from pipeline.crystals.encoding import decode
from pipeline.errors import LodestoneError
from pipeline.learning.baseline import ElementBaseline
from pipeline.learning.ensemble import predict_members
from pipeline.learning.fit import FitResult, FitTask, LabelledCrystals, fit_member
from pipeline.learning.storage import SavedView, load_view
from pipeline.parallel import process_all
from pipeline.params import ViewParams
from pipeline.progress import track
from pipeline.seeds import child_seed
from pipeline.stability.compositions import atomic_fractions


@dataclass(frozen=True)
class TrainedView:
    """A trained view.

    Attributes:
        saved: Its networks.
        history: Learning curves: view, member, epoch, learning_rate, train_mae, validation_mae (eV/atom).
        predictions: Contract :class:`pipeline.schemas.MemberPredictions`.
        speed: Mean seconds per step and structures per second of the members; wall-clock, not versioned.
    """

    saved: SavedView
    history: pl.DataFrame
    predictions: pl.DataFrame
    speed: dict[str, float]


def train_view(
    view: str, params: ViewParams, crystals: pl.DataFrame, warm_start: Path | None, seed: int
) -> TrainedView:
    """Fit every member, on all cores, and predict the validation and test crystals.

    Args:
        view: ``composition`` or ``structure``.
        params: Parameters of the view.
        crystals: Known crystals (contract :class:`pipeline.schemas.Crystals`); those of split ``train`` are
            learned from.
        warm_start: Networks of the previous round to fine-tune, or ``None``.
        seed: Seed of this view in this round; each member has its own child.
    """
    parts = {part: _part(crystals, part) for part in ("train", "validation")}
    start = _start(warm_start, params)
    baseline = start.baseline if start else _baseline(parts["train"])
    tasks = {
        str(member): FitTask(
            view,
            params,
            member,
            child_seed(seed, "member", member),
            parts["train"],
            parts["validation"],
            baseline,
            start.members[member] if start else None,
        )
        for member in range(params.members)
    }
    results = dict(track(process_all(fit_member, tasks), total=len(tasks), title=f"training {view} networks"))
    ordered = [results[str(member)] for member in range(params.members)]
    saved = SavedView(view, params, baseline, [result.weights for result in ordered])
    return TrainedView(saved, _history(view, ordered), _predictions(saved, crystals), _speed(ordered))


def _start(folder: Path | None, params: ViewParams) -> SavedView | None:
    if folder is None:
        return None
    saved = load_view(folder)
    if (len(saved.members), saved.params.width, saved.params.layers) != (params.members, params.width, params.layers):
        raise LodestoneError(
            f"{folder} holds networks of another size than params.yaml asks for ({saved.view})",
            "members, width and layers must stay the same through a campaign: `dvc repro` from round_0",
        )
    return saved


def _part(crystals: pl.DataFrame, part: str) -> LabelledCrystals:
    rows = crystals.filter(pl.col("split") == part).sort("material_id")
    return LabelledCrystals(decode(rows), rows["formation_energy_per_atom"].to_numpy())


def _baseline(train: LabelledCrystals) -> ElementBaseline:
    return ElementBaseline.fit(atomic_fractions([crystal.atomic_numbers for crystal in train.crystals]), train.energies)


def _history(view: str, results: list[FitResult]) -> pl.DataFrame:
    rows = [{"view": view, "member": member, **row} for member, result in enumerate(results) for row in result.history]
    return pl.DataFrame(rows)


def _predictions(saved: SavedView, crystals: pl.DataFrame) -> pl.DataFrame:
    unseen = crystals.filter(pl.col("split").is_in(["validation", "test"])).sort("material_id")
    members = predict_members(saved, decode(unseen))
    return pl.concat(
        unseen.select(
            "material_id",
            pl.lit(saved.view).alias("view"),
            pl.lit(member, dtype=pl.Int32).alias("member"),
            "split",
            pl.Series("formation_energy_per_atom_pred", values),
        )
        for member, values in enumerate(members)
    )


def _speed(results: list[FitResult]) -> dict[str, float]:
    return {
        "seconds_per_step": float(np.mean([result.seconds_per_step for result in results])),
        "structures_per_second": float(np.mean([result.structures_per_second for result in results])),
    }
