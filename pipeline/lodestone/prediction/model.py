"""An ensemble that answers questions about crystals: the Python interface behind `lodestone predict`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from lodestone.ensemble.ensemble import Ensemble, load_ensemble
from lodestone.errors import LodestoneError
from lodestone.prediction.hulls import (
    MATERIALS_PROJECT,
    OPTIMADE,
    SNAPSHOT,
    database_phases,
    entry_phases,
    file_phases,
    snapshot_phases,
)
from lodestone.prediction.inputs import Queries, Query, Unread, queries_of
from lodestone.prediction.phases import KnownPhases
from lodestone.prediction.scale import Scale, refuse_other_scale
from lodestone.prediction.shipped import PRETRAINED
from lodestone.prediction.table import prediction_table
from lodestone.tables.layout import Layout, RoundLayout

if TYPE_CHECKING:
    from lodestone.stability.entries import Hull

REGISTERED = "models:/"
OWN_HULL = "hull.parquet"


@dataclass(frozen=True)
class StabilityModel:
    """Networks with what is known about them.

    Attributes:
        name: What the user calls it.
        folder: Where its files are.
        scale: What the energies are that it predicts.
        campaign: Files of the campaign that it belongs to, against whose phases it can be measured; ``None`` without.
    """

    name: str
    folder: Path
    scale: Scale
    campaign: Layout | None = None

    @cached_property
    def ensemble(self) -> Ensemble:
        """The networks; read on first use."""
        return load_ensemble(self.folder)

    @property
    def _own_hull(self) -> Path:
        """Phases that a registered model has with it; other ensembles have no such file."""
        return self.folder / OWN_HULL

    def answerable(self, queries: Queries) -> Queries:
        """The same, with formulas set aside where the networks cannot judge them."""
        if self.ensemble.judges_formulas:
            return queries
        good = [query for query in queries.good if not query.is_formula]
        reason = "this ensemble cannot judge a formula alone"
        aside = [Unread(query.name, reason) for query in queries.good if query.is_formula]
        return Queries(good, [*queries.unread, *aside])

    def predict(
        self,
        crystals: Any,
        hull: str | Path | Hull | Iterable[Any] | None = None,
        *,
        input_structure: str = "relaxed",
        hull_scale: str | None = None,
        across_scales: bool = False,
    ) -> pl.DataFrame:
        """Ask about crystals.

        Args:
            crystals: pymatgen ``Structure``, ``ComputedStructureEntry`` or ``Composition``, ASE ``Atoms``,
                :class:`lodestone.crystals.crystal.Crystal`, a formula, or any number of these.
            hull: What stability is measured against: ``snapshot`` (the phases of the model's campaign; the default
                where there is one), ``materials_project``, ``optimade``, a file, entries of pymatgen, or a
                :class:`lodestone.stability.entries.Hull` of them, which says what they are. Without it, nothing is
                said of stability.
            input_structure: ``relaxed``, or ``unrelaxed`` for structures nobody has relaxed.
            hull_scale: What the energies of a file are, as ``METHOD/SCHEME``.
            across_scales: Measure against a hull on another scale all the same.

        Returns:
            One row per crystal; docs/predict.md has the columns.

        Raises:
            LodestoneError: If a crystal cannot be used, the hull cannot be read, or is on another scale.
        """
        queries = queries_of(crystals)
        if queries.unread:
            first = queries.unread[0]
            raise LodestoneError(f"{first.name}: {first.reason}", "correct this crystal, or leave it out")
        phases = self.phases(hull, queries.good, hull_scale, across_scales=across_scales) if queries.good else None
        return prediction_table(self.ensemble, queries.good, phases, input_structure)

    def phases(
        self, hull: Any, queries: Sequence[Query], hull_scale: str | None = None, *, across_scales: bool = False
    ) -> KnownPhases | None:
        """The phases that compete with queries, from the hull that :meth:`predict` takes.

        Raises:
            LodestoneError: If they cannot be read, or are on another scale.
        """
        systems = [query.chemsys for query in queries]
        if isinstance(hull, str) and hull in (MATERIALS_PROJECT, OPTIMADE):
            return self._on_our_scale(database_phases(hull, systems), across_scales=across_scales).within(systems)
        phases = self.every_phase(hull, hull_scale, across_scales=across_scales)
        return phases.within(systems) if phases else None

    def every_phase(
        self, hull: Any, hull_scale: str | None = None, *, across_scales: bool = False
    ) -> KnownPhases | None:
        """All phases of the hull that :meth:`predict` takes, whatever is asked later; ``None`` where there is none.

        Raises:
            LodestoneError: If they cannot be read, are on another scale, or are those of a database.
        """
        if hull is None and self.campaign is None and not self._own_hull.is_file():
            return None
        phases = self._every_phase(SNAPSHOT if hull is None else hull, Scale.parse(hull_scale or ""))
        return self._on_our_scale(phases, across_scales=across_scales)

    def _on_our_scale(self, phases: KnownPhases, *, across_scales: bool) -> KnownPhases:
        if not across_scales:
            refuse_other_scale(self.scale, phases.scale, phases.name)
        return phases

    def _every_phase(self, hull: Any, scale: Scale) -> KnownPhases:
        if not isinstance(hull, str | Path):
            given = entry_phases(hull)
            return replace(given, scale=scale) if scale.label_method else given
        if hull == SNAPSHOT and self.campaign is None and self._own_hull.is_file():
            return replace(file_phases(self._own_hull, self.scale), name="that the model was registered with")
        if hull == SNAPSHOT:
            return snapshot_phases(self.campaign, self.scale)
        if hull in (MATERIALS_PROJECT, OPTIMADE):
            problem = f"{hull} can only be asked about crystals that are known beforehand"
            raise LodestoneError(problem, "make a snapshot of it once, and name its file")
        return file_phases(Path(hull), scale)


def load(model: str | Path | None = None) -> StabilityModel:
    """Load an ensemble.

    Args:
        model: Folder of a campaign or of one of its rounds, or one that `lodestone pretrain` wrote; or a registered
            model (``models:/lodestone-ensemble@champion``). By default the ensemble that ships with this package.

    Raises:
        LodestoneError: If there is none.
    """
    if model is None:
        if not PRETRAINED.is_dir():
            remedy = "name one with --model: a campaign, a folder of `lodestone pretrain`, or models:/NAME@ALIAS"
            raise LodestoneError("no ensemble ships with this version", remedy)
        return _loaded("pretrained", PRETRAINED)
    if str(model).startswith(REGISTERED):
        from lodestone.tracking.fetch import fetch_model

        return _loaded(str(model), fetch_model(str(model), Path()), Layout())
    return _loaded(str(model), _ensemble_folder(Path(model)))


def predict(crystals: Any, hull: Any = None, *, model: str | Path | None = None, **options: Any) -> pl.DataFrame:
    """Load an ensemble and ask about crystals, in one call; see :func:`load` and :meth:`StabilityModel.predict`."""
    return load(model).predict(crystals, hull, **options)


def _loaded(name: str, folder: Path, home: Layout | None = None) -> StabilityModel:
    """An ensemble; that of a round belongs to its campaign, a registered one to the campaign beside the store."""
    layout = home or Layout(folder.parent.parent)
    campaign = layout if layout.oracle.is_file() else None
    scale = Scale.read(folder)
    if scale.label_method is None and campaign is not None:
        scale = Scale.of(campaign)
    return StabilityModel(name, folder, scale, campaign)


def _ensemble_folder(folder: Path) -> Path:
    """The folder itself, or the last round of a campaign that has an ensemble."""
    if RoundLayout(folder).ensemble.is_file():
        return folder
    rounds = [path.parent for path in Layout(folder / "data").rounds.glob("*/ensemble.json")]
    if not rounds:
        raise LodestoneError(
            f"{folder} holds no ensemble: neither ensemble.json nor data/rounds/*/ensemble.json",
            "give the folder of a finished campaign or of one of its rounds, or of `lodestone pretrain`",
        )
    return max(rounds, key=lambda path: (len(path.name), path.name))
