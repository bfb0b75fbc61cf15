"""The finds as an OPTIMADE database: valid line by line, served by the reference server, read by our own client."""

import json
import os
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import requests
from pymatgen.core import Structure

from lodestone.crystals.crystal import Crystal
from lodestone.handover.database import PROPERTIES
from lodestone.handover.finds import finds
from threaded_server import listening

ADDRESS = "/v1/structures"


@contextmanager
def serving(folder: Path, logs: Path):
    """The reference server on the loopback interface, with the settings and the lines of a hand-over."""
    settings = {"OPTIMADE_CONFIG_FILE": str(folder / "optimade.json"), "OPTIMADE_LOG_DIR": str(logs)}
    settings |= {"OPTIMADE_INSERT_FROM_JSONL": str(folder / "finds.jsonl"), "OPTIMADE_MONGO_DATABASE": "handover"}
    with mock.patch.dict(os.environ, settings | {"OPTIMADE_LOG_LEVEL": "error"}):
        from optimade.server.config import ServerConfig
        from optimade.server.create_app import create_app

        app = create_app(ServerConfig(), logger_tag="handover")
    with listening(app) as address:
        yield address


@pytest.fixture(scope="module")
def server(handed_over, tmp_path_factory):
    with serving(handed_over, tmp_path_factory.mktemp("logs")) as address:
        yield address


def entries(handed_over):
    header, info, *rows = [json.loads(line) for line in (handed_over / "finds.jsonl").read_text().splitlines()]
    return header, info, rows


def test_every_line_is_valid(handed_over, finished):
    from optimade.models import EntryInfoResource, StructureResource

    header, info, rows = entries(handed_over)
    assert header == {"x-optimade": {"meta": {"api_version": "1.2.0"}}}
    declared = set(EntryInfoResource.model_validate(info).properties)
    assert len(rows) == finished.discoveries.height
    for row in rows:
        StructureResource.model_validate(row)
        own = {name for name in row["attributes"] if name.startswith("_")}
        assert own == declared == {f"_lodestone_{name}" for name, *_ in PROPERTIES}


def test_entries_are_the_crystals_and_the_energies_of_the_finds(handed_over, finished):
    table = {row["material_id"]: row for row in finished.discoveries.iter_rows(named=True)}
    for row in entries(handed_over)[2]:
        find, attributes = table[row["id"]], row["attributes"]
        crystal = Crystal(find["lattice"], find["atomic_numbers"], find["frac_coords"])
        structure = Structure(
            attributes["lattice_vectors"],
            attributes["species_at_sites"],
            attributes["cartesian_site_positions"],
            coords_are_cartesian=True,
        )
        np.testing.assert_allclose(structure.lattice.matrix, crystal.lattice)
        np.testing.assert_allclose(structure.frac_coords, crystal.frac_coords, atol=1e-9)
        assert [str(site.specie) for site in structure] == crystal.species
        for name in ("formation_energy_per_atom", "energy_above_hull", "energy_above_hull_start"):
            assert attributes[f"_lodestone_{name}"] == find[name]


def test_formulas_are_reduced_where_pymatgen_keeps_its_peroxides(finished):
    from lodestone.handover.database import lines

    find = next(finds(finished))
    crystal = Crystal(4.0 * np.eye(3), [3, 8, 3, 8], [[0, 0, 0], [0.5, 0, 0], [0, 0.5, 0], [0.5, 0.5, 0.5]])
    changed = {
        "formula_pretty": "Li2O2", "chemsys": "Li-O", "atomic_numbers": crystal.atomic_numbers.tolist(),
        "lattice": crystal.lattice.ravel().tolist(), "frac_coords": crystal.frac_coords.ravel().tolist(),
    }  # fmt: skip
    peroxide = find.__class__(**(vars(find) | {"row": dict(find.row) | changed}))
    attributes = json.loads(list(lines([peroxide]))[-1])["attributes"]
    assert attributes["chemical_formula_reduced"] == "LiO"
    assert attributes["chemical_formula_anonymous"] == "AB"
    assert attributes["chemical_formula_descriptive"] == "Li2O2"


@pytest.mark.slow
def test_the_reference_server_serves_and_filters_them(server, finished):
    table = finished.discoveries
    everything = requests.get(f"{server}{ADDRESS}?page_limit=500", timeout=30).json()
    assert {one["id"] for one in everything["data"]} == set(table["material_id"])
    query = '_lodestone_energy_above_hull < 0.01 AND elements HAS "O"'
    chosen = requests.get(f"{server}{ADDRESS}", params={"filter": query, "page_limit": 500}, timeout=30).json()
    expected = {
        row["material_id"]
        for row in table.iter_rows(named=True)
        if row["energy_above_hull"] < 0.01 and "O" in row["chemsys"].split("-")
    }
    assert {one["id"] for one in chosen["data"]} == expected
    assert 0 < len(expected) < len(table)
    described = requests.get(f"{server}/v1/info/structures", timeout=30).json()["data"]["properties"]
    assert {f"_lodestone_{name}" for name, *_ in PROPERTIES} <= set(described)


@pytest.mark.slow
def test_our_own_client_takes_them_as_a_snapshot(server, finished, tmp_path, monkeypatch):
    from lodestone.config.sections import Filters
    from lodestone.snapshot.sources.optimade import OptimadeParams
    from lodestone.snapshot.take import take_snapshot

    monkeypatch.setenv("LODESTONE_DOWNLOADS", str(tmp_path / "downloads"))
    labels = {"label_method": "chgnet-0.3.0", "correction_scheme": "MP2020 (learned)"}
    params = OptimadeParams(source="optimade", path=tmp_path, provider=server, filters=Filters(), **labels)
    snapshot, rejections, _ = take_snapshot(params, 0)
    table = finished.discoveries
    assert len(rejections) == 0
    energies = dict(snapshot.select("material_id", "formation_energy_per_atom").iter_rows())
    assert energies == pytest.approx(dict(table.select("material_id", "formation_energy_per_atom").iter_rows()))


@pytest.mark.slow
def test_the_validator_of_optimade_passes(server):
    from optimade.validator import ImplementationValidator

    validator = ImplementationValidator(base_url=server, verbosity=-1, run_optional_tests=False, timeout=60)
    validator.validate_implementation()
    assert validator.valid, validator.results.failure_messages
