"""What is new about crystals as text for the terminal."""

from __future__ import annotations

from lodestone.ensemble.metrics import wilson_proportion
from lodestone.novelty.disorder import n_families
from lodestone.novelty.files import Judged

SHOWN = 40  # rows


def text(found: Judged, shown: int = SHOWN) -> str:
    """How many are of each class, with 95 % intervals, and a line for each of the first.

    Args:
        found: The answers.
        shown: Most lines; a last one counts the others.
    """
    answers = found.answers
    head = f"{len(answers)} crystals against {found.n_known:,} known ones"
    unread = [f"{n} of {name} cannot be used" for name, n in found.unread.items()]
    counts = dict(answers["novelty"].value_counts().sort("count", "novelty", descending=[True, False]).iter_rows())
    counts |= {"likely disordered": answers["likely_disorder"].count()}
    shares = [_share(word, n, len(answers)) for word, n in counts.items()]
    families = f"{n_families(answers)} families, with the ordered children of one disordered parent counted once"
    rows = [_line(row) for row in answers.head(shown).iter_rows(named=True)]
    more = [f"… and {len(answers) - shown} more"] if len(answers) > shown else []
    return "\n".join([head, *unread, "", *shares, families, "", *rows, *more])


def _share(word: str, hits: int, n: int) -> str:
    share = wilson_proportion(hits, n)
    if not n:
        return f"{hits:>6} {word}"
    ends = f"[{100 * share['low']:.0f}, {100 * share['high']:.0f}]"
    return f"{hits:>6} of {n}  {100 * share['rate']:5.1f} %  {ends}  {word}"


def _line(row: dict[str, str | None]) -> str:
    parts = [f"{row['formula_pretty']} ({row['material_id']}): {row['novelty']}"]
    parts += [f"known of this formula: {row['known_as']}"] if row["known_as"] else []
    parts += (
        [f"likely disordered: {row['likely_disorder']}, as {row['disorder_family']}"] if row["disorder_family"] else []
    )
    return "; ".join(parts)
