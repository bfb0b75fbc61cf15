"""Hulls from every place: which phases compete, on whose scale they are, and what a crystal is the same as."""

import json

import numpy as np
import polars as pl
import pytest
from pymatgen.analysis.phase_diagram import PhaseDiagram
from pymatgen.core import Lattice, Structure
from pymatgen.entries.computed_entries import ComputedEntry, ComputedStructureEntry
from untrained import DFT, rock_salt

from lodestone.errors import LodestoneError
from lodestone.prediction.hulls import database_phases, entry_phases, file_phases
from lodestone.prediction.inputs import queries_of
from lodestone.prediction.known import KNOWN, KNOWN_FORMULA, NEW, NEW_STRUCTURE, known_statuses
from lodestone.prediction.reactions import describe_reaction
from lodestone.prediction.scale import Scale, refuse_other_scale
from lodestone.stability.entries import Hull

ELEMENTS = [ComputedEntry("Na", -1.3), ComputedEntry("Cl", -1.8), ComputedEntry("K", -1.0)]


def as_text(structure):
    content = {"lattice": structure.lattice.matrix.tolist(), "frac_coords": structure.frac_coords.tolist()}
    return json.dumps(content | {"species": [site.specie.symbol for site in structure]})


@pytest.fixture
def table(tmp_path, salt):
    path = tmp_path / "phases.parquet"
    rows = {"NaCl": -2.1, "Na": 0.0, "KCl": -2.3}
    crystals = [salt, rock_salt("Na", "Na", 5.0), rock_salt("K", "Cl", 6.3)]
    pl.DataFrame(
        {
            "material_id": ["known-1", "known-2", "known-3"],
            "formula": list(rows),
            "formation_energy_per_atom": list(rows.values()),
            "structure": [as_text(crystal) for crystal in crystals],
        }
    ).write_parquet(path)
    return path


def test_a_file_gives_the_phases_of_the_system_and_its_subsystems(table):
    phases = file_phases(table, DFT).within(["Cl-Na"])
    assert phases.table["material_id"].to_list() == ["known-1", "known-2"]
    assert phases.scale == DFT


def test_a_file_that_is_silent_about_its_energies_is_refused(table):
    with pytest.raises(LodestoneError, match="--hull-scale"):
        file_phases(table, Scale())


def test_a_damaged_or_missing_file_is_named(tmp_path):
    (tmp_path / "bad.parquet").write_bytes(b"PAR1")
    for name, reason in (("bad.parquet", "no readable parquet"), ("none.parquet", "does not exist")):
        with pytest.raises(LodestoneError, match=reason):
            file_phases(tmp_path / name, DFT)


def test_where_the_hull_knows_nothing_the_elements_remain(table, model):
    row = model.predict(rock_salt("K", "Br", 6.6), table, hull_scale="dft-pbe/MP-2019-legacy").row(0, named=True)
    assert (row["n_competing_compounds"], row["known_status"], row["known_as"]) == (0, NEW, None)
    assert set(row["decomposition"].split(" + ")) == {"K", "Br"}
    assert row["energy_above_hull_pred"] == row["formation_energy_per_atom_pred"]


def test_a_file_states_its_own_scale(table, tmp_path):
    stated = tmp_path / "stated.parquet"
    labels = {"label_method": pl.lit("dft-pbe"), "correction_scheme": pl.lit("MP2020")}
    pl.read_parquet(table).with_columns(**labels).write_parquet(stated)
    assert file_phases(stated, Scale()).scale == Scale("dft-pbe", "MP2020")


def test_entries_in_json_become_phases(tmp_path, salt):
    sodium, chlorine = rock_salt("Na", "Na", 5.0), rock_salt("Cl", "Cl", 5.0)
    energies = {"a": (salt, -27.0), "b": (sodium, -8 * 1.3), "c": (chlorine, -8 * 1.8)}
    entries = [ComputedStructureEntry(crystal, energy, entry_id=name) for name, (crystal, energy) in energies.items()]
    path = tmp_path / "entries.json"
    path.write_text(json.dumps([entry.as_dict() for entry in entries], default=str))
    phases = file_phases(path, Scale("own-method"))
    expected = PhaseDiagram(entries).get_form_energy_per_atom(entries[0])
    found = dict(phases.table.select("material_id", "formation_energy_per_atom").iter_rows())
    assert found["a"] == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("name", ["materials_project", "optimade"])
