"""What the runs of a campaign hold, and when two campaigns are the same."""

import pytest

from lodestone.errors import LodestoneError
from lodestone.snapshot.sources.optimade import OptimadeParams
from lodestone.tables.files import write_json
from lodestone.tables.layout import METRICS, TIMINGS, Layout
from lodestone.tracking.projection import project
from lodestone.tracking.records import Point, flatten, points_of


def test_only_finite_numbers_become_points():
    content = {"a": {"b": 1, "c": None, "d": "text"}, "e": 0.5, "f": float("inf"), "g": [1, 2]}
    assert points_of(content, 3) == [Point("a.b", 1.0, 3), Point("e", 0.5, 3)]
    assert dict(flatten(content))["a.c"] is None


def test_runs_follow_the_chain_of_rounds(campaign, params):
    names = [child.name for child in project(campaign, params).children]
    assert names == [
        *("round_0/composition", "round_0/structure", "round_0"),
        *("round_1/composition", "round_1/structure", "round_1"),
    ]


def test_every_figure_lands_in_its_run(campaign, params):
    record = project(campaign, params)
    runs = {child.name: child for child in record.children}
    assert Point("validation_mae.member_1", 0.3, 2) in runs["round_0/structure"].points
    assert Point("timings.train.seconds_per_step", 0.02) in runs["round_0/structure"].points
    assert Point("timings.active_learning.seconds", 12.0) in runs["round_0"].points
    assert Point("timings.split.seconds", 1.0) in record.parent.points
    assert Point("campaign.n_discoveries", 3.0) in record.parent.points
    assert Point("hit_rate.model.rate", 0.75, 1) in record.parent.points
    timed = [point for run in (record.parent, *record.children) for point in run.points if "timings" in point.key]
    assert len(timed) == 2 * 2 * 2 + 2


def test_passwords_in_the_settings_are_no_parameters(campaign, params):
    snapshot = OptimadeParams(source="optimade", provider="https://me:secret@host/v1")
    record = project(campaign, params.model_copy(update={"snapshot": snapshot}))
    assert record.parent.params["snapshot.provider"] == "https://host/v1"


def test_digest_sees_content_but_neither_clock_nor_receipt(campaign, params):
    before = project(campaign, params).digest
    write_json({"seconds": 99.0}, campaign / TIMINGS / "split.json")
    write_json({"digest": before}, campaign / METRICS / "tracking.json")
    assert project(campaign, params).digest == before
    weights = Layout(campaign / "data").round("round_1").models("structure") / "member_0.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x7f")
    assert project(campaign, params).digest != before


def test_unfinished_campaign_is_refused(campaign, params):
    (campaign / METRICS / "round_1" / "active_learning.json").unlink()
    with pytest.raises(LodestoneError, match=r"round_1/active_learning\.json.*\n.*dvc repro"):
        project(campaign, params)
