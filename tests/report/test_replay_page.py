"""The page of a replay: every policy told apart, every figure there, nothing loaded."""

from lodestone.replay.campaign import Run
from lodestone.replay.summary import summarize
from lodestone.report.replay_page import discovery_curves, hit_rates, render

POLICIES = ["ours", "random", "likeliest-substitution", "greedy", "composition", "structure", "uncalibrated", "static"]
FACTS = {"known": "known.parquet", "pool": "pool.parquet", "budget": 4, "rounds": 2, "seeds": 2, "n_known": 1234}


def run(policy, seed, *finds):
    return Run(policy, seed, 20, 3, [list(finds[:2]), list(finds[2:])], [False] * (17 - len(finds)) + [True] * 3)


def summary():
    runs = [run(name, seed, seed == 0, True, False, False) for name in POLICIES for seed in range(2)]
    return summarize(runs, FACTS)


def test_policies_look_unlike_each_other():
    found = summary()
    for drawn in (discovery_curves(found, found["policies"]), hit_rates(found["policies"])):
        looks = [(one.line.color, one.line.dash) for one in drawn.data if one.name in POLICIES]
        assert len(looks) == len(set(looks)) == len(POLICIES)


def test_curves_end_with_the_mean_number_of_finds_between_chance_and_perfection():
    found = summary()
    curves = {one.name: list(one.y) for one in discovery_curves(found, found["policies"]).data}
    assert curves["ours"] == [0, 0.5, 1.5, 1.5, 1.5]
    assert curves["perfect choice"] == [0, 1, 2, 3, 3]
    assert curves["random, on average"] == [0, 0.15, 0.3, 0.45, 0.6]


def test_the_page_tells_every_figure_and_loads_nothing():
    page = render(summary())
    assert "4 of 20 candidates verified in 2 rounds, 1,234 crystals known; 3 candidates are stable (15.0%)" in page
    assert "it cannot exceed 5.00" in page
    assert '<td class="name">likeliest-substitution</td>' in page
    assert "2.50" in page  # acceleration: 1.5 of 4 verified over 3 of 20
    assert 'src="http' not in page
    assert render(summary()) == page


def test_a_single_seed_has_no_intervals():
    page = render(summarize([run("ours", 0, True, True, False, True)], FACTS | {"seeds": 1}))
    assert "One seed: no intervals." in page
    assert " to " not in page.split("<tbody>")[1].split("</tbody>")[0]
