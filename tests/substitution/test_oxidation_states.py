"""The tables are smact's, as smact itself reads them; reading them costs no import of it."""

import subprocess
import sys

import pytest

from lodestone.errors import LodestoneError
from lodestone.substitution import oxidation_states
from lodestone.substitution.oxidation_states import electronegativities, reported_states


@pytest.mark.parametrize("percent", [0.5, 5.0])
def test_states_are_those_that_smact_filters(percent):
    from smact.utils.oxidation import ICSD24OxStatesFilter

    table = ICSD24OxStatesFilter().filter(commonality=percent)
    theirs = dict(zip(table["element"], table["oxidation_state"], strict=True))
    ours = {
        symbol: " ".join(str(state) for state, share in states.items() if 100 * share >= percent)
        for symbol, states in reported_states().items()
    }
    assert {symbol: states for symbol, states in ours.items() if states} == theirs


def test_electronegativities_are_those_of_smact():
    from smact import Element

    assert {symbol: Element(symbol).pauling_eneg for symbol in electronegativities()} == dict(electronegativities())
    assert {"O", "W", "Te", "Fe"} <= electronegativities().keys()
    assert "He" not in electronegativities()


def test_shares_sum_to_one_and_oxygen_is_nearly_always_an_oxide():
    for states in reported_states().values():
        assert sum(states.values()) == pytest.approx(1)
        assert 0 not in states
    assert reported_states()["O"][-2] > 0.99


def test_neither_smact_nor_pandas_is_imported():
    code = (
        "import sys; from lodestone.substitution.charges import is_charge_balanced as balanced; "
        "assert balanced(('Na', 'Cl'), (1, 1)); assert not {'smact', 'pandas', 'pymatgen'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_lack_of_smact_is_named(monkeypatch):
    reported_states.cache_clear()
    monkeypatch.setattr(oxidation_states, "find_spec", lambda name: None)
    with pytest.raises(LodestoneError, match="which charge rules read, is not installed") as refused:
        reported_states()
    assert "requirements.lock" in refused.value.remedy
