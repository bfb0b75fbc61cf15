"""What the runs of a campaign hold, and when two campaigns are the same."""

import pytest

from lodestone.config.promotion import PromotionParams
from lodestone.errors import LodestoneError
from lodestone.snapshot.sources.optimade import OptimadeParams
from lodestone.tables.files import write_json
from lodestone.tables.layout import METRICS, TIMINGS, Layout
from lodestone.tracking.projection import project
from lodestone.tracking.records import Point, flatten, points_of


def test_only_finite_numbers_become_points():
    content = {"a": {"b": 1, "c": None, "d": "text"}, "e": 0.5, "f": float("inf"), "g": [1, 2]}
    assert points_of(content, "group", 3) == [Point("group/a.b", 1.0, 3), Point("group/e", 0.5, 3)]
    assert dict(flatten(content))["a.c"] is None
    assert points_of({"a": {"b": {"c": 1}}}) == [Point("a/b.c", 1.0)]


def test_runs_follow_the_chain_of_rounds(campaign, params):
    names = [child.name for child in project(campaign, params).children]
    assert names == [
        *("round_0/composition", "round_0/structure", "round_0"),
        *("round_1/composition", "round_1/structure", "round_1"),
    ]


def test_every_figure_lands_in_its_run(campaign, params):
    record = project(campaign, params)
    runs = {child.name: child for child in record.children}
    assert Point("within_training/validation_mae.member_1", 0.3, 2) in runs["round_0/structure"].points
    assert Point("wall_time/train.seconds_per_step", 0.02) in runs["round_0/structure"].points
    assert Point("wall_time/active_learning.seconds", 12.0) in runs["round_0"].points
    assert Point("within_round/active_learning.hit_rate.model.rate", 0.75) in runs["round_1"].points
    assert Point("hit_rate/models", 0.75, 1) in record.parent.points
    timed = [point for run in record.children for point in run.points if "wall_time" in point.key]
    assert len(timed) == 2 * 2 * 2 + 1
    assert record.parent.seconds == 1.0 + 12.0 + 4 * 3.5
    assert runs["round_0/structure"].seconds == 3.5


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


def test_labels_are_named_by_whose_they_are(campaign, params):
    oracle = Layout(campaign / "data").oracle
    facts = {"name": "toy", "settings": {"fmax": 0.1}, "versions": {"ase": "3.29"}}
    kinds = {project(campaign, params).labels}
    for change in ({"name": "other"}, {"settings": {"fmax": 0.2}}):
        write_json(facts | change, oracle)
        kinds.add(project(campaign, params).labels)
    assert len(kinds) == 3
    write_json(facts | {"caveat": "It knows no dispersion.", "versions": {"ase": "3.30"}}, oracle)
    assert project(campaign, params).labels in kinds
    write_json({"label_method": "dft-pbe", "correction_scheme": "MP2020"}, Layout(campaign / "data").provenance)
    own = params.model_copy(update={"label": params.label.model_copy(update={"scale": "source"})})
    assert project(campaign, own).labels == "dft-pbe, MP2020"


def test_thresholds_of_promotion_are_no_part_of_the_digest(campaign, params):
    stricter = params.model_copy(update={"promotion": PromotionParams(min_gain=0.1)})
    assert project(campaign, stricter).digest == project(campaign, params).digest


def test_datasets_have_digests_of_crystals_and_labels(campaign, params):
    record = project(campaign, params)
    assert [dataset.context for dataset in record.parent.datasets] == ["snapshot", "training", "validation", "test"]
    first, second = (next(run for run in record.children if run.name == name) for name in ("round_0", "round_1"))
    digests = [{one.context: one.digest for one in run.datasets} for run in (first, second)]
    assert digests[0]["test"] == digests[1]["test"]
    assert digests[0]["training"] != digests[1]["training"]
    assert all(0 < len(one.digest) <= 36 for run in record.children for one in run.datasets)


def test_the_headline_is_short_and_grouped(campaign, params):
    points = project(campaign, params).parent.points
    assert {point.step for point in points} == {0, 1}
    assert all("/" in point.key for point in points)
    assert len({point.key for point in points}) <= 20


def test_unfinished_campaign_is_refused(campaign, params):
    (campaign / METRICS / "round_1" / "active_learning.json").unlink()
    with pytest.raises(LodestoneError, match=r"round_1/active_learning\.json.*\n.*dvc repro"):
        project(campaign, params)
