"""The ensemble that ships: small, complete, described, and on the scale that it says."""

import pytest
from safetensors.numpy import load_file

import lodestone
from lodestone.prediction.scale import Scale
from lodestone.prediction.shipped import PRETRAINED
from lodestone.tables.files import read_json

MOST_BYTES = 6_000_000


@pytest.fixture(scope="module")
def shipped():
    return lodestone.load()


def test_it_is_small_and_holds_no_pickle():
    files = [path for path in PRETRAINED.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= MOST_BYTES
    assert {path.suffix for path in files} == {".safetensors", ".json", ".md"}


def test_it_lists_no_chemical_systems_of_what_it_learned_from(shipped):
    assert "systems" not in load_file(PRETRAINED / "out_of_distribution.safetensors")
    assert shipped.ensemble.seen.systems.why_new((26,)) == ""
    assert shipped.ensemble.seen.systems.why_new((2, 26)) != ""


def test_both_views_have_at_least_four_members(shipped):
    assert {view: len(saved.members) >= 4 for view, saved in shipped.ensemble.views.items()} == {
        "composition": True,
        "structure": True,
    }
    assert shipped.ensemble.judges_formulas


def test_it_says_what_it_predicts_and_whom_to_name(shipped):
    assert shipped.scale == Scale("dft-pbe", "MP-2019-legacy")
    card = (PRETRAINED / "MODEL_CARD.md").read_text()
    for words in ("PBE+U", "CC-BY 4.0", "Materials Project", "oxides", "coNGN", "ALIGNN", "CGCNN"):
        assert words in card


def test_the_card_has_the_figures_of_the_errors():
    every = read_json(PRETRAINED / "errors.json")["relaxed"][0]
    mae, low, high = (f"{1e3 * energy:.0f}" for energy in every["mae"])
    card = (PRETRAINED / "MODEL_CARD.md").read_text()
    assert f"| all | {every['n']:,} | **{mae}** [{low}, {high}] |" in card
    assert 0.85 <= every["coverage"]["rate"] <= 0.95


def test_energies_of_common_salts_are_near_those_of_the_materials_project(shipped, salt):
    table = shipped.predict([salt, "MgO"])
    for row, known in zip(table.iter_rows(named=True), (-2.1, -3.0), strict=True):
        assert row["formation_energy_per_atom_pred"] == pytest.approx(known, abs=0.4)
        assert row["formation_energy_per_atom_lower"] < known + 0.1 < row["formation_energy_per_atom_upper"] + 0.2
