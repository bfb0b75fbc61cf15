"""The decorations that charge rules are measured on."""

from itertools import islice

import polars as pl
import pytest

from charge_rules import is_ionic, on_hull, random_decorations, substitutions
from lodestone.errors import LodestoneError
from lodestone.substitution.oxidation_states import ANIONS

KNOWN = [(("Na", "Cl"), (1, 1)), (("Ca", "Ti", "O"), (1, 1, 3)), (("K", "S", "O"), (2, 1, 4)), (("Fe", "Br"), (1, 3))]


def test_only_compounds_on_the_hull_with_an_anion_and_a_metal_count(tmp_path):
    formulas = ["NaCl", "Na2Cl2", "Na2Cl", "SiO2", "NaK", "Fe4O6"]
    table = pl.DataFrame({"formula": formulas, "energy_above_hull": [0.0, 0.0, 0.3, 0.0, 0.0, 0.0]})
    table.write_parquet(tmp_path / "mp_energies.parquet")
    assert sorted(on_hull(tmp_path)) == [(("Fe", "O"), (2, 3)), (("Na", "Cl"), (1, 1)), (("Na", "Cl"), (1, 1))]


def test_a_folder_without_the_file_is_named(tmp_path):
    with pytest.raises(LodestoneError, match=r"mp_energies\.parquet does not exist"):
        on_hull(tmp_path)


@pytest.mark.parametrize("by_kind", [False, True])
def test_random_decorations_keep_the_stoichiometries(by_kind):
    made = list(islice(random_decorations(KNOWN, 0, by_kind), 300))
    assert {counts for _, counts in made} == {counts for _, counts in KNOWN}
    assert all(is_ionic(elements) and len(set(elements)) == len(counts) for elements, counts in made)
    assert made == list(islice(random_decorations(KNOWN, 0, by_kind), 300))
    places = {tuple(symbol in ANIONS for symbol in elements) for elements, _ in made}
    known = {tuple(symbol in ANIONS for symbol in elements) for elements, _ in KNOWN}
    assert (places == known) is by_kind


def test_substitutions_replace_one_or_two_elements():
    made = list(islice(substitutions(KNOWN, 0), 50))
    assert len(made) == 50
    for elements, counts in made:
        changes = [
            sum(old != new for old, new in zip(parent, elements, strict=True)) for parent, n in KNOWN if n == counts
        ]
        assert any(1 <= changed <= 2 for changed in changes)
