"""The rounds of a campaign: a chain in which each round names the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

if TYPE_CHECKING:
    pass

from lodestone.config.sections import Count, Name, Section


class RoundParams(Section):
    """One round of active learning."""

    next: Name = Field(description="name of the round that goes on from here")
    budget: Count = Field(description="candidates chosen by the acquisition for the oracle")
    random_baseline: int = Field(ge=0, description="candidates drawn at random beside them")


def round_names(rounds: dict[str, RoundParams]) -> list[str]:
    """Round names in the order of the chain."""
    follows = {settings.next for settings in rounds.values()}
    order = [name for name in rounds if name not in follows]
    while order and order[-1] in rounds and len(order) <= len(rounds):
        order.append(rounds[order[-1]].next)
    return order[:-1]


def check_chain(rounds: dict[str, RoundParams]) -> None:
    """Reject a chain of rounds with a gap, a fork or a cycle.

    Raises:
        ValueError: Says which round is wrong.
    """
    if not rounds:
        raise ValueError("rounds: at least one round is needed")
    targets = [settings.next for settings in rounds.values()]
    for target in targets:
        if targets.count(target) > 1:
            raise ValueError(f"rounds: two rounds name {target!r} as next")
    starts = [name for name in rounds if name not in targets]
    if not starts:
        raise ValueError("rounds: the chain is a cycle; one round must be nobody's next")
    if len(starts) > 1:
        raise ValueError(f"rounds: the chain has a gap: nobody names {starts[1]!r} as next")
    if starts[0] != "round_0":
        raise ValueError(f"rounds: the first round must be called round_0, not {starts[0]!r}")
    if len(round_names(rounds)) != len(rounds):
        raise ValueError("rounds: part of the chain is a cycle")
