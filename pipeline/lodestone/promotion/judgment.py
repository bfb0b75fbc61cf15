"""The decision: a candidate is promoted if it is better than the champion beyond noise, and in nothing worse."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from lodestone.config.promotion import PromotionParams
from lodestone.promotion.criteria import Criterion, criteria_of
from lodestone.promotion.frozen_test import CommonTest

PROMOTED, REFUSED, FIRST, INCOMPARABLE = "promoted", "refused", "first", "incomparable"


@dataclass(frozen=True)
class Judgment:
    """The outcome for one candidate.

    Attributes:
        outcome: ``promoted``, ``refused``, ``first`` (there was no champion) or ``incomparable``.
        reasons: One sentence for each criterion, those that decided first.
        criteria: What was compared; empty if nothing was.
        test_set: Digest and size of the common test set; empty if nothing was compared.
    """

    outcome: str
    reasons: tuple[str, ...]
    criteria: tuple[Criterion, ...] = ()
    test_set: dict[str, Any] | None = None

    @property
    def promotes(self) -> bool:
        """Whether the candidate becomes the champion."""
        return self.outcome in (PROMOTED, FIRST)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self) | {"reasons": list(self.reasons), "criteria": [asdict(one) for one in self.criteria]}


def judge(common: CommonTest, params: PromotionParams, seed: int = 0) -> Judgment:
    """Compare a candidate with the champion on the test crystals that both have predicted.

    Args:
        common: Predictions of both.
        params: Thresholds.
        seed: Of the drawn test sets.
    """
    sizes = {"digest": common.digest, "n": len(common.table), "n_systems": common.n_systems}
    sizes |= {"n_candidate": common.n_candidate, "n_other_label": common.n_other_label}
    if common.n_systems < params.min_systems:
        reason = (
            f"both have predicted test crystals of {common.n_systems} chemical systems; it takes {params.min_systems}"
        )
        if common.n_other_label:
            reason += (
                f" ({common.n_other_label} test structures have other labels: another oracle, or other references)"
            )
        return Judgment(outcome=INCOMPARABLE, reasons=(reason,), test_set=sizes)
    criteria = criteria_of(common.table, params, seed)
    outcome = PROMOTED if all(one.holds for one in criteria) else REFUSED
    deciding_first = sorted(criteria, key=lambda one: one.holds)
    return Judgment(
        outcome=outcome, reasons=tuple(one.reason for one in deciding_first), criteria=criteria, test_set=sizes
    )
