"""The text of a request says what was decided and why, and never more than is known."""

import re
from dataclasses import replace

import pytest

from lodestone.release.gate import Verdict
from lodestone.retraining import findings as findings_module
from lodestone.retraining.findings import Findings, Side
from lodestone.retraining.request import body_of, title_of
from lodestone.snapshot.version import Refreshed
from lodestone.tracking.client import StoreError

DECISION = {
    "outcome": "refused",
    "reasons": ["MAE 0.2 eV/atom against the champion's 0.1", "F1 of stability 0.9 against 0.9"],
    "candidate": {"version": 5, "round": "round_1"},
    "champion": {"version": 3},
    "test_set": {"n": 340, "n_systems": 120},
}
ROWS = [{"test_mae_ensemble": 0.3, "hit_rate_model": 0.5}, {"test_mae_ensemble": 0.2, "hit_rate_model": None}]
FOUND = Findings(
    commit="0123456789abcdef",
    refreshed=Refreshed("optimade", "last modified 2026-01-01", "last modified 2026-02-01"),
    stages=("snapshot", "validate"),
    before=Side({"test_mae": 0.25, "discoveries": 10}, tuple(ROWS)),
    after=Side({"test_mae": 0.2, "discoveries": 12, "formulas": 11}, tuple(ROWS)),
    drift="old  before: 3 crystals\nnew  now: 4 crystals",
    decision=DECISION,
    deferred="",
    accuracy=(Verdict("test_mae_ensemble", 0.2, None, 0.15, "0.1 ± 0.01 over 5 seeds"),),
)


def rows(body: str) -> dict[str, list[str]]:
    """Cells of the lines of all tables, by the first one."""
    cells = [re.split(r" *\| *", line.strip("| ")) for line in body.splitlines() if line.startswith("| ")]
    return {first: rest for first, *rest in cells}


def test_the_verdict_comes_first_with_its_reasons():
    body = body_of(FOUND)
    assert title_of(FOUND) == "Retraining: refused"
    head = "# Retraining: refused\n\n## Verdict\n\n**version 5 (round_1): refused; the champion stays**"
    assert body.startswith(head)
    assert all(f"- {reason}\n" in body for reason in DECISION["reasons"])
    assert "Measured on 340 test structures of 120 chemical systems" in body


def test_a_champion_that_cannot_be_compared_stays_and_the_reason_is_told():
    reason = "it learned labels of toy, the champion (version 3) those of chgnet-0.3.0"
    decision = DECISION | {"outcome": "incomparable", "reasons": [reason], "test_set": None}
    body = body_of(replace(FOUND, decision=decision))
    assert body.startswith("# Retraining: incomparable\n")
    assert f"cannot be compared; the champion stays**\n\n- {reason}\n" in body
    assert "Measured on" not in body


def test_figures_before_and_now_stand_side_by_side():
    found = rows(body_of(FOUND))
    assert found["test_mae"] == ["0.25", "0.2", "-0.05"]
    assert found["discoveries"] == ["10", "12", "+2"]
    assert found["formulas"] == ["–", "11"]
    assert found["1"] == ["0.2", "0.2", "–", "–"]
    assert found["test_mae_ensemble"] == ["0.2", "– to 0.15", "**OUTSIDE**"]


def test_only_whole_curves_are_drawn():
    body = body_of(FOUND)
    assert body.count("xychart-beta") == 1
    assert "  line [0.3000, 0.2000]\n  line [0.3000, 0.2000]" in body
    one = body_of(replace(FOUND, before=Side({}, ())))
    assert one.count("  line [") == 1
    assert "xychart" not in body_of(replace(FOUND, after=Side({}, tuple(ROWS[:1]))))


def test_what_could_not_be_judged_is_not_judged():
    body = body_of(replace(FOUND, decision=None, deferred="MLflow store http://x cannot be used: no answer"))
    assert "Not judged yet: MLflow store http://x cannot be used: no answer." in body
    assert "until then the champion stays" in body
    assert "promoted" not in body


@pytest.mark.parametrize(("before", "told"), [(None, "it was not asked before"), ("1", "it was 1"), ("2", "as before")])
def test_the_source_is_named_with_its_versions(before, told):
    assert f"`file`: 2, {told}\n" in body_of(replace(FOUND, refreshed=Refreshed("file", before, "2")))


def test_a_tracking_server_that_is_down_defers_the_verdict(monkeypatch, tmp_path):
    def refuse(*_):
        raise StoreError("MLflow store http://x cannot be used: no answer", "check it")

    monkeypatch.setattr(findings_module, "publish", refuse)
    told = findings_module._judged(None, tmp_path)
    assert told == (None, "MLflow store http://x cannot be used: no answer")
