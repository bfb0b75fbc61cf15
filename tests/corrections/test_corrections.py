"""Correction schemes: their numbers, what they add to crystals, and that no installed package moves them."""

import gzip
import json
import subprocess
import sys
from importlib.resources import files

import numpy as np
import polars as pl
import pytest
import yaml

from lodestone.corrections.chemistry import chemistry_of, chemistry_of_formula, likeliest_states
from lodestone.corrections.rules import adjustments, changes, correction, formation_change
from lodestone.corrections.schemes import _scheme, scheme
from lodestone.crystals.crystal import Crystal
from lodestone.errors import LodestoneError
from lodestone.snapshot.files.entries import entry_parts

OLD, NEW = scheme("MP-2019-legacy"), scheme("MP2020")
SYSTEMS = ("Cl-Mn-Na-O-Y", "Fe-Li-O-P")
CUBE = np.eye(3) * 5.0


def of_pymatgen(name: str) -> dict:
    return yaml.safe_load((files("pymatgen.analysis.compatibility") / name).read_text())


def test_the_numbers_of_2019_are_those_that_pymatgen_has():
    known = of_pymatgen("MPCompatibility.yaml")
    assert OLD.oxygen == known["OxideCorrections"]
    assert {"sulfide": OLD.sulfide} == known["SulfideCorrections"]
    assert OLD.hubbard_u == known["Advanced"]["UCorrections"]["O"] == known["Advanced"]["UCorrections"]["F"]
    with gzip.open(files("pymatgen.analysis.compatibility") / "calc_compounds.json.gz") as stream:
        bare = json.load(stream)
    gases = known["Advanced"]["CompoundEnergies"]
    shifts = {gas[:-1]: gases[gas] - bare[gas]["energy"] / sum(bare[gas]["composition"].values()) for gas in gases}
    assert OLD.elements == pytest.approx(shifts, abs=1e-8)


def test_the_numbers_of_2020_are_those_that_pymatgen_has():
    known = of_pymatgen("MP2020Compatibility.yaml")["Corrections"]
    of_anions = known["CompositionCorrections"]
    assert OLD.version != NEW.version
    assert NEW.oxygen | {"S": NEW.sulfide} | NEW.anions == of_anions
    assert NEW.hubbard_u == known["GGAUMixingCorrections"]["O"] == known["GGAUMixingCorrections"]["F"]


@pytest.mark.parametrize("name", ["MP-1999", "none", "OQMD", "MP-2020X"])
def test_a_scheme_without_rules_is_refused(name):
    with pytest.raises(LodestoneError, match=f"(?s){name}.*none whose rules are known.*MP-2019, MP-2020.*learned"):
        scheme(name)


def test_numbers_that_someone_has_changed_are_refused():
    numbers = {"oxygen": {"oxide": -0.7}, "corrected_oxygen": "all"}
    with pytest.raises(LodestoneError, match=r"MP-2020 has the hash .*, not "):
        _scheme("MP-2020", numbers)


@pytest.mark.parametrize(
    ("formula", "change"),
    [
        ("NaBr", -0.534 / 2),  # 2019 had nothing for bromides
        ("NaCl", (-0.614 + 0.594685683) / 2),  # and corrected the gas, not the chloride
        ("MgO", (-0.687 + 0.70229) / 2),
        ("FeO", (-0.687 + 0.70229 - 2.256 + 2.733) / 2),
        ("NaBrO3", 3 * (-0.687 + 0.70229) / 5),  # bromine is no anion
        ("BiClO", (-0.687 + 0.70229 - 0.614 + 0.594685683) / 3),
        ("Na2SO4", 4 * (-0.687 + 0.70229) / 7),
        ("Na2S", (-0.503 + 0.66346) / 3),
        ("Li2O2", 2 * (-0.465 + 0.46622) / 4),
        ("Cl2", 0.0),
        ("AlNi", 0.0),
    ],
)
def test_formation_energies_change_by_the_rules(formula, change):
    assert formation_change(chemistry_of_formula(formula), OLD, NEW) == pytest.approx(change, abs=1e-9)