def test_databases_are_not_asked_about_hundreds_of_systems(name):
    with pytest.raises(LodestoneError, match="too many"):
        database_phases(
            name, [f"Na-{symbol}" for symbol in "H Li Be B C N O F Mg Al Si P S Cl K Ca Sc Ti V Cr Mn".split()]
        )


def test_a_database_is_asked_about_the_system_alone(monkeypatch, table):
    from lodestone.prediction import hulls

    asked = []

    def take(params, seed):
        asked.append(params)
        raise LodestoneError("no network", "none")

    monkeypatch.setattr(hulls, "take_snapshot", take)
    for name in ("materials_project", "optimade"):
        with pytest.raises(LodestoneError, match="no network"):
            database_phases(name, ["Cl-Na", "Cl-Na"])
    assert [params.filters.chemical_systems for params in asked] == [("Cl-Na",), ("Cl-Na",)]
    assert asked[1].provider == "materials_project"


def test_scales_are_never_mixed_silently():
    refuse_other_scale(DFT, DFT, "a hull")
    refuse_other_scale(Scale("chgnet-0.3.0"), Scale("chgnet-0.3.0", "MP2020 (learned)"), "a hull")
    for other in (Scale("dft-pbe", "MP2020"), Scale("chgnet-0.3.0"), Scale()):
        with pytest.raises(LodestoneError, match="--across-scales"):
            refuse_other_scale(DFT, other, "a hull")
    with pytest.raises(LodestoneError):
        refuse_other_scale(Scale(), Scale(), "a hull")


def test_what_is_known(table, salt):
    phases = file_phases(table, DFT)
    other = Structure(Lattice.cubic(3.5), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    queries = queries_of([salt.get_primitive_structure(), other, "NaCl", rock_salt("Na", "Br", 6.0)]).good
    found = known_statuses(queries, [query.formula for query in queries], phases)
    assert [one.status for one in found] == [KNOWN, NEW_STRUCTURE, KNOWN_FORMULA, NEW]
    assert [one.known_as for one in found] == ["known-1", "known-1", "known-1", None]


def test_entries_without_structures_know_formulas_only(salt):
    phases = entry_phases([*ELEMENTS, ComputedEntry("NaCl", -8.0, entry_id="e-1")])
    (query,) = queries_of(salt).good
    assert known_statuses([query], [query.formula], phases)[0].known_as == "e-1"
    assert known_statuses([query], [query.formula], phases)[0].status == KNOWN_FORMULA


def test_reactions_balance():
    assert describe_reaction("Na2KCl3", [(0, 2 / 3), (1, 1 / 3)], ["NaCl", "KCl"], ["a", "b"]) == "2 NaCl + KCl"
    assert describe_reaction("NaCl2", [(0, 2 / 3), (-17, 1 / 3)], ["NaCl"], ["a"]) == "NaCl + Cl"
    assert describe_reaction("NaCl", [(0, 1.0)], ["NaCl"], ["a"]) == "NaCl (a)"


def test_the_hull_of_phases_is_that_of_pymatgen():
    compounds = [ComputedEntry("NaCl", -8.0), ComputedEntry("KCl", -8.5), ComputedEntry("NaKCl2", -16.2)]
    entries = [*ELEMENTS, *compounds]
    diagram, phases = PhaseDiagram(entries), entry_phases(Hull(entries, label_method="x"))
    assert phases.scale == Scale("x")
    expected = [diagram.get_e_above_hull(entry) for entry in entries]
    assert np.allclose(phases.hull.distances, expected, rtol=0, atol=1e-8)
