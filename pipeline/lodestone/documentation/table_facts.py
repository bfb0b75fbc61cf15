"""Facts about the tables beyond their contracts: who writes and reads them, their order, and common rules."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lodestone.tables.layout import REPORTS, Layout, RoundLayout

HEAD = """# Data

Every table that crosses a stage of the campaign. Each is a parquet file (zstd), checked against its contract in
`pipeline/lodestone/schemas/` when it is written and again when it is read; a row that breaks it is named, and nothing
is written. This page is generated from the contracts by `make docs`, and a test compares the two.

Energies are eV/atom and never rounded, lengths are Å. Numbers are finite: neither NaN nor infinite (only `Snapshot`,
which says what a source said, may hold such). An empty value is a null of parquet; what it means is said at each table.
Rows have a fixed order, and no table holds a clock time, so equal campaigns give equal bytes."""

CHAPTERS = """## Energies

**Scale.** `energy_per_atom` is a total energy on the scale of one method, named by `label_method` (`chgnet-0.3.0`,
`dft-pbe`, ...). `formation_energy_per_atom` is relative to the elements: the total energy less that of the same atoms
in the lowest known crystal of each pure element, by the same method (`References`). Two methods never meet in a column:
`Snapshot` and `Validated` are on the scale of the source, all tables after the stage `label` on that of the oracle that
also verifies the candidates. What the source said is kept in `source_formation_energy_per_atom`, for comparison only.

The labels of the default campaign are predictions of CHGNet 0.3.0, a machine-learned potential; they are **not DFT**.

**Corrections.** DFT energies are shifted by empirical corrections (of anions, of GGA+U); `correction_scheme` names the
scheme, e.g. `MP2020`. `energy_per_atom` holds the corrected energy. Where the source tells them,
`uncorrected_energy_per_atom` and `energy_correction_per_atom` add up to it. Schemes move single compounds by 0.1 to
0.5 eV/atom and flip stability, so one table has one scheme, and `lodestone drift` refuses to compare two.

**Stable** means `energy_above_hull <= 0`: no mixture of other known phases of the same composition is lower in energy.
Positive values are the energy a crystal would release by decomposing into them, negative values say how far it lies
below the hull of the others. Which hull it is matters, because a hull sinks as crystals are found:

| table and column | hull |
| --- | --- |
| `Snapshot`, `Validated`: `energy_above_hull` | the source's own; empty if it gave none |
| `Labelled`, `Crystals`: `energy_above_hull` | of all crystals in that very file; 0 on the hull, never negative |
| `Candidates`: `energy_above_hull_pred` | known at the start of the round; negative below it |
| `Verifications`: `energy_above_hull` | known at the start of the round; negative below it. It counts for hits |
| `Discoveries`: `energy_above_hull_start` | the same; `discovery.min_depth` to `discovery.max_depth` below it |
| `Discoveries`: `energy_above_hull` | at the end of the campaign |

## Splits

The stage `split` deals every crystal to `train`, `validation` or `test`, once; later rounds change nothing about it.
`split.by` says what may not lie on two sides:

