"""The known crystals made ready for training, once for all seeds and policies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl
import torch

from lodestone.config.params import Params
from lodestone.config.sections import GeometryParams, ViewParams
from lodestone.crystals.crystal import Crystal
from lodestone.crystals.encoding import decode
from lodestone.crystals.splits import split_by_hash
from lodestone.ensemble.calibration import ENOUGH
from lodestone.ensemble.out_of_distribution import remembered
from lodestone.ensemble.relatives import Relatives
from lodestone.errors import LodestoneError
from lodestone.models.base import ViewDataset
from lodestone.models.baseline import ElementBaseline
from lodestone.models.registry import make_dataset
from lodestone.replay.tables import ENERGY
from lodestone.runtime.seeds import child_generator
from lodestone.substitution.unrelaxed import draw_unrelaxed, make_unrelaxed
from lodestone.training.data import LabelledCrystals, TrainingData

MOST_VALIDATED = 2000  # more would cost time in every round, and tell nothing new


@dataclass(frozen=True)
class Inputs:
    """Crystals as the networks of each view see them; graphs are built once.

    Attributes:
        crystals: Of ``n`` crystals what is known before relaxation, or after it.
        datasets: By view.
    """

    crystals: Sequence[Crystal]
    datasets: Mapping[str, ViewDataset]

    @classmethod
    def of(cls, crystals: Sequence[Crystal], views: Mapping[str, ViewParams], *, unrelaxed: bool) -> Inputs:
        """Show crystals to some views, as relaxed or as unrelaxed ones."""
        marked = [unrelaxed] * len(crystals)
        return cls(crystals, {view: make_dataset(view, crystals, params, marked) for view, params in views.items()})

    def subset(self, rows: np.ndarray) -> Inputs:
        """Some of the crystals, by their rows; no graph is built again."""
        chosen = torch.from_numpy(rows)
        return Inputs(
            [self.crystals[row] for row in rows],
            {view: dataset.subset(chosen) for view, dataset in self.datasets.items()},
        )


@dataclass(frozen=True)
class PreparedView:
    """What the networks of one view learn before the first round."""

    params: ViewParams
    baseline: ElementBaseline
    data: TrainingData


@dataclass(frozen=True)
class Prepared:
    """The known crystals, ready for training.

    Attributes:
        views: By name.
        known: All known crystals, with their part in ``split``.
        train: Crystals that are learned from.
        sample: Some of them, to whose latent vectors others are compared.
        validation: Crystals on which predictions are weighed and calibrated, unrelaxed as candidates are.
        validated: Their rows among the known crystals.
        validation_energies: Their labels, shape ``(n,)``, eV/atom.
        validation_formulas: Their formulas; crystals of one formula err alike.
    """

    views: Mapping[str, PreparedView]
    known: pl.DataFrame
    train: Sequence[Crystal]
    sample: Inputs
    validation: Inputs
    validated: pl.DataFrame
    validation_energies: np.ndarray
    validation_formulas: Sequence[str]

    @cached_property
    def validation_relatives(self) -> np.ndarray:
        """Energies of the validation crystals by relatives that are learned from, shape ``(n,)``, eV/atom."""
        return Relatives.of(self.known.filter(pl.col("split") == "train")).energies(self.validated)

    @cached_property
    def relatives(self) -> Relatives:
        """All known crystals as relatives of the pool."""
        return Relatives.of(self.known)


def prepare(known: pl.DataFrame, params: Params, views: Sequence[str], *, seen: int) -> Prepared:
    """Split the known crystals, make unrelaxed structures of them, and build their graphs.

    Args:
        known: What :func:`lodestone.replay.tables.read_known` gives.
        params: Networks and split of a campaign.
        views: Those that a policy needs.
        seen: Crystals that each network is shown before the first round, in as many epochs as that makes.

    Raises:
        LodestoneError: If the split leaves nothing to learn from or to validate on.
    """
    dealt = _dealt(known, params)
    train, validation = (dealt.filter(pl.col("split") == part) for part in ("train", "validation"))
    if min(len(train), len(validation)) == 0:
        problem = f"{len(known)} known crystals leave {len(train)} to learn from and {len(validation)} to validate on"
        raise LodestoneError(problem, "take a larger known table, or change split.validation in params.yaml")
    parts = {
        "train": _labelled(train, make_unrelaxed(train, train, child_generator(params.seed, "replay", "train"))),
        "validation": _labelled(
            validation, draw_unrelaxed(validation, train, child_generator(params.seed, "replay", "validation"))
        ),
    }
    chosen = {view: _with_epochs(params.view(view), len(train), seen) for view in views}
    prepared = {view: _prepared(view, one, parts) for view, one in chosen.items()}
    rows = remembered(len(train))
    calibrated, structures = _calibrated(parts["validation"])
    is_unrelaxed = structures[0] is not parts["validation"].crystals[calibrated[0]]
    return Prepared(
        views=prepared,
        known=dealt,
        train=parts["train"].crystals,
        sample=Inputs(
            [parts["train"].crystals[row] for row in rows],
            {view: one.data.train.dataset.subset(torch.from_numpy(rows)) for view, one in prepared.items()},
        ),
        validation=Inputs.of(structures, chosen, unrelaxed=is_unrelaxed),
        validated=validation[calibrated.tolist()],
        validation_energies=parts["validation"].energies[calibrated],
        validation_formulas=validation["formula_pretty"][calibrated.tolist()].to_list(),
    )


def _dealt(known: pl.DataFrame, params: Params) -> pl.DataFrame:
    """The split of a campaign by formula, without test crystals: the pool is what is tested on."""
    share = min(params.split.validation, MOST_VALIDATED / len(known))
    dealt = split_by_hash(known, params.split.model_copy(update={"by": "formula", "validation": share}))
    return known.with_columns(dealt.replace(["test", "holdout"], "train"))


def _labelled(rows: pl.DataFrame, unrelaxed: Sequence[Crystal | None]) -> LabelledCrystals:
    return LabelledCrystals(decode(rows), rows[ENERGY].to_numpy(), unrelaxed)


def _with_epochs(params: ViewParams, n_train: int, seen: int) -> ViewParams:
    """As many epochs as show a network so many crystals; no more than the parameters say, and at least two."""
    return params.model_copy(update={"epochs": max(2, min(params.epochs, round(seen / n_train)))})


def _prepared(view: str, params: ViewParams, parts: Mapping[str, LabelledCrystals]) -> PreparedView:
    if not isinstance(params, GeometryParams):  # relaxed and unrelaxed are the same to it
        parts = {part: replace(labelled, unrelaxed_structures=()) for part, labelled in parts.items()}
    baseline = ElementBaseline.fit(parts["train"].fractions(), parts["train"].energies)
    data = TrainingData.prepare(view, params, parts["train"], parts["validation"], baseline)
    return PreparedView(params, baseline, data)


def _calibrated(validation: LabelledCrystals) -> tuple[np.ndarray, list[Crystal]]:
    """Rows to calibrate on, and their structures: unrelaxed ones, or all relaxed ones where too few have one."""
    known = [(row, one) for row, one in enumerate(validation.unrelaxed_structures) if one is not None]
    if len(known) < ENOUGH:
        return np.arange(len(validation.crystals)), list(validation.crystals)
    return np.array([row for row, _ in known]), [one for _, one in known]
