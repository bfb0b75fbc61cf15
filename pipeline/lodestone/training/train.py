"""Train the ensemble of one view for one round."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path

import numpy as np
import polars as pl
import torch

from lodestone.config.sections import GeometryParams, ViewParams
from lodestone.crystals.crystal import Crystal
from lodestone.crystals.encoding import decode
from lodestone.errors import LodestoneError
from lodestone.models.base import ViewDataset
from lodestone.models.baseline import ElementBaseline
from lodestone.models.datasets import Inputs, shown_of_each
from lodestone.models.inference import Shown, no_latents
from lodestone.models.weights import SavedView, Weights, check_weights, load_view
from lodestone.runtime.parallel import process_all
from lodestone.runtime.seeds import child_seed
from lodestone.substitution.unrelaxed import UnrelaxedStructures, unrelaxed_held_out, unrelaxed_to_train_on
from lodestone.tables.subsets import HELD_OUT, subset
from lodestone.training.checkpoints import Scratch, scratch_of
from lodestone.training.data import Examples, LabelledCrystals, TrainingData
from lodestone.training.distributed import ranks
from lodestone.training.fit import fit_member
from lodestone.training.progress_bar import reported
from lodestone.training.rehearsal import rehearsal
from lodestone.training.shared import share
from lodestone.training.tasks import FitResult, FitTask
from lodestone.training.warm_start import to_other_labels

_MODULES = ("torch._dynamo", "pymatgen.core")  # imported on first use by optimizers and element features


@dataclass(frozen=True)
class TrainedView:
    """A trained view.

    Attributes:
        saved: Its networks.
        history: Learning curves: view, member, epoch, learning_rate, train_mae, validation_mae and, of a view that
            learns from unrelaxed structures, validation_mae_unrelaxed (eV/atom).
        predictions: Contract :class:`lodestone.schemas.MemberPredictions`.
        speed: Mean seconds per step and structures per second of the members; wall-clock, not versioned.
    """

    saved: SavedView
    history: pl.DataFrame
    predictions: pl.DataFrame
    speed: dict[str, float]


def train_view(
    view: str,
    params: ViewParams,
    crystals: pl.DataFrame,
    warm_start: Path | None,
    seed: int,
    *,
    structures_seed: int | None = None,
    other_labels: bool = False,
) -> TrainedView:
    """Fit every member, on all cores, and predict validation and test crystals and their unrelaxed structures.

    Args:
        view: See :func:`fit_view`, as for the next four.
        params: Parameters of the view.
        crystals: Known crystals.
        warm_start: Networks of the previous round, which learn ``params.rehearsed`` crystals again beside what rounds
            have verified; or others.
        seed: Seed of this view in this round.
        structures_seed: Seed of the unrelaxed structures that are predicted, the same for all views of a round; by
            default that of the view.
        other_labels: The networks of the warm start learned labels of another kind; what these differ by from element
            to element is fitted first, and all training crystals are learned.
    """
    held_out = _unrelaxed_held_out(params, crystals, seed if structures_seed is None else structures_seed)
    fitted = _fit_view(view, params, crystals, warm_start, seed, held_out=held_out, other_labels=other_labels)
    predictions = _predictions(fitted.saved, fitted.data.validation, crystals, held_out)
    fitted.clean_up()
    return TrainedView(
        saved=fitted.saved,
        history=_history(view, fitted.results),
        predictions=predictions,
        speed=_speed(fitted.results),
    )


def fit_view(view: str, params: ViewParams, crystals: pl.DataFrame, warm_start: Path | None, seed: int) -> SavedView:
    """Fit every member, on all cores.

    Called again after a kill, it resumes from checkpoints (``$LODESTONE_CHECKPOINTS``), to the same result.

    Args:
        view: Name of the view.
        params: Parameters of the view.
        crystals: Known crystals (contract :class:`lodestone.schemas.Crystals`); those of split ``train`` are
            trained on.
        warm_start: Networks of the previous round to fine-tune, or ``None``.
        seed: Seed of this view in this round; each member has its own child.
    """
    fitted = _fit_view(view, params, crystals, warm_start, seed, held_out=_unrelaxed_held_out(params, crystals, seed))
    fitted.clean_up()
    return fitted.saved


def fit_prepared(
    data: TrainingData,
    params: ViewParams,
    baseline: ElementBaseline,
    *,
    start: Sequence[Weights] | None = None,
    seed: int,
) -> SavedView:
    """Fit every member on data that were prepared before, such as once for the networks of several seeds.

    Args:
        data: What to learn from and to validate on, standardized by the baseline.
        params: Parameters of the view.
        baseline: Linear part of the networks.
        start: Weights of each member to fine-tune, or ``None`` to start from scratch.
        seed: Each member has its own child.
    """
    fitted = _fit(data, params, baseline, start, seed)
    fitted.clean_up()
    return fitted.saved


@dataclass(frozen=True)
class _Fitted:
    """Networks, what they learned from, their learning curves, and the files that the fits left."""

    saved: SavedView
    data: TrainingData
    results: list[FitResult]
    scratch: Scratch

    def clean_up(self) -> None:
        """Remove the files; not earlier, so that what follows the fits can be tried again."""
        if ranks().writes:
            self.scratch.remove()


def _fit_view(
    view: str,
    params: ViewParams,
    crystals: pl.DataFrame,
    warm_start: Path | None,
    seed: int,
    *,
    held_out: UnrelaxedStructures | None,
    other_labels: bool = False,
) -> _Fitted:
    start = _start(warm_start, view, params)
    goes_on = start is not None and not other_labels
    learned = subset(crystals, "train")
    if goes_on:
        learned = rehearsal(learned, params.rehearsed, seed)
    splits = {"train": _labelled(learned), "validation": _labelled(subset(crystals, "validation"))}
    if isinstance(params, GeometryParams) and params.unrelaxed > 0:
        splits["train"] = replace(splits["train"], unrelaxed_structures=unrelaxed_to_train_on(learned, crystals, seed))
        splits["validation"] = replace(
            splits["validation"], unrelaxed_structures=_validation_structures(crystals, held_out)
        )
    if start and other_labels:
        start = to_other_labels(start, splits["train"])
    baseline = start.baseline.including(splits["train"].fractions()) if start else _baseline(splits["train"])
    data = TrainingData.prepare(view, params, splits["train"], splits["validation"], baseline)
    return _fit(data, params, baseline, start.members if start else None, seed)


def _fit(
    data: TrainingData, params: ViewParams, baseline: ElementBaseline, start: Sequence[Weights] | None, seed: int
) -> _Fitted:
    scratch = scratch_of(data.view, seed, data.digest)
    tasks = [
        FitTask(
            view=data.view,
            params=params,
            member=member,
            seed=child_seed(seed, "member", member),
            data=data,
            start=start[member] if start else None,
            scratch=scratch,
        )
        for member in range(params.members)
    ]
    results = _fit_all(tasks, data, scratch, f"training {data.view} networks")
    saved = SavedView(view=data.view, params=params, baseline=baseline, members=[result.weights for result in results])
    return _Fitted(saved=saved, data=data, results=results, scratch=scratch)


def _unrelaxed_held_out(params: ViewParams, crystals: pl.DataFrame, seed: int) -> UnrelaxedStructures | None:
    """Unrelaxed structures of validation and test crystals, for a view that sees the difference."""
    return unrelaxed_held_out(crystals, seed) if isinstance(params, GeometryParams) else None


def _validation_structures(crystals: pl.DataFrame, held_out: UnrelaxedStructures | None) -> list[Crystal | None]:
    """The unrelaxed structure of each validation crystal, or ``None``."""
    known = dict(zip(held_out.table["material_id"], held_out.crystals, strict=True)) if held_out else {}
    return [known.get(name) for name in subset(crystals, "validation")["material_id"]]


def _fit_all(tasks: list[FitTask], data: TrainingData, scratch: Scratch, title: str) -> list[FitResult]:
    """Fit all members: side by side on the cores, or one after the other by all processes of a launcher together."""
    total = sum(task.epochs for task in tasks)
    if ranks().size > 1:
        with reported(scratch.progress, total, title) if ranks().writes else nullcontext():
            return [fit_member(task) for task in tasks]
    shared = share(data, scratch.data)  # otherwise every process would hold its own copy
    by_member = {str(task.member): replace(task, data=shared) for task in tasks}
    with reported(scratch.progress, total, title):
        results = dict(process_all(fit_member, by_member, (type(data.train.dataset).__module__, *_MODULES)))
    return [results[member] for member in by_member]


def _start(folder: Path | None, view: str, params: ViewParams) -> SavedView | None:
    if folder is None:
        return None
    saved = load_view(folder)
    if (saved.view, len(saved.members)) != (view, params.members):
        raise LodestoneError(
            f"{folder} holds {len(saved.members)} {saved.view} networks, not the {params.members} of {view} asked for",
            "members must stay the same through a campaign: `dvc repro` from round_0; with networks that were trained "
            "elsewhere, take as many as they are",
        )
    for number, weights in enumerate(saved.members):
        check_weights(weights, view, params, folder / f"member_{number}.safetensors")
    return saved


def _labelled(rows: pl.DataFrame) -> LabelledCrystals:
    return LabelledCrystals(decode(rows), rows["formation_energy_per_atom"].to_numpy())


def _baseline(train: LabelledCrystals) -> ElementBaseline:
    return ElementBaseline.fit(train.fractions(), train.energies)


def _history(view: str, results: list[FitResult]) -> pl.DataFrame:
    rows = [{"view": view, "member": member, **row} for member, result in enumerate(results) for row in result.history]
    return pl.DataFrame(rows)


def _predictions(
    saved: SavedView, validation: Examples, crystals: pl.DataFrame, unrelaxed: UnrelaxedStructures | None
) -> pl.DataFrame:
    """Of relaxed crystals, and of unrelaxed ones by a view that sees the difference.

    Args:
        saved: The view.
        validation: What the fits have watched: its graphs are not built again.
        crystals: Known crystals.
        unrelaxed: Unrelaxed structures of those that are held out.
    """
    tables: list[pl.DataFrame] = []
    asked: list[Inputs] = []
    for split in HELD_OUT:
        relaxed = subset(crystals, split)
        groups = [(relaxed, decode(relaxed), "relaxed")]
        if unrelaxed is not None:
            groups.append((*unrelaxed.of(split), "unrelaxed"))
        for table, structures, kind in groups:
            if structures:  # a small snapshot may have no other crystal of any prototype
                tables.append(table)
                known = _as_watched(validation, kind) if split == "validation" else None
                asked.append(Inputs(structures, kind, known))
    said = shown_of_each(saved, asked)
    return pl.concat(map(_long, repeat(saved.view), tables, asked, said))


def _as_watched(validation: Examples, kind: str) -> ViewDataset | None:
    """All relaxed validation crystals, or all unrelaxed ones, if any, as the networks see them."""
    rows = validation.unrelaxed_rows if kind == "unrelaxed" else torch.arange(len(validation))
    return validation.dataset.subset(rows) if len(rows) else None


def _long(view: str, table: pl.DataFrame, inputs: Inputs, said: Shown) -> pl.DataFrame:
    return pl.concat(
        table.select(
            "material_id",
            pl.lit(inputs.input_structure).alias("input_structure"),
            pl.lit(view).alias("view"),
            pl.lit(member, dtype=pl.Int32).alias("member"),
            "split",
            pl.Series("formation_energy_per_atom_pred", values),
            _vectors(said.latents if member == 0 else no_latents(len(table))),
        )
        for member, values in enumerate(said.members)
    )


def _vectors(latents: np.ndarray) -> pl.Series:
    """Latent vectors, shape ``(n, width)``, as a column; empty where they have no width."""
    if latents.shape[1]:
        return pl.Series("latent", latents).cast(pl.List(pl.Float32))
    return pl.Series("latent", [None] * len(latents), dtype=pl.List(pl.Float32))


def _speed(results: list[FitResult]) -> dict[str, float]:
    return {
        "seconds_per_step": float(np.mean([result.seconds_per_step for result in results])),
        "structures_per_second": float(np.mean([result.structures_per_second for result in results])),
    }