- `formula` (GNoME's rule): the MD5 hash of the reduced formula modulo 100. With the default shares, remainders 0 to 9
  are tested on, 10 to 19 validated on. Polymorphs of a formula stay together, whatever is added later.
- `chemsys`: the same hash of the chemical system. Harder: no compound of the same elements has been seen.
- `created_at`: by time. A formula belongs to the part of the first day it appears on: from `split.test_from` on it is
  tested on, from `split.validation_from` on validated on. Formulas without any date are `holdout`.

Pure elements are always in `train`: every hull and every reference energy needs them. Crystals that a round verifies
join `train`, unless their formula (or system) is held out; then they are `holdout`: on the hull, but neither learned
from nor tested on. Leakage breaks the contract `Crystals`: no reduced formula, and with `split.by: chemsys` no chemical
system, lies on two sides. `metrics/split.json` counts crystals, formulas and dates of each part.

## The provenance file

`data/snapshot/provenance.json`, beside the snapshot, says where it came from, without clock times, keys or paths of
somebody's machine: `source` and, as far as they apply, `file` with `file_hash`, or `database_version`, `thermo_type`
and `query`; `label_method` and `correction_scheme`; `filters` and `seed`; `counts` of the rows at each step; `versions`
of the packages that can change a value; and `content_hash`, a hash of the values themselves, which two equal snapshots
share even if their files differ."""

CRYSTAL_COLUMNS = """## Columns of every crystal

A crystal is its lattice, the atomic number of each site, and where the sites are; everything else about it follows. The
tables that hold whole crystals begin with these columns."""


@dataclass(frozen=True)
class Facts:
    """Facts about one table.

    Attributes:
        files: Paths of the table, or a text in place of a path.
        written_by: Stages that write it.
        read_by: Stages that read it.
        key: Columns that identify a row.
        order: How rows are sorted.
        nulls: What an empty value means.
    """

    files: tuple[Path | str, ...]
    written_by: tuple[str, ...]
    read_by: tuple[str, ...]
    key: str
    order: str
    nulls: str = "Nothing is ever empty."


_LAYOUT = Layout()
_ROUND = RoundLayout(_LAYOUT.rounds / "<round>")
_ID, _BY_ID = "`material_id`", "by `material_id`"
_DRIFT = "`lodestone drift`"
_AUDIT = "`lodestone audit`"
_SILENT = "Empty energies, hull distances and dates are what the source did not say."

FACTS: dict[str, Facts] = {
    "Snapshot": Facts((_LAYOUT.snapshot,), ("snapshot",), ("validate", _DRIFT), _ID, _BY_ID, _SILENT),
    "Rejections": Facts(
        (_LAYOUT.snapshot.with_name("rejections.parquet"), _LAYOUT.quarantine, _LAYOUT.label_rejections),
        ("snapshot", "validate", "label"), ("validate",),
        "none; a source may name several rows alike", _BY_ID,
    ),
    "Validated": Facts((_LAYOUT.validated,), ("validate",), ("label",), _ID, _BY_ID, _SILENT),
    "Labelled": Facts(
        (_LAYOUT.labelled,), ("label",), ("split",), _ID, _BY_ID,
        "`source_formation_energy_per_atom` and `created_at` are empty where the source did not say, and for the "
        "crystals of pure elements that the stage added.",
    ),
    "References": Facts(
        (_LAYOUT.references,), ("label",), ("active_learning", "report"), "`element`", "by `element`"
    ),
    "Phases": Facts(
        (_LAYOUT.phases,), ("label",), ("active_learning", "report"), _ID, _BY_ID,
        "Empty unless `label.phases` names a table; else the lowest phase of each formula.",
    ),
    "Crystals": Facts(
        (_ROUND.crystals,), ("split", "active_learning"), ("train", "ensemble", "active_learning", "report"),
        _ID, _BY_ID,
        "As in `Labelled`; crystals that the campaign found have neither a date nor an energy of the source.",
    ),
    "Attempts": Facts(
        (_ROUND.attempts,), ("split", "active_learning"), ("active_learning",), "`decorated_prototype`",
        "as they were tried: round after round, by identifier within",
    ),
    "MemberPredictions": Facts(
        (_ROUND.member_predictions("<view>"),), ("train",), ("ensemble",), "`material_id` and `member`",
        "by `material_id` and `member`",
        "`latent` is empty but for the first member of a view that has latent vectors.",
    ),
    "Predictions": Facts((_ROUND.predictions,), ("ensemble",), ("report",), _ID, _BY_ID),
    "Candidates": Facts((_ROUND.candidates,), ("active_learning",), ("report",), _ID, _BY_ID),
    "Verifications": Facts(
        (_ROUND.verifications,), ("active_learning",), ("report",), _ID, _BY_ID,
        "A refused relaxation has no energies and no crystal; `status` says why it was refused.",
    ),
    "Discoveries": Facts(
        (REPORTS / "discoveries.parquet",), ("report",), (_AUDIT,), _ID,
        "round after round, the deepest below the hull first",
    ),
    "Drift": Facts(
        ("where `--table` says",), (_DRIFT,), (), _ID, "largest change of energy first, then by `material_id`",
        "Numbers of a side are empty where that snapshot lacks the crystal or did not say; the change is empty unless "
        "both said, and `structure` unless both have the crystal.",
    ),
    "SystemDrift": Facts(
        ("none; shown on the page that `--html` names",), (_DRIFT,), (), "`chemsys`",
        "most flips first, then most changes, then by name",
        "`largest_energy_change` is empty where no crystal has an energy in both snapshots.",
    ),
}  # fmt: skip
