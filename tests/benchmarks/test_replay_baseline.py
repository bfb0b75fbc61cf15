from pathlib import Path

from lodestone.config.load import load_params
from replay import with_baseline

PARAMS = load_params(Path(__file__).parents[2] / "params.yaml")


def test_a_baseline_is_that_of_every_view_and_changes_nothing_else():
    changed = with_baseline(PARAMS, "hull")
    assert [changed.view(name).baseline for name in changed.views] == ["hull"] * len(PARAMS.views)
    assert [PARAMS.view(name).baseline for name in PARAMS.views] == ["elements"] * len(PARAMS.views)
    assert with_baseline(changed, "elements").model_dump() == PARAMS.model_dump()
    assert with_baseline(PARAMS, None) is PARAMS
