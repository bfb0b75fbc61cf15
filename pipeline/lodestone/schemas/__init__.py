"""The vocabulary: one pandera contract per table that crosses a stage.

Energies are eV/atom and never rounded, lengths Å. ``DATASET.md`` is generated from these modules. Checks are
expressions over whole columns: 80,000 rows pass in a second or two.
"""

from lodestone.schemas.columns import INPUT_STRUCTURES, OUT_OF_DISTRIBUTION_REASONS, PARTS, Lenient
from lodestone.schemas.crystals import Crystals, CrystalsByChemsys, Labelled, Phases, References, Structures
from lodestone.schemas.predictions import VIEW_COLUMNS, MemberPredictions, Predictions, view_column, view_columns
from lodestone.schemas.rounds import Attempts, Candidates, Discoveries, Verifications
from lodestone.schemas.snapshots import ADDS_UP, Drift, Rejections, Snapshot, SystemDrift, Validated, correction_gap

CONTRACTS: tuple[type[Lenient], ...] = (
    Snapshot,
    Rejections,
    Validated,
    Labelled,
    References,
    Phases,
    Crystals,
    Attempts,
    MemberPredictions,
    Predictions,
    Candidates,
    Verifications,
    Discoveries,
    Drift,
    SystemDrift,
)

__all__ = [
    "ADDS_UP",
    "CONTRACTS",
    "INPUT_STRUCTURES",
    "OUT_OF_DISTRIBUTION_REASONS",
    "PARTS",
    "VIEW_COLUMNS",
    "Attempts",
    "Candidates",
    "Crystals",
    "CrystalsByChemsys",
    "Discoveries",
    "Drift",
    "Labelled",
    "MemberPredictions",
    "Phases",
    "Predictions",
    "References",
    "Rejections",
    "Snapshot",
    "Structures",
    "SystemDrift",
    "Validated",
    "Verifications",
    "correction_gap",
    "view_column",
    "view_columns",
]
