"""The sections of `params.yaml` as frozen, validated dataclasses. Unknown keys are refused."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from lodestone.config.elements import check_element, check_system

if TYPE_CHECKING:
    pass


Fraction = Annotated[float, Field(ge=0, le=1)]


Count = Annotated[int, Field(ge=1)]


Name = Annotated[str, Field(pattern="^[A-Za-z0-9_]+$")]


Element = Annotated[str, AfterValidator(check_element)]


System = Annotated[str, AfterValidator(check_system)]


Positive = Annotated[float, Field(gt=0)]


HEADS = 4  # of the attention of the composition view


class Section(BaseModel):
    """A section: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Filters(Section):
    """Which crystals of the source enter the snapshot; ``None`` means no such filter."""

    elements: tuple[Element, ...] | None = Field(None, description="only crystals made of these elements")
    require_any_of: tuple[Element, ...] | None = Field(None, description="only crystals with at least one of these")
    chemical_systems: tuple[System, ...] | None = Field(None, description="only these systems and their subsystems")
    min_sites: Count = Field(1, description="fewest sites in the cell")
    max_sites: Count | None = Field(None, description="most sites in the cell")
    max_energy_above_hull: float | None = Field(None, ge=0, description="eV/atom; rows without a value are dropped")
    limit: Count | None = Field(None, description="at most so many rows, drawn with the root seed")


class SnapshotParams(Section):
    """Where the crystals come from; each source adds keys of its own, and refuses those of the others."""

    source: str = Field(description="reference, file, materials_project, optimade, or one of another package")
    path: Path = Field(
        Path("reference/crystals.parquet"),
        description="file or folder that DVC watches: when it changes, the snapshot is taken again. Sources that read "
        "one read this one; for the others it stays as it is. `params.yaml` must name it, since `dvc.yaml` does",
    )
    filters: Filters = Filters()

    def current_version(self) -> str | None:
        """The version that the source has now, for `lodestone refresh`; a source on the network asks its server.

        Returns:
            One line that stays the same as long as the crystals do; ``None`` where what `path` names is the source, and
            its hash the version.
        """
        return None

    @model_validator(mode="before")
    @classmethod
    def _reads_every_key(cls, content: Any) -> Any:
        """Refuse keys that this source would ignore, and say which it reads."""
        idle = sorted(map(str, set(content) - set(cls.model_fields))) if isinstance(content, Mapping) else []
        if idle:
            problem = f"source: {content.get('source')} does not read {', '.join(idle)}"
            raise ValueError(f"{problem}; it reads {', '.join(sorted(cls.model_fields))}")
        return content


class ValidateParams(Section):
    """Checks of physics on every row of the snapshot."""

    on_bad_rows: Literal["fail", "quarantine"] = Field(description="stop, or set bad rows aside in a file")
    min_distance: Positive = Field(description="shortest interatomic distance, Å")
    volume_per_atom: tuple[Positive, Positive] = Field(description="allowed range, Å3/atom")
    formation_energy: tuple[Annotated[float, Field(ge=-10)], Annotated[float, Field(le=10)]] = Field(
        description="allowed range, eV/atom, of verified candidates too"
    )
    max_atomic_number: Count = Field(description="heaviest element that the oracle knows")

    @model_validator(mode="after")
    def _ranges_ascend(self) -> ValidateParams:
        for name in ("volume_per_atom", "formation_energy"):
            low, high = getattr(self, name)
            if low >= high:
                raise ValueError(f"{name}: the lower bound comes first")
        return self


class OracleParams(Section):
    """Who verifies; each oracle adds settings of its own."""

    scales: ClassVar[tuple[str, ...]] = ("source", "oracle")  # values of `label.scale` that the oracle can serve
    name: str = Field(description="an oracle of the registry, e.g. chgnet-0.3.0")
    max_seconds: Positive | None = Field(
        None, description="longest time that one crystal may take, s; one that takes longer is refused, and not stored"
    )


class LabelParams(Section):
    """On whose scale the energies of the campaign are: what the networks learn, and what the hull is made of."""

    scale: Literal["source", "oracle"] = Field(
        description="source: the snapshot's own total energies are kept, and the oracle must give energies of the same "
        "method and correction scheme, or difference must say how they are brought to that scale; oracle: the oracle "
        "labels every crystal of the snapshot anew"
    )
    difference: Literal["none", "corrections", "learned", "both"] = Field(
        "none",
        description="for scale: source, how energies of another kind are brought to the scale of the snapshot: by the "
        "rules of the correction schemes, by an energy for each element learned on crystals of the snapshot that the "
        "oracle labels, or by both; its measured error grows the predicted ones",
    )
    difference_crystals: Count = Field(
        400,
        description="crystals of the snapshot, of 20 sites or fewer, that the oracle labels to learn the difference",
    )
    phases: Path | None = Field(
        None,
        description="for scale: source, parquet table of competing phases without structures (material_id, formula, "
        "formation_energy_per_atom), on the scale of the snapshot; `dvc.yaml` does not watch it",
    )

    @model_validator(mode="after")
    def _is_about_the_source(self) -> LabelParams:
        for name in ("difference", "phases"):
            if self.scale == "oracle" and getattr(self, name) not in (None, "none"):
                raise ValueError(f"{name}: scale: oracle does not read it; set scale: source")
        return self


