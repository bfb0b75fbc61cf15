"""DIEP as an oracle: the package's own energies on the scale of r2SCAN, and what is refused."""

import shutil
from importlib import metadata

import numpy as np
import pytest
from elementary import ELEMENTS, FCC, MAGNESIA, SALT, shaken
from fake_calculators import Faulty, no_derivatives

from lodestone.config.registry import ORACLES
from lodestone.crystals.crystal import Crystal
from lodestone.curation.source_scale import _schemes
from lodestone.errors import LodestoneError
from lodestone.oracles import diep as module
from lodestone.oracles.attempt import label_one
from lodestone.oracles.learned import OF_THE_MATERIALS_PROJECT
from lodestone.oracles.store import label_key

pytest.importorskip("diep")
SETTINGS = {"fmax": 0.05, "max_steps": 100, "max_volume_change": 2.0, "min_distance_ratio": 0.5}


def diep(**settings):
    return ORACLES.make("diep", ORACLES.settings("diep", {"name": "diep", **SETTINGS, **settings}))


def test_name_says_the_functional_and_static_labels_have_keys_of_their_own():
    assert [one.name for one in (diep(), diep().static())] == ["diep-r2scan", "diep-r2scan-static"]
    assert len({label_key(one, SALT) for one in (diep(), diep().static())}) == 2
    assert diep().facts()["versions"]["diep"] == metadata.version("diep")
    assert "r2SCAN" in diep().caveat


def test_no_rule_of_corrections_is_applied_to_its_energies():
    assert diep().correction_scheme == "none"
    with pytest.raises(LodestoneError, match="those in the energies of diep-r2scan are not known"):
        _schemes(None, diep())


def test_the_limit_for_energies_of_pbe_is_refused():
    with pytest.raises(ValueError, match="min_energy_per_atom"):
        diep(min_energy_per_atom=-15.0)


def test_a_package_that_is_not_there_is_named_with_the_extra_that_brings_it(monkeypatch):
    def version(name):
        if name == "diep":
            raise metadata.PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr("lodestone.oracles.base.version", version)
    with pytest.raises(LodestoneError, match="needs the package diep") as refused:
        diep().identity()
    assert "lodestone-materials[potentials]" in refused.value.remedy


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "words"), [("state.pt", "cut short"), ("model.json", "cut short"), ("", "are not in")]
)
def test_weights_that_are_cut_short_or_gone_stop_the_campaign(tmp_path, monkeypatch, name, words):
    import diep.pretrained as package

    folder = tmp_path / "pretrained_models" / "diep_fold1"
    if name:
        shutil.copytree(package.DEFAULT_MODEL_DIR, folder)
        (folder / name).write_bytes((folder / name).read_bytes()[:1000])
    monkeypatch.setattr(package, "__file__", str(tmp_path / "pretrained.py"))
    module._calculator.cache_clear()
    with pytest.raises(LodestoneError, match=words):
        label_one(diep(), SALT)


@pytest.mark.slow
def test_energies_are_those_of_the_package_and_a_second_call_gives_the_same_label():
    from diep.pretrained import make_calculator

    oracle, package = diep().static(), make_calculator()
    for crystal in (SALT, MAGNESIA, ELEMENTS["Na"]):
        atoms = crystal.to_ase()
        atoms.calc = package
        label = label_one(oracle, crystal)
        assert label.energy_per_atom == pytest.approx(atoms.get_potential_energy() / len(atoms), abs=1e-4)
        assert label_one(oracle, crystal).energy_per_atom == label.energy_per_atom


@pytest.mark.slow
def test_energies_alone_are_the_same_to_the_last_bit_and_take_no_derivatives():
    many = [crystal.to_ase() for crystal in (SALT, MAGNESIA, ELEMENTS["Na"])]
    whole = diep().evaluate(many)
    with no_derivatives():
        alone = diep().evaluate(many, derivatives=False)
    assert [results["energy"] for results in alone] == [results["energy"] for results in whole]
    assert all(np.abs(results["stress"]).max() > 0 for results in whole)


@pytest.mark.slow
def test_a_relaxation_converges_and_formation_energies_are_those_of_salt_and_magnesia():
    label = label_one(diep(), shaken(SALT))
    assert label.ok
    assert np.linalg.norm(label.crystal.lattice, axis=1) == pytest.approx([5.65] * 3, abs=0.1)
    names = ELEMENTS | {"NaCl": SALT, "MgO": MAGNESIA}
    energies = {name: label_one(diep().static(), crystal).energy_per_atom for name, crystal in names.items()}
    assert energies["NaCl"] - (energies["Na"] + energies["Cl"]) / 2 == pytest.approx(-2.1, abs=0.15)
    assert energies["MgO"] - (energies["Mg"] + energies["O"]) / 2 == pytest.approx(-3.0, abs=0.15)


@pytest.mark.slow
def test_it_has_learned_the_elements_that_it_says_and_rejects_the_others():
    from diep.pretrained import load_potential

    assert set(load_potential().model.element_types) == OF_THE_MATERIALS_PROJECT
    heavy = Crystal(4.9 * np.eye(3), [84, 8], [[0, 0, 0], [0.5, 0.5, 0.5]])
    labels = dict(diep().static().label([heavy, SALT]))
    assert labels[0].status == "unseen_element: Po"
    assert labels[1].ok


def test_what_is_no_number_is_no_label(monkeypatch):
    copper = Crystal(3.6 * np.eye(3), [29] * 4, FCC)
    monkeypatch.setattr(module, "_calculator", lambda *_: Faulty("energy"))
    for oracle in (diep(), diep().static()):
        assert label_one(oracle, copper).status == "not_finite"
