"""GPAW as an oracle: DFT of two atoms where it is installed, and what is refused before anything is computed."""

from importlib import metadata

import numpy as np
import pytest
from elementary import SALT

from lodestone.config.registry import ORACLES
from lodestone.crystals.crystal import Crystal
from lodestone.errors import LodestoneError
from lodestone.oracles import gpaw as module
from lodestone.oracles.attempt import label_one
from lodestone.oracles.pool import label_all
from lodestone.oracles.store import LabelStore, label_key

SETTINGS = {"fmax": 0.05, "max_steps": 20, "max_volume_change": 1.5, "min_distance_ratio": 0.5}
COARSE = {"cutoff": 250, "kpoint_density": 2.0}
HALF = np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]) / 2
SILICON = Crystal(5.43 * HALF, [14, 14], [[0, 0, 0], [0.25] * 3])
FLUORIDE = Crystal(4.03 * HALF, [3, 9], [[0, 0, 0], [0.5] * 3])
IRON = Crystal(2.83 * (np.ones((3, 3)) / 2 - np.eye(3)), [26], [[0, 0, 0]])


def oracle_of(**settings):
    return ORACLES.make("gpaw", ORACLES.settings("gpaw", {"name": "gpaw", **SETTINGS, **settings}))


@pytest.fixture
def installed():
    """Real DFT, where there is one."""
    pytest.importorskip("gpaw", reason="the extra gpaw is not installed: it is built from source (docs/oracles.md)")


@pytest.fixture
def pretended(monkeypatch, tmp_path):
    """Setups of Na and Cl, and versions of packages, as if they were installed; nothing may be computed."""
    for symbol in ("Na", "Cl"):
        (tmp_path / f"{symbol}.PBE.gz").touch()
    monkeypatch.setattr(module, "_setups", lambda: tmp_path)
    monkeypatch.setattr(module, "installed_versions", lambda *_: {"gpaw": "1.0"})
    monkeypatch.setattr(module.GPAWOracle, "_results", lambda *_: pytest.fail("something was computed"))


@pytest.mark.parametrize("settings", [{"cutoff": 100}, {"kpoint_density": 0}, {"spin": "full"}, {"max_atoms": 0}])
def test_settings_that_make_no_sense_are_refused(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        oracle_of(**settings)


@pytest.mark.usefixtures("pretended")
def test_what_changes_energies_changes_the_name_and_what_changes_none_changes_no_key():
    others = [{"cutoff": 500}, {"kpoint_density": 2.0}, {"smearing": 0.1}, {"spin": "collinear"}]
    names = {oracle_of(**one).name for one in [{}, *others]}
    assert len(names) == 5
    assert all(name.startswith("gpaw-pbe-") for name in names)
    assert label_key(oracle_of(max_atoms=2), SALT) == label_key(oracle_of(), SALT)
    assert label_key(oracle_of(fmax=0.1), SALT) != label_key(oracle_of(), SALT)
    assert label_key(oracle_of().static(), SALT) != label_key(oracle_of(), SALT)


def test_energies_are_said_to_be_uncorrected():
    assert (oracle_of().correction_scheme, oracle_of().included_corrections) == ("none", None)
    assert "700 eV" in oracle_of().caveat
    assert "without spin" in oracle_of().caveat
    assert "collinear" in oracle_of(spin="collinear").caveat


@pytest.mark.usefixtures("pretended")
@pytest.mark.parametrize("relaxes", [True, False])
def test_a_cell_that_is_too_large_is_rejected_counted_and_not_stored(tmp_path, monkeypatch, capsys, relaxes):
    oracle = oracle_of(max_atoms=7) if relaxes else oracle_of(max_atoms=7).static()
    monkeypatch.setattr(type(oracle), "one_process", True)
    with LabelStore(tmp_path / "labels.sqlite") as store:
        [label] = label_all(oracle, [SALT], store, "labelling")
        assert len(store) == 0
    assert label.status == "too_large: 8 atoms, at most 7"
    assert "1 too_large" in capsys.readouterr().err


@pytest.mark.usefixtures("pretended")
def test_an_element_without_a_setup_is_rejected():
    assert label_one(oracle_of(), SILICON).status == "no_setup: Si"


def test_a_package_that_is_not_there_is_named_with_what_it_is_built_by(monkeypatch):
    def version(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr("lodestone.oracles.base.version", version)
    with pytest.raises(LodestoneError, match="which is not installed") as refused:
        oracle_of().identity()
    assert "libxc-dev" in refused.value.remedy
    assert "lodestone-materials[gpaw]" in refused.value.remedy


@pytest.mark.slow
@pytest.mark.usefixtures("installed")
def test_silicon_relaxes_and_a_second_label_is_the_same():
    first, second = (label_one(oracle_of(**COARSE), SILICON) for _ in range(2))
    assert first.ok
    assert first.energy_per_atom == pytest.approx(-5.3, abs=0.3)
    assert first.crystal.volume == pytest.approx(40.9, rel=0.05)
    assert (first.energy_per_atom, first.crystal.digest()) == (second.energy_per_atom, second.crystal.digest())


@pytest.mark.slow
@pytest.mark.usefixtures("installed")
def test_forces_vanish_by_symmetry_and_push_a_displaced_atom_back():
    moved = Crystal(SILICON.lattice, SILICON.atomic_numbers, SILICON.frac_coords + np.array([[0] * 3, [0.01] * 3]))
    for crystal, expected in ((SILICON, 0.0), (moved, -1.0)):
        [results] = oracle_of(**COARSE).evaluate([crystal.to_ase()])
        assert np.sign(results["forces"][1].round(2)) == pytest.approx(expected)
        assert results["stress"].shape == (6,)


@pytest.mark.slow
@pytest.mark.usefixtures("installed")
def test_lithium_fluoride_lies_below_its_elements():
    lithium = Crystal(3.44 * (np.ones((3, 3)) / 2 - np.eye(3)), [3], [[0, 0, 0]])
    fluorine = Crystal(4.5 * np.eye(3), [9, 9], [[0, 0, 0], [0.18, 0.18, 0.18]])
    static = oracle_of(cutoff=500, kpoint_density=1.0).static()
    compound, metal, gas = (label_one(static, x).energy_per_atom for x in (FLUORIDE, lithium, fluorine))
    assert compound - (metal + gas) / 2 == pytest.approx(-3.0, abs=0.6)


@pytest.mark.slow
@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("relaxes", [True, False])
def test_a_density_that_does_not_become_self_consistent_is_a_rejection(relaxes):
    oracle = oracle_of(max_iterations=2, **COARSE)
    label = label_one(oracle if relaxes else oracle.static(), SILICON)
    assert label.status == "scf_not_converged: no self-consistent density after 2 steps"


@pytest.mark.slow
@pytest.mark.usefixtures("installed")
def test_iron_is_lower_with_moments():
    without, with_moments = (
        label_one(oracle_of(cutoff=340, kpoint_density=1.5, spin=spin).static(), IRON) for spin in ("none", "collinear")
    )
    assert with_moments.energy_per_atom < without.energy_per_atom - 0.2


@pytest.mark.slow
@pytest.mark.usefixtures("installed")
def test_setups_of_others_are_refused(monkeypatch, tmp_path):
    import gpaw

    monkeypatch.setattr(gpaw, "setup_paths", [tmp_path])
    with pytest.raises(LodestoneError, match="not from the package gpaw-data") as refused:
        label_one(oracle_of(), SILICON)
    assert "GPAW_SETUP_PATH" in refused.value.remedy