def test_bonds_decide_what_an_oxide_is():
    def oxygen_pair(distance: float, *, more: tuple = ()) -> Crystal:
        coords = [[0, 0, 0], [distance / 5, 0, 0], [0.5, 0.5, 0.5], *more]
        return Crystal(CUBE, [8, 8, 11] + [8] * len(more), coords)

    assert [chemistry_of(oxygen_pair(d)).oxide for d in (1.3, 1.5, 2.0)] == ["superoxide", "peroxide", "oxide"]
    ozonide = chemistry_of(oxygen_pair(1.3, more=([0, 1.3 / 5, 0],)))
    assert (ozonide.oxide, ozonide.bonded_oxygen) == ("ozonide", 3)
    lone = chemistry_of(oxygen_pair(1.5, more=([0.25, 0.5, 0.9],)))
    assert (lone.oxide, lone.bonded_oxygen) == ("peroxide", 2)
    assert correction(lone, OLD) == pytest.approx(2 * -0.46622 / 4)  # only bonded oxygen, in 2019
    assert correction(lone, NEW) == pytest.approx(3 * -0.465 / 4)


def test_neighbors_decide_what_a_sulfide_is():
    sulfate = Crystal(CUBE, [16, 8, 12], [[0, 0, 0], [0.3, 0, 0], [0.5, 0.5, 0.5]])
    sulfide = Crystal(CUBE, [16, 8, 12], [[0, 0, 0], [0.5, 0.5, 0.1], [0.4, 0, 0]])
    assert (chemistry_of(sulfate).sulfate, chemistry_of(sulfide).sulfate) == (True, False)
    assert set(adjustments(chemistry_of(sulfate), NEW)) == {"oxide"}
    assert set(adjustments(chemistry_of(sulfide), NEW)) == {"oxide", "sulfide"}


def test_states_mix_where_one_state_each_does_not_balance():
    states = likeliest_states((("Fe", 3), ("O", 4)))
    assert states == {"Fe": pytest.approx(8 / 3), "O": -2}
    assert likeliest_states((("Al", 1), ("Ni", 1))) == {}
    assert likeliest_states((("O", 1),)) == {}


def test_the_table_holds_what_the_change_follows_from():
    table = changes([chemistry_of_formula("NaBr")], OLD, NEW)
    (row,) = table.iter_rows(named=True)
    assert row["formation_energy_change"] == pytest.approx(-0.267)
    assert row["scheme_to"] == f"MP-2020 ({NEW.version})"
    assert json.loads(row["oxidation_states"]) == {"Br": -1, "Na": 1}
    assert json.loads(row["adjustments_to"]) == {"anion Br": pytest.approx(-0.267)}


def test_a_crystal_is_corrected_without_pymatgen():
    program = (
        "import sys; sys.modules['pymatgen'] = None; import numpy as np\n"
        "from lodestone.crystals.crystal import Crystal\n"
        "from lodestone.corrections import chemistry, rules, schemes\n"
        "one = chemistry.chemistry_of(Crystal(np.eye(3) * 4, [83, 17, 8], [[0, 0, 0], [.5, .5, 0], [0, .5, .5]]))\n"
        "print(rules.correction(one, schemes.scheme('MP-2020')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert float(done.stdout) == pytest.approx((-0.614 - 0.687) / 3)


@pytest.fixture(scope="module")
def entries(shared_data):
    """By system: entries with their identifier, chemistry, energy and correction as stored, eV/atom."""

    def read(system):
        with gzip.open(shared_data / f"mp_entries_{system}.json.gz") as stream:
            for entry in json.load(stream):
                chemistry = chemistry_of(entry_parts(entry)[0])
                size = sum(chemistry.counts.values())
                yield entry["entry_id"], chemistry, entry["energy"] / size, entry["correction"] / size

    return {system: list(read(system)) for system in SYSTEMS}


def test_corrections_of_2020_are_those_stored_with_the_entries(entries):
    differ = [
        abs(correction(chemistry, NEW) - stored) > 1e-3 for rows in entries.values() for _, chemistry, _, stored in rows
    ]
    assert len(differ) == 1276
    assert sum(differ) <= 10  # known: short bonds of oxygen, and oxychlorides of unusual states


def test_the_scheme_of_2019_recomputed_gives_the_formation_energies_of_the_file(entries, shared_data):
    table = pl.read_parquet(shared_data / "mp_structures.parquet", columns=["material_id", "formation_energy_per_atom"])
    known, errors = dict(table.iter_rows()), []
    for rows in entries.values():
        references: dict[str, float] = {}
        for _, chemistry, energy, _ in rows:
            if len(chemistry.counts) == 1:
                (symbol,) = chemistry.counts
                references[symbol] = min(energy + OLD.elements.get(symbol, 0.0), references.get(symbol, np.inf))
        for name, chemistry, energy, _ in rows:
            if name in known:
                of_elements = sum(references[symbol] * n for symbol, n in chemistry.counts.items())
                formation = energy + correction(chemistry, OLD) - of_elements / sum(chemistry.counts.values())
                errors.append(abs(formation - known[name]))
    assert len(errors) > 600
    assert np.median(errors) < 0.0075
