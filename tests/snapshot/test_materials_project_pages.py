"""Source `materials_project`: a page that is not whole, or not as it was, is refused, and asked for again later."""

import copy
import json

import pytest
from mp_documents import DOCUMENTS, MP2020
from mp_server import Fault
from mp_snapshots import WHOLE, fails, identifiers, pages_of_two, parts_in, take


@pytest.fixture
def server(monkeypatch, tmp_path):
    with pages_of_two(monkeypatch, tmp_path) as running:
        yield running


def _edit(**changes):
    """A page whose second document has other fields; ``...`` takes a field away."""

    def change(page: dict) -> dict:
        kept = page["data"][1] | changes
        page["data"][1] = {name: value for name, value in kept.items() if value is not ...}
        return page

    return change


def _corrected_entry(adjustments) -> dict:
    return {"GGA": DOCUMENTS[2]["entries"]["GGA"] | {"energy_adjustments": adjustments}}


def _corrected(by: str, scheme: dict | None):
    return _edit(entries=_corrected_entry([{"@class": "ConstantEnergyAdjustment", "name": by, "cls": scheme}]))


def _without(name: str):
    return lambda page: page | {"data": [{k: v for k, v in d.items() if k != name} for d in page["data"]]}


BROKEN = {
    "truncated": (lambda page: page | {"data": page["data"][:1]}, "documents 3 to 4 of 8 came as a page of 1, not 2"),
    "empty": (lambda page: page | {"data": []}, "came as a page of 0, not 2"),
    "repeated": (lambda page: page | {"data": copy.deepcopy(DOCUMENTS[:2])}, "3 to 4 of 8 repeat 2 that .*mp-1 among"),
    "twice": (lambda page: page | {"data": [page["data"][0]] * 2}, "repeat 1 that came before, mp-3 among"),
    "other total": (lambda page: page | {"meta": {"total_doc": 9}}, "counts 9 documents now and 8 before"),
    "no total": (lambda page: page | {"meta": {}}, "does not say how many there are"),
    "no data": (lambda page: {"meta": {"total_doc": 8}}, "failed: data"),
    "field gone": (_edit(nsites=...), r"1 of 2 documents \(mp-4 among them\) have no field nsites"),
    "field gone everywhere": (_without("formation_energy_per_atom"), "2 of 2 documents .* no field formation_energy"),
    "no name": (_edit(material_id=...), "one without a name among them"),
    "text for number": (_edit(energy_per_atom="-3.0"), 'field energy_per_atom that is not a number, but "-3.0"'),
    "truth for integer": (_edit(nsites=True), "field nsites that is not an integer, but true"),
    "null for truth": (_edit(deprecated=None), "field deprecated that is not true or false, but null"),
    "list for entries": (_edit(entries=[1]), "field entries that is not an object"),
    "entry without structure": (_edit(entries={"GGA": {"energy": 1.0}}), "mp-4 has an entry without a structure"),
    "no document": (lambda page: page | {"data": [1, 2]}, "2 of 2 documents .* have no field material_id"),
    "corrections of no kind": (_edit(entries=_corrected_entry("{")), "energy_adjustments of entry mp-3-GGA is no list"),
    "other energies": (_edit(thermo_type="R2SCAN"), "asked for GGA_GGA.U, but 1 of 2 documents .* thermo_type R2SCAN"),
    "other scheme": (
        _corrected("MP2020 ?", {"@class": "MaterialsProjectCompatibility"}),
        "corrected by MaterialsProjectC",
    ),
    "scheme by its name": (
        _corrected("MIT oxide", None),
        "entry mp-3-GGA is corrected by MIT oxide, but GGA_GGA.U stands",
    ),
}


@pytest.mark.parametrize(("change", "told"), BROKEN.values(), ids=BROKEN.keys())
def test_a_page_that_is_not_whole_stops_the_download_and_is_asked_for_again(change, told, server, tmp_path):
    server.faults = [Fault(skip=2, page=change)]
    fails(told)
    assert server.skips == [0, 2]
    assert parts_in(tmp_path) == ["0000-00000.parquet"]
    assert identifiers() == WHOLE
    assert server.skips == [0, 2, 2, 4, 6]


def test_corrections_may_come_as_text(server):
    made = json.dumps([{"@class": "ConstantEnergyAdjustment", "cls": MP2020}] * 2)
    server.faults = [Fault(skip=2, page=_edit(entries=_corrected_entry(made)))]
    assert take()[2]["corrections"] == {"MaterialsProject2020Compatibility": 3, "none": 4}  # mp-3, mp-4 and mp-5


def test_a_null_is_no_change_of_the_schema(server):
    server.faults = [
        Fault(skip=2, page=_edit(formation_energy_per_atom=...)),
        Fault(page=_edit(energy_above_hull=None)),
    ]
    server.faults.append(Fault(skip=6, page=_edit(nsites=10**12)))  # no number of sites at all: read from the structure
    table = take()[0]
    assert table["nsites"].to_list() == [1, 1, 2, 3, 2, 1]
    assert table.filter(table["formation_energy_per_atom"].is_null())["material_id"].to_list() == ["mp-4"]
    assert table.filter(table["energy_above_hull"].is_null())["material_id"].to_list() == ["mp-2"]
