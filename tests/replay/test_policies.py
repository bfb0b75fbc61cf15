"""Policies by their names."""

from pathlib import Path

import pytest

from lodestone.config.load import load_params
from lodestone.errors import LodestoneError
from lodestone.replay.policies import chosen_policies, policies_of

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def params():
    return load_params(ROOT / "params.yaml")


def test_all_are_chosen_where_none_is_named(params):
    assert chosen_policies(None, params) == policies_of(params)


def test_any_with_networks_can_be_kept_from_learning(params):
    known = policies_of(params)
    chosen = chosen_policies(["greedy-static", "with-relatives-static", "random"], params)
    assert list(chosen) == ["random", "greedy-static", "with-relatives-static"]
    assert not chosen["greedy-static"].learns
    assert chosen["greedy-static"].acquisition == known["greedy"].acquisition
    assert chosen["with-relatives-static"].relatives
    assert chosen_policies(["ours-static"], params)["ours-static"] == known["static"]


@pytest.mark.parametrize("name", ["random-static", "luck", "greedy-frozen"])
def test_others_are_refused(name, params):
    with pytest.raises(LodestoneError, match=f"there is no policy '{name}'") as told:
        chosen_policies([name], params)
    assert "NAME-static" in told.value.remedy
