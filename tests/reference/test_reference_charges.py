"""The rule by which the reference set was decorated, which must not change under it."""

import pytest

from lodestone.reference.charges import is_charge_balanced


@pytest.mark.parametrize(
    ("elements", "counts", "balanced"),
    [
        (("Na", "Cl"), (1, 1), True),
        (("Cl", "Na"), (4, 4), True),
        (("Na", "Cl"), (1, 2), False),
        (("Mg", "O"), (1, 1), True),
        (("Fe", "O"), (2, 3), True),
        (("Fe", "O"), (1, 1), True),
        (("Fe", "O"), (2, 1), False),
        (("Fe", "O"), (3, 4), False),  # needs both states at once, and each element has one
        (("Sr", "Ti", "O"), (1, 1, 3), True),
        (("Na", "Ti", "O"), (1, 1, 3), False),
        (("S", "O"), (1, 2), False),  # two anions
        (("Na", "K"), (1, 1), False),  # two metals
        (("He", "O"), (1, 1), False),  # no oxidation state at all
    ],
)
def test_charge_balance(elements, counts, balanced):
    assert is_charge_balanced(elements, counts) == balanced
