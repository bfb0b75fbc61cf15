"""The example in the base class is true, and a label that is ok can be believed."""

import doctest

import numpy as np
import pytest
from fake_oracle import cube

from lodestone.oracles import base
from lodestone.oracles.base import Label


def test_the_example_in_the_docstring():
    ran = doctest.testmod(base)
    assert ran.attempted > 0
    assert ran.failed == 0


@pytest.mark.parametrize("energy", [None, float("nan"), float("-inf")])
def test_a_good_label_has_an_energy(energy):
    with pytest.raises(ValueError, match="needs a finite energy"):
        Label("ok", energy, cube(1))


def test_a_good_label_has_a_crystal():
    with pytest.raises(ValueError, match="and a crystal"):
        Label("ok", np.float64(-1.0))
