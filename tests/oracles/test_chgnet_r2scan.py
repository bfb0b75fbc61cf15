"""CHGNet on the scale of r2SCAN: energies of its own, and no label of the other weights moved by it."""

import numpy as np
import pytest
from test_chgnet import SETTINGS, chgnet, shaken_salt

from lodestone.config.registry import ORACLES
from lodestone.crystals.crystal import Crystal
from lodestone.curation.source_scale import _schemes
from lodestone.errors import LodestoneError
from lodestone.oracles.attempt import label_one
from lodestone.oracles.store import label_key

SALT = Crystal(4.0 * np.eye(3), [11, 17], [[0, 0, 0], [0.5, 0.5, 0.5]])
PINNED = {"ase": "3.29.0", "chgnet": "0.4.2", "numpy": "2.4.0", "pymatgen": "2026.1.1", "torch": "2.13.0"}


def r2scan(**settings):
    kept = {name: value for name, value in SETTINGS.items() if name != "min_energy_per_atom"}
    return ORACLES.make(
        "chgnet-r2scan", ORACLES.settings("chgnet-r2scan", {"name": "chgnet-r2scan", **kept, **settings})
    )


def test_keys_of_labels_by_the_other_weights_are_those_they_always_had():
    relaxing, static = chgnet(), chgnet().static()
    for oracle in (relaxing, static):
        oracle.versions = PINNED
    assert label_key(relaxing, SALT) == "202a44904b0be8f9911d870f4124b838"
    assert label_key(static, SALT) == "50cf0baedabb5f8ed0abe2ad7dff5d85"


def test_names_keys_and_caveat_are_its_own():
    oracles = [oracle for one in (chgnet(), r2scan()) for oracle in (one, one.static())]
    assert [oracle.name for oracle in oracles[2:]] == ["chgnet-r2scan", "chgnet-r2scan-static"]
    assert len({label_key(oracle, SALT) for oracle in oracles}) == 4
    assert "r2SCAN" in r2scan().caveat
    assert "MP2020" not in r2scan().caveat


@pytest.mark.slow
def test_salt_relaxes_on_a_scale_of_its_own_and_leaves_the_other_alone():
    before = label_one(chgnet(), shaken_salt())
    label = label_one(r2scan(), shaken_salt())
    after = label_one(chgnet(), shaken_salt())
    assert label.ok
    assert np.linalg.norm(label.crystal.lattice, axis=1) == pytest.approx([5.6] * 3, abs=0.15)
    assert label.energy_per_atom < before.energy_per_atom - 1
    assert (before.energy_per_atom, before.crystal.digest()) == (after.energy_per_atom, after.crystal.digest())
    static = label_one(r2scan().static(), label.crystal)
    assert static.energy_per_atom == pytest.approx(label.energy_per_atom, abs=1e-5)


@pytest.mark.slow
def test_a_heavy_metal_is_no_artifact():
    tungsten = Crystal(3.2 * np.eye(3), [74, 74], [[0, 0, 0], [0.5, 0.5, 0.5]])
    label = label_one(r2scan(), tungsten)
    assert label.ok
    assert label.energy_per_atom < -40


def test_the_limit_for_energies_of_pbe_is_refused():
    with pytest.raises(ValueError, match="min_energy_per_atom"):
        r2scan(min_energy_per_atom=-15.0)


@pytest.mark.slow
def test_an_element_that_it_has_not_learned_gets_a_reason_and_the_others_a_label():
    oxide = Crystal(4.9 * np.eye(3), [70, 8], [[0, 0, 0], [0.5, 0.5, 0.5]])
    labels = dict(r2scan().static().label([oxide, SALT]))
    assert labels[0].status == "unseen_element: Yb"
    assert labels[1].ok


@pytest.mark.slow
def test_what_it_has_not_learned_has_no_energy_in_its_weights():
    from chgnet.model import CHGNet

    from lodestone.crystals.elements import ATOMIC_NUMBERS
    from lodestone.oracles.chgnet_r2scan import _UNSEEN

    weights = CHGNet.load(model_name="r2scan", use_device="cpu", verbose=False).composition_model.fc.weight
    absent = np.flatnonzero(np.abs(weights.detach().numpy().ravel()) < 1e-2) + 1
    assert {symbol for symbol, number in ATOMIC_NUMBERS.items() if number in absent} == _UNSEEN


def test_no_rule_of_corrections_is_applied_to_its_energies():
    with pytest.raises(LodestoneError, match="those in the energies of chgnet-r2scan are not known"):
        _schemes(None, r2scan())
