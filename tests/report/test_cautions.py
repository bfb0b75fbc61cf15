"""Layers, chains and molecules in crystals that everybody knows, and magnetism that nobody looked for."""

import numpy as np
import pytest
from ase.build import bulk, graphene, mx2

from lodestone.crystals.crystal import Crystal
from lodestone.report.cautions import bonded_into, cautions


def _of(atoms) -> Crystal:
    return Crystal(np.array(atoms.cell), atoms.numbers, atoms.get_scaled_positions())


def _graphite() -> Crystal:
    return _of(graphene(a=2.46, vacuum=3.35 / 2))


@pytest.mark.parametrize(
    ("crystal", "words"),
    [
        (_of(bulk("NaCl", "rocksalt", a=5.64)), "a framework"),
        (_of(bulk("Si")), "a framework"),
        (_graphite(), "layers"),
        (_of(mx2("MoS2", a=3.18, thickness=3.19, vacuum=1.5)), "layers"),
        (Crystal(6 * np.eye(3), [53, 53], [[0, 0, 0], [0.45, 0, 0]]), "molecules"),
    ],
    ids=["NaCl", "Si", "graphite", "MoS2", "I2"],
)
def test_what_is_bonded_into_what(crystal, words):
    said = bonded_into(crystal)
    assert said.split(" (score ")[0] == words
    assert float(said.split("score ")[1].rstrip(")")) > 0.3


def test_magnetic_elements_are_named_and_others_not():
    iron = cautions(_of(bulk("FeO", "rocksalt", a=4.3)))
    assert ["Fe" in text for name, text in iron if name == "Magnetism"] == [True]
    assert [name for name, _ in cautions(_of(bulk("MgO", "rocksalt", a=4.2)))] == ["Bonded into"]
