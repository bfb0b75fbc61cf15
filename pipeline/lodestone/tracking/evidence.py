"""What a campaign was made of, as it is kept beside its run when it is published."""

from __future__ import annotations

import hashlib
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import polars as pl

from lodestone import __version__
from lodestone.schemas import Crystals
from lodestone.tables.files import read_json, read_table
from lodestone.tracking.finished import FinishedCampaign
from lodestone.tracking.lock import LOCK_FILE, stages_of
from lodestone.tracking.model_files import PACKAGES
from lodestone.tracking.revision import code_of

EVIDENCE = "lineage.json"  # among the artifacts of a campaign's run
_PUBLISH = "publish"  # the stage that writes the evidence: what `dvc.lock` says of it is of an earlier run
_MORE_PACKAGES = ("chgnet", "dvc")


def evidence(campaign: FinishedCampaign) -> dict[str, Any]:
    """Code, hashes of all stages, snapshot, oracle, the hull of each round, and versions of packages.

    Raises:
        LodestoneError: If a file of the campaign is missing or damaged.
    """
    stages = stages_of(campaign.root / LOCK_FILE)
    return {
        "code": code_of(campaign.root),
        "stages": {name: stage for name, stage in stages.items() if name != _PUBLISH},
        "snapshot": read_json(campaign.layout.provenance),
        "oracle": read_json(campaign.layout.oracle),
        "hulls": {name: _hull(campaign, name) for name in campaign.names},
        "packages": package_versions(),
    }


def package_versions() -> dict[str, str]:
    """Versions of Python, of this package, and of those that results depend on, as far as they are installed."""
    versions = {"python": platform.python_version(), "lodestone": __version__}
    for name in sorted({*PACKAGES, *_MORE_PACKAGES}):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def _hull(campaign: FinishedCampaign, name: str) -> dict[str, Any]:
    """How many crystals were known when a round began, how many are on the hull, and a hash of these.

    Phases without structures are on the hull, too; `dvc.lock` has their hash.
    """
    crystals = read_table(campaign.layout.round(name).crystals, Crystals)
    phases = crystals.filter(pl.col("energy_above_hull") <= 0).sort("material_id")
    text = phases.select("material_id", "formation_energy_per_atom").write_csv()
    without = campaign.layout.phases
    return {
        "known": len(crystals),
        "without_structures": len(read_table(without)) if without.is_file() else 0,
        "phases": len(phases),
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
    }
