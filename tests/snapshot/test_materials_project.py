"""Source `materials_project`: the unmodified client against a server on the loopback interface."""

import json
import socket

import pytest
from mp_server import GOOD_KEY, serving
from pymatgen.core import Lattice, Structure

from pipeline.errors import LodestoneError
from pipeline.params import Filters, SnapshotParams
from pipeline.schemas import Snapshot
from pipeline.snapshot import materials_project
from pipeline.snapshot.materials_project import chemical_systems
from pipeline.snapshot.take import take_snapshot
from pipeline.tables import validated

PBE, MIXED = "GGA_GGA+U", "GGA_GGA+U_R2SCAN"


def _document(name: str, species: list[str], hull: float = 0.0, kind: str = PBE, **changes) -> dict:
    coords = [[i / len(species)] * 3 for i in range(len(species))]
    structure = Structure(Lattice.cubic(4.0), species, coords)
    decoy = Structure(Lattice.cubic(9.0), species, coords)
    return {
        "material_id": name,
        "thermo_type": kind,
        "formula_pretty": structure.composition.reduced_formula,
        "chemsys": structure.composition.chemical_system,
        "nsites": len(structure),
        "energy_per_atom": -3.0,
        "formation_energy_per_atom": -1.0,
        "energy_above_hull": hull,
        "energy_type": "GGA",
        "deprecated": False,
        "entries": {"GGA": {"structure": structure.as_dict()}, "AAA": {"structure": decoy.as_dict()}},
    } | changes


DOCUMENTS = [
    _document("mp-1", ["Na"]),
    _document("mp-2", ["Cl"]),
    _document("mp-3", ["Na", "Cl"]),
    _document("mp-4", ["Na", "Cl", "Cl"], 0.3),
    _document("mp-5", ["K", "Cl"], 0.01),
    _document("mp-6", ["Na", "Cl"], 0.02, deprecated=True),
    _document("mp-7", ["Na", "Cl"], 0.04, entries={}),
    _document("mp-3", ["Na", "Cl"], 0.0, MIXED, formation_energy_per_atom=-1.5),
]


@pytest.fixture
def server(monkeypatch):
    with serving(DOCUMENTS) as running:
        monkeypatch.setenv("MP_API_KEY", GOOD_KEY)
        monkeypatch.setenv("MP_API_ENDPOINT", running.address)
        yield running


@pytest.fixture(autouse=True)
def _no_internet(monkeypatch):
    """Any name but the loopback interface is refused, so that the client cannot reach for the real API or S3."""
    resolve = socket.getaddrinfo

    def only_here(host, *args, **kwargs):
        assert host in ("127.0.0.1", "localhost"), f"reached for {host}"
        return resolve(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", only_here)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def _take(thermo_type: str = PBE, **filters):
    params = SnapshotParams(source="materials_project", thermo_type=thermo_type, filters=Filters(**filters))
    return take_snapshot(params, seed=1)


def test_snapshot_of_a_chemical_system(server):
    table, rejections, provenance = _take(chemical_systems=("Cl-Na",), max_energy_above_hull=0.1)
    assert validated(table, Snapshot, "x").equals(table)
    assert table.select("material_id", "formula_pretty", "nsites", "energy_per_atom").rows() == [
        ("mp-1", "Na", 1, -3.0),
        ("mp-2", "Cl2", 1, -3.0),
        ("mp-3", "NaCl", 2, -3.0),
    ]
    assert table["lattice"][0][0] == 4.0  # of the entry of the energy, not of another one
    assert rejections.rows() == [("mp-7", "NaCl", "no structure")]
    assert provenance["database_version"] == "2026.02.01"
    assert provenance["correction_scheme"] == "MP2020"
    assert provenance["thermo_type"] == PBE
    assert provenance["deprecated"] == 1
    assert provenance["query"]["criteria"] == [
        {"thermo_types": [PBE], "chemsys": ["Cl", "Cl-Na", "Na"], "energy_above_hull": [-1.0, 0.1]}
    ]
    assert GOOD_KEY not in json.dumps(provenance)


def test_all_pages_are_read_and_structures_only_of_what_stays(server, monkeypatch):
    monkeypatch.setattr(materials_project, "CHUNK", 2)
    table, _, provenance = _take(max_sites=2, require_any_of=("K",))
    assert table["material_id"].to_list() == ["mp-1", "mp-2", "mp-5"]
    assert provenance["counts"]["source"] == 6
    asked = [query for path, query in server.requests if path.startswith("/materials/thermo")]
    outline = [query for query in asked if "material_ids" not in query]
    assert [int(query.get("_skip", 0)) for query in outline] == [0, 2, 4, 6]
    assert {query["thermo_types"] for query in asked} == {PBE}
    assert {query["material_ids"] for query in asked if "material_ids" in query} == {"mp-1,mp-2,mp-5"}
    assert not any("entries" in query["_fields"] for query in outline)


def test_mixed_hull_has_no_total_energies_on_one_scale(server):
    table, _, provenance = _take(MIXED)
    assert table.select("energy_per_atom", "formation_energy_per_atom", "label_method").rows() == [
        (None, -1.5, "dft-pbe-r2scan-mixed")
    ]
    assert provenance["correction_scheme"] != "MP2020"


def test_systems_asked_for():
    assert chemical_systems(Filters()) is None
    assert chemical_systems(Filters(elements=("O", "Na"))) == ["Na", "Na-O", "O"]
    assert chemical_systems(Filters(chemical_systems=("O-Na", "O-K"))) == ["K", "K-O", "Na", "Na-O", "O"]
    assert chemical_systems(Filters(elements=tuple("HBCNOFPSKVYIWU"))) is None


def _fails(told: str) -> None:
    with pytest.raises(LodestoneError, match=told) as raised:
        _take()
    assert raised.value.__cause__ is None
    assert raised.value.remedy


@pytest.mark.parametrize(
    ("key", "told"),
    [(None, "MP_API_KEY is not set"), ("", "MP_API_KEY is not set"), ("tooshort", "MP_API_KEY is refused: it has 8")],
)
def test_no_key_is_told_before_anything_is_asked(key, told, server, monkeypatch):
    monkeypatch.delenv("MP_API_KEY") if key is None else monkeypatch.setenv("MP_API_KEY", key)
    _fails(told)
    assert server.requests == []


@pytest.mark.parametrize("status", [401, 403])
def test_wrong_key_is_told_and_not_shown(status, server, monkeypatch):
    server.refusal = status
    wrong = GOOD_KEY[::-1]
    monkeypatch.setenv("MP_API_KEY", wrong)
    with pytest.raises(LodestoneError, match=f"MP_API_KEY is refused: the API answered HTTP {status}") as raised:
        _take()
    assert wrong not in str(raised.value)


def test_unreachable_api(server, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("MP_API_ENDPOINT", f"http://user:secret@127.0.0.1:{free.getsockname()[1]}")
    with pytest.raises(LodestoneError, match="cannot be reached") as raised:
        _take()
    assert "secret" not in str(raised.value)


def test_api_out_of_order(server):
    server.status = 500
    _fails(r"failed: .*status code 500(.|\n)*no service for \*\*\*")


def test_something_else_answers(server, monkeypatch):
    monkeypatch.setattr("mp_server.HEARTBEAT", {"hello": "world"})
    _fails("failed: ")


def test_empty_answer(server):
    server.documents = []
    _fails("materials_project has no rows")
