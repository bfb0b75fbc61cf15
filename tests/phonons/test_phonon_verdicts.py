"""Verdicts on crystals whose stability is known, by a cheap potential."""

import json
from dataclasses import replace

import numpy as np
import pytest
from copper import BCC, FCC, HCP, emt

from lodestone.crystals.crystal import Crystal
from lodestone.crystals.motions import primitive_motions
from lodestone.crystals.supercells import supercell
from lodestone.errors import LodestoneError
from lodestone.phonons.modes import Mode, Spectrum, displaced_along, phonons_of
from lodestone.phonons.relaxation import relaxed, symmetric_cell
from lodestone.phonons.settings import PhononSettings
from lodestone.phonons.supercells import smallest_supercell
from lodestone.phonons.verdicts import BETWEEN, SHALLOW, judged, verdict

pytest.importorskip("phonopy")
SETTINGS = PhononSettings()
THZ = 15.633302  # of the square root of eV/Å2/amu


@pytest.fixture(scope="module")
def oracle():
    return emt()


@pytest.fixture(scope="module")
def body_centered(oracle):
    return verdict(BCC, oracle, SETTINGS)


@pytest.mark.parametrize("crystal", [FCC, HCP], ids=["fcc", "hcp"])
def test_close_packed_copper_is_stable(crystal, oracle):
    row = verdict(crystal, oracle, SETTINGS)
    assert (row["is_stable"], row["reason"], row["followed"]) == (True, None, None)
    assert row["lowest_frequency"] > 0.2
    assert 6 < row["highest_frequency"] < 9  # 7.2 THz measured; Svensson et al., Phys. Rev. 155, 619 (1967)
    assert row["image_distance"] >= 8
    assert json.loads(json.dumps(row, allow_nan=False)) == row


def test_body_centered_copper_is_unstable_and_its_mode_leads_to_a_close_packed_crystal(body_centered, oracle):
    assert body_centered["is_stable"] is False
    assert body_centered["lowest_held_frequency"] < -1
    end = body_centered["followed"]
    assert end["is_stable"] is True
    assert (body_centered["spacegroup_number"], end["spacegroup_number"]) == (229, 194)
    assert end["gained"] == pytest.approx(body_centered["energy_per_atom"] - end["energy_per_atom"])
    assert end["gained"] == pytest.approx(0.0336, abs=0.001)
    assert end["energy_per_atom"] == pytest.approx(verdict(HCP, oracle, SETTINGS)["energy_per_atom"], abs=1e-5)
    row = end["crystal"]
    crystal = Crystal(row["lattice"], row["atomic_numbers"], row["frac_coords"])
    [results] = oracle.evaluate([crystal.to_ase()])
    assert results["energy"] / len(crystal) == pytest.approx(end["energy_per_atom"])


def test_any_cell_of_a_crystal_has_the_same_verdict(body_centered, oracle):
    larger = supercell(BCC, ((1, 0, 1), (0, 2, 1), (0, 0, 2)))
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    row = verdict(replace(larger, lattice=larger.lattice @ turn), oracle, SETTINGS)
    assert row["lowest_held_frequency"] == pytest.approx(body_centered["lowest_held_frequency"], abs=0.01)
    assert row["followed"]["gained"] == pytest.approx(body_centered["followed"]["gained"], abs=1e-4)


def test_what_gains_too_little_is_undecided(oracle):
    row = verdict(BCC, oracle, replace(SETTINGS, min_gain=0.04))
    assert (row["is_stable"], row["reason"]) == (None, SHALLOW)
    assert row["followed"]["gained"] < 0.04


def test_the_tolerance_says_what_is_imaginary(oracle):
    assert verdict(BCC, oracle, replace(SETTINGS, tolerance=9.0))["is_stable"] is True


