"""Snapshots of the Materials Project from the server of these tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path

import pytest
from mp_documents import DOCUMENTS, PBE
from mp_server import GOOD_KEY, MaterialsProject, serving

from lodestone.config.sections import Filters
from lodestone.errors import LodestoneError
from lodestone.snapshot.materials_project import source as materials_project
from lodestone.snapshot.sources.materials_project import MaterialsProjectParams
from lodestone.snapshot.take import take_snapshot

WHOLE = ["mp-1", "mp-2", "mp-3", "mp-4", "mp-5", "mp-8"]  # mp-6 is deprecated, mp-7 has no structure


@contextmanager
def pages_of_two(patch: pytest.MonkeyPatch, folder: Path) -> Iterator[MaterialsProject]:
    """A server with the documents of these tests, in pages of two; downloads go into the folder."""
    patch.setenv("LODESTONE_DOWNLOADS", str(folder))
    patch.setattr(materials_project, "PAGE", 2)
    with serving(MaterialsProject(deepcopy(DOCUMENTS)), patch) as running:
        yield running


def params_of(thermo_type: str = PBE, version: str | None = None, **filters) -> MaterialsProjectParams:
    given = {"thermo_type": thermo_type, "database_version": version, "filters": Filters(**filters)}
    return MaterialsProjectParams(source="materials_project", **given)


def take(*args, **filters):
    """Table, rejections and provenance."""
    return take_snapshot(params_of(*args, **filters), seed=1)


def identifiers() -> list[str]:
    return take()[0]["material_id"].to_list()


def fails(told: str, version: str | None = None) -> LodestoneError:
    """The error of a snapshot, which says what to do, and shows the key nowhere."""
    with pytest.raises(LodestoneError, match=told) as raised:
        take(version=version)
    assert raised.value.__cause__ is None
    assert raised.value.remedy
    assert GOOD_KEY not in str(raised.value)
    return raised.value


def parts_in(folder: Path) -> list[str]:
    """Names of the parts in the downloads of a folder."""
    return sorted(path.name for path in folder.glob("*/*.parquet"))
