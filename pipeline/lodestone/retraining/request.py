"""The text of a pull request: verdict with reasons, what changed in the source, figures before and after."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lodestone.retraining.findings import DRIFT_PAGE, Findings, Side
from lodestone.tables.layout import REPORTS
from lodestone.tracking.promotions import describe

CURVES = {"test_mae_ensemble": "Test MAE, eV/atom", "hit_rate_model": "Hit rate of the models' choice"}
_NOTHING = "–"


def title_of(findings: Findings) -> str:
    """One line: what became of the candidate."""
    outcome = findings.decision["outcome"] if findings.decision else "not judged yet"
    return f"Retraining: {outcome}"


def body_of(findings: Findings) -> str:
    """The text, in the Markdown of GitHub."""
    changes = _changes(findings.before.summary, findings.after.summary)
    sections = (
        ("Verdict", _verdict(findings)),
        ("Source", _source(findings)),
        ("Figures", _table(("figure", "before", "now", "change"), changes)),
        ("Rounds", _rounds(findings.before, findings.after)),
        ("Accuracy gate", _accuracy(findings)),
        ("What ran", f"Since {findings.commit[:12]}, these stages have other inputs: {', '.join(findings.stages)}."),
    )
    parts = [f"# {title_of(findings)}", *(f"## {name}\n\n{text}" for name, text in sections if text)]
    return "\n\n".join([*parts, f"The whole report is `{REPORTS / 'campaign.html'}`."]) + "\n"


def _verdict(findings: Findings) -> str:
    if findings.decision is None:
        return f"Not judged yet: {findings.deferred}. `lodestone publish` does it later; until then the champion stays."
    head, *_ = describe(dict(findings.decision)).splitlines()
    reasons = "\n".join(f"- {reason}" for reason in findings.decision["reasons"])
    size = findings.decision.get("test_set") or {}
    on = "\n\nMeasured on {n} test structures of {n_systems} chemical systems that both have predicted." if size else ""
    return f"**{head}**\n\n{reasons}{on.format(**size)}"


def _source(findings: Findings) -> str:
    refreshed = findings.refreshed
    line = f"`{refreshed.source}`: {refreshed.now}"
    line += f", it was {refreshed.before or 'not asked before'}" if refreshed.changed else ", as before"
    page = f"\n\nThe page `{DRIFT_PAGE}` has each crystal." if "\n" in findings.drift else ""
    return f"{line}\n\n```\n{findings.drift}\n```{page}"


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterable[Sequence[str]]:
    for name in {**before, **after}:
        old, new = before.get(name), after.get(name)
        change = "" if old is None or new is None or old == new else f"{new - old:+.4g}"
        yield name, _number(old), _number(new), change


def _rounds(before: Side, after: Side) -> str:
    """The curves of both campaigns: a table, and a figure of each that GitHub draws."""
    head = ("round", *(f"{title}, {side}" for title in CURVES.values() for side in ("before", "now")))
    n = max(len(before.rounds), len(after.rounds))
    rows = [[str(k), *(_number(_at(side, k, name)) for name in CURVES for side in (before, after))] for k in range(n)]
    figures = (_figure(name, before, after) for name in CURVES)
    return "\n\n".join([_table(head, rows), *filter(None, figures)])


def _figure(name: str, before: Side, after: Side) -> str:
    """A chart of Mermaid, where every round has a value; the campaign before is drawn if it had as many rounds."""
    old, new = ([row[name] for row in side.rounds if row.get(name) is not None] for side in (before, after))
    if len(new) < max(2, len(after.rounds)):
        return ""
    curves = [curve for curve in (old, new) if len(curve) == len(new)]
    title = f"{CURVES[name]} ({'before, then now' if len(curves) > 1 else 'now'})"
    lines = [f"  line [{', '.join(f'{value:.4f}' for value in curve)}]" for curve in curves]
    axis = f"  x-axis [{', '.join(str(k) for k in range(len(new)))}]"
    return "\n".join(["```mermaid", "xychart-beta", f'  title "{title}"', axis, *lines, "```"])


def _accuracy(findings: Findings) -> str:
    rows = []
    for one in findings.accuracy:
        bounds = f"{_number(one.low)} to {_number(one.high)}"
        rows.append((one.name, _number(one.value), bounds, "ok" if one.holds else "**OUTSIDE**"))
    return _table(("figure", "now", "bounds", ""), rows) if rows else ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _at(side: Side, index: int, name: str) -> Any:
    return side.rounds[index].get(name) if index < len(side.rounds) else None


def _number(value: Any) -> str:
    return _NOTHING if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