def test_what_is_interpolated_alone_condemns_no_crystal():
    def said(held, softest):
        modes = (Mode(frequency=frequency, q=(0.5, 0.0, 0.0), band=0) for frequency in (held, softest))
        return judged(Spectrum(held=next(modes), softest=next(modes), highest=9.0, n_displacements=1), 0.3)

    assert said(0.5, -0.2)["is_stable"] is True
    assert (said(0.5, -0.4)["is_stable"], said(0.5, -0.4)["reason"]) == (None, BETWEEN)
    assert (said(-0.4, -0.5)["is_stable"], said(-0.4, -0.5)["reason"]) == (False, None)


def test_a_cell_that_is_too_large_is_not_computed_and_says_why(oracle):
    row = verdict(HCP, oracle, replace(SETTINGS, max_atoms=20))
    assert (row["is_stable"], row["is_computed"]) == (None, False)
    assert "its primitive cell has 2 atoms, and no supercell of at most 20 keeps its images 8 Å apart" in row["reason"]
    assert "too large" in verdict(HCP, oracle, replace(SETTINGS, max_atoms=1))["reason"]


def test_what_does_not_relax_is_not_computed(oracle):
    row = verdict(HCP, oracle, replace(SETTINGS, max_steps=1))
    assert (row["is_computed"], row["reason"]) == (False, "not relaxed: not_converged")


def test_faults_of_a_potential_are_reasons_and_faults_of_the_installation_are_errors(oracle, monkeypatch):
    def raising(error):
        def evaluate(self, many, *, derivatives=True):
            raise error

        return evaluate

    monkeypatch.setattr("lodestone.phonons.verdicts.phonons_of", lambda *_: raising(ValueError("no forces"))(None, []))
    assert verdict(FCC, oracle, SETTINGS)["reason"] == "failed: ValueError: no forces"
    monkeypatch.setattr(type(oracle), "evaluate", raising(LodestoneError("no weights", "install them")))
    with pytest.raises(LodestoneError, match="no weights"):
        verdict(FCC, oracle, SETTINGS)


def test_relaxations_are_tight_and_keep_the_symmetry(oracle):
    squeezed = symmetric_cell(replace(HCP, lattice=HCP.lattice * [[0.97]] * 3 + 1e-4), 0.01)
    label = relaxed(squeezed, oracle, SETTINGS)
    [results] = oracle.evaluate([label.crystal.to_ase()])
    assert np.abs(results["forces"]).max() < SETTINGS.fmax
    lattice = label.crystal.lattice
    assert np.linalg.norm(lattice[0]) == pytest.approx(np.linalg.norm(lattice[1]), abs=1e-9)
    assert lattice[0] @ lattice[2] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("q", "band"), [((1 / 3, 1 / 3, 0), 1), ((1 / 3, 1 / 3, 0), 4), ((0, 0, 0.5), 2), ((0, 0, 0), 5)]
)
def test_forces_pull_back_along_a_mode_by_its_frequency(oracle, q, band):
    """Force = - mass (2π frequency)² displacement, atom by atom: eigenvector, phase and units are right."""
    cell = relaxed(symmetric_cell(HCP, 0.01), oracle, SETTINGS).crystal
    _, motions = primitive_motions(cell, 0.001)
    form = smallest_supercell(cell, motions, min_length=8.0, max_atoms=120)
    phonons = phonons_of(cell, form, oracle, 0.01)
    frequency = phonons.run_qpoints([q]).frequencies[0][band]
    mode = Mode(frequency=frequency, q=tuple(np.round(q, 6)), band=band)
    up, down = displaced_along(cell, phonons, mode, 0.01)
    results = oracle.evaluate([up.to_ase(), down.to_ase()])
    moved = (up.cart_coords - down.cart_coords) / 2
    pull = (results[0]["forces"] - results[1]["forces"]) / 2
    assert np.linalg.norm(moved, axis=1).max() == pytest.approx(0.01)
    assert pull == pytest.approx(-63.546 * (frequency / THZ) ** 2 * moved, abs=2e-3 * np.abs(pull).max() + 1e-4)
