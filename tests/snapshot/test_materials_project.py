"""Source `materials_project`: the unmodified client against a server on the loopback interface that speaks the API."""

import json

import polars as pl
import pytest
from emmet.core.thermo import ThermoDoc
from mp_documents import DOCUMENTS, MIXED, PBE, document, entry, structure_of
from mp_server import GOOD_KEY
from mp_snapshots import pages_of_two, params_of, take

from lodestone.config.sections import Filters
from lodestone.errors import LodestoneError
from lodestone.schemas import Snapshot
from lodestone.snapshot.downloads import download
from lodestone.snapshot.materials_project import source as materials_project
from lodestone.snapshot.materials_project.source import chemical_systems, open_documents
from lodestone.snapshot.structures import UnreadableStructureError, parse_structure
from lodestone.tables.files import validated


@pytest.fixture
def server(monkeypatch, tmp_path):
    with pages_of_two(monkeypatch, tmp_path) as running:
        yield running


def test_documents_of_these_tests_have_the_shape_of_the_api():
    for found in DOCUMENTS:
        if found["entries"]:
            known = ThermoDoc.model_validate(found)
            chosen = known.entries[known.energy_type]
            assert chosen.energy_per_atom == pytest.approx(known.energy_per_atom)
            assert chosen.uncorrected_energy_per_atom == known.uncorrected_energy_per_atom


def test_snapshot_of_a_chemical_system(server):
    table, rejections, provenance = take(chemical_systems=("Cl-Na",), max_energy_above_hull=0.1)
    assert validated(table, Snapshot, "x").equals(table)
    energies = ["energy_per_atom", "uncorrected_energy_per_atom", "energy_correction_per_atom"]
    assert table.select("material_id", "formula_pretty", "nsites", *energies).rows() == [
        ("mp-1", "Na", 1, -3.0, -3.0, 0.0),
        ("mp-2", "Cl2", 1, -3.0, -3.0, 0.0),
        ("mp-3", "NaCl", 2, -3.25, -3.0, -0.25),
    ]
    assert table["lattice"][0][0] == 4.0  # of the entry of the energy, not of another one
    assert table["created_at"].null_count() == 3  # a thermo document has dates of builds only
    assert rejections.rows() == [("mp-7", "NaCl", "no structure")]
    assert provenance["database_version"] == "2026.02.01"
    assert (provenance["label_method"], provenance["correction_scheme"]) == ("dft-pbe", "MP2020")
    assert provenance["corrections"] == {"MaterialsProject2020Compatibility": 1, "none": 3}
    assert (provenance["thermo_type"], provenance["documents"], provenance["deprecated"]) == (PBE, 5, 1)
    assert provenance["query"]["criteria"] == [
        {"thermo_types": [PBE], "chemsys": ["Cl", "Cl-Na", "Na"], "energy_above_hull": [-1.0, 0.1]}
    ]
    assert GOOD_KEY not in json.dumps(provenance)


def test_a_whole_release_is_asked_for_page_by_page(server):
    table, _, provenance = take(max_sites=2, require_any_of=("K",))
    assert table["material_id"].to_list() == ["mp-1", "mp-2", "mp-5", "mp-8"]
    assert provenance["counts"]["source"] == 7
    pages = [query for path, query in server.requests if path == "/materials/thermo/"]
    assert [query["_skip"] for query in pages] == ["0", "2", "4", "6"]
    assert {(query["thermo_types"], query["_limit"], query["_sort_fields"]) for query in pages} == {
        (PBE, "2", "material_id")
    }


def test_many_systems_are_asked_for_in_batches_that_may_be_empty(server, monkeypatch):
    monkeypatch.setattr(materials_project, "BATCH", 2)
    table, _, _ = take(elements=("Na", "Cl", "F"))
    assert table["material_id"].to_list() == ["mp-1", "mp-2", "mp-3", "mp-4"]
    asked = [query["chemsys"] for path, query in server.requests if path != "/heartbeat"]
    assert asked == ["Cl,Cl-F", "Cl-F-Na,Cl-Na", "F,F-Na", "Na", "Cl-F-Na,Cl-Na"]  # first pages, then the others


def test_the_same_database_gives_the_same_snapshot_however_it_is_ordered(server, tmp_path, monkeypatch):
    first = take()
    monkeypatch.setenv("LODESTONE_DOWNLOADS", str(tmp_path / "others"))
    server.documents.reverse()
    table, rejections, provenance = take()
    assert table.equals(first[0])
    assert rejections.equals(first[1])
    assert provenance == first[2]


def test_mixed_hull_has_no_total_energies_on_one_scale(server):
    table, _, provenance = take(MIXED)
    columns = ["energy_per_atom", "uncorrected_energy_per_atom", "energy_correction_per_atom"]
    assert table.select(*columns, "formation_energy_per_atom", "label_method").rows() == [
        (None, None, None, -1.5, "dft-pbe-r2scan-mixed")
    ]
    assert provenance["correction_scheme"] != "MP2020"


def test_r2scan_goes_by_the_name_that_the_api_knows(server):
    table, _, provenance = take("R2SCAN")
    assert table.select("formation_energy_per_atom", "label_method", "correction_scheme").rows() == [
        (-1.7, "dft-r2scan", "none")
    ]
    assert provenance["thermo_type"] == "R2SCAN"


def test_systems_asked_for():
    assert chemical_systems(Filters()) is None
    assert chemical_systems(Filters(elements=("O", "Na"))) == ["Na", "Na-O", "O"]
    assert chemical_systems(Filters(chemical_systems=("O-Na", "O-K"))) == ["K", "K-O", "Na", "Na-O", "O"]
    assert chemical_systems(Filters(elements=tuple("HBCNOFPSKVYIWU"))) is None


def test_structures_come_in_the_order_asked_for_and_each_part_is_read_once(server, monkeypatch):
    source = open_documents(params_of())
    read = []
    plain = download.read_part
    monkeypatch.setattr(download, "read_part", lambda path, columns: read.append(path.name) or plain(path, columns))
    rows = source.outline.filter(pl.col("material_id").is_in(["mp-1", "mp-2", "mp-4", "mp-7"])).reverse()
    found = source.structures(rows)
    assert [str(raw) if isinstance(raw, UnreadableStructureError) else raw.species for raw in found] == [
        "no structure",
        ["Na", "Cl", "Cl"],
        ["Cl"],
        ["Na"],
    ]
    assert sorted(read) == ["0000-00000.parquet", "0000-00001.parquet", "0000-00003.parquet"]


def test_structures_are_kept_to_the_last_bit_and_refused_ones_with_their_reason(server):
    third = [[1 / 3, 0.1, 0.2], [2 / 3, 1e-17, 0.7]]
    exact = structure_of(["K", "F"], 4.0 + 1e-15).as_dict()
    for site, coords in zip(exact["sites"], third, strict=True):
        site["abc"] = coords
    partial = structure_of([{"Na": 0.5, "K": 0.5}, "F"])
    server.documents[:] = [
        document("mp-1", ["K", "F"], entries={"GGA": entry("mp-1", structure_of(["K"])) | {"structure": exact}}),
        document("mp-2", ["K", "F"], entries={"GGA": entry("mp-2", partial)}),
    ]
    source = open_documents(params_of())
    crystal, reason = source.structures(source.outline)
    wanted = parse_structure(exact)
    assert crystal.lattice.tolist() == wanted.lattice.tolist()
    assert crystal.frac_coords.tolist() == third
    assert str(reason) == "a site is partially occupied"


def test_empty_answer(server):
    server.documents.clear()
    with pytest.raises(LodestoneError, match="materials_project has no rows"):
        take()