class SplitParams(Section):
    """How crystals are dealt to train, validation and test; the test set never moves."""

    by: Literal["formula", "chemsys", "created_at"] = Field(
        description="hash of the reduced formula (GNoME's rule), hash of the chemical system, or the first day of the "
        "reduced formula"
    )
    validation: Fraction = Field(0.1, description="share of the formulas or systems; created_at does not read it")
    test: Fraction = Field(0.1, description="share of the formulas or systems; created_at does not read it")
    train: Fraction | None = Field(
        None,
        gt=0,
        description="share of the formulas or systems that is learned from, where training on all would take too long; "
        "the others are on the hull and known all the same, as holdout; null: all but validation and test",
    )
    validation_from: date | None = Field(
        None, description="for created_at: formulas new on this day or later are validated on, e.g. 2018-01-01"
    )
    test_from: date | None = Field(None, description="for created_at: formulas new on this day or later are tested on")

    @model_validator(mode="after")
    def _leaves_training_data(self) -> SplitParams:
        if self.validation + self.test >= 1 or min(self.validation, self.test) <= 0:
            raise ValueError("validation and test must be positive and leave something to train on")
        if self.train is not None and self.validation + self.test + self.train > 1:
            raise ValueError("train, validation and test are more than all")
        if self.train is not None and self.by == "created_at":
            raise ValueError("by: created_at does not read train")
        return self

    @model_validator(mode="after")
    def _days_are_for_created_at(self) -> SplitParams:
        days = (self.validation_from, self.test_from)
        if self.by != "created_at" and any(days):
            raise ValueError(
                f"by: {self.by} reads no validation_from and test_from; remove them, or say by: created_at"
            )
        if self.by == "created_at" and not all(days):
            raise ValueError("by: created_at needs validation_from and test_from, e.g. 2018-01-01")
        if self.validation_from and self.test_from and self.validation_from >= self.test_from:
            raise ValueError("validation_from must lie before test_from")
        return self


class ViewParams(Section):
    """One view: size of its network, and how it is trained."""

    width: Count = Field(description="features per element or atom")
    layers: Count = Field(description="message-passing or attention layers")
    members: int = Field(ge=2, description="networks in the ensemble; fewer than two have no spread")
    epochs: Count = Field(description="epochs from scratch, in the first round")
    fine_tune_epochs: Count = Field(description="epochs from the previous round's networks, in later rounds")
    rehearsed: Count | None = Field(
        None,
        description="training crystals of the snapshot that a later round learns again, beside all that rounds have "
        "verified; null takes all",
    )
    batch_size: Count
    learning_rate: Positive
    fine_tune_learning_rate: Positive
    weight_decay: float = Field(ge=0)
    patience: Count | None = Field(
        None,
        description="stop after so many epochs without a better validation error and keep the best epoch's weights; "
        "null runs all epochs and keeps the last",
    )
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="of the products in training; bfloat16 saves time on GPUs only"
    )


class CompositionParams(ViewParams):
    """The composition view; its attention has 4 heads, among which the features are dealt."""

    width: Count = Field(multiple_of=HEADS, description=f"features per element; a multiple of {HEADS}")


class GeometryParams(ViewParams):
    """A view that sees where the atoms are, and for which relaxed and unrelaxed structures therefore differ."""

    unrelaxed: Fraction = Field(
        0.5,
        description="share of the training crystals that are shown unrelaxed at each step: made from another crystal "
        "of their prototype, as candidates are",
    )


class StructureParams(GeometryParams):
    """The structure view; its graph joins each atom to its nearest shell of neighbors."""

    cutoff: Positive = Field(description="longest edge, Å")
    neighbors: Count = Field(description="edges per atom; the last shell is kept whole")


class OpinionsParams(Section):
    """Second opinions: further oracles judge the discoveries, each on a hull of its own."""

    oracles: tuple[str, ...] = Field(
        (), description="who is asked, by the names that `lodestone opinions` takes; none: nobody is"
    )
    near: float = Field(
        0.05, ge=0, description="compounds further above the campaign's own hull do not compete, eV/atom"
    )


class PhononsParams(Section):
    """Phonons of the discoveries that no oracle disputes, by the forces of the campaign's oracle."""

    most: int = Field(0, ge=0, description="of how many discoveries at most, the smallest cells first; 0: of none")


class EnsembleParams(Section):
    """How the views become one prediction."""

    aggregation: Name = Field(
        description="weights fitted on the validation crystals, the same for all (constant) or by the spreads of the "
        "views (inverse_variance); plain mean; median of all members; or one view alone, by its name"
    )
