"""Two runs of one tiny campaign, with the real oracle, that all tests here share.

`straight` runs its two rounds in one go, on two workers. `grown` gets there the hard way, on one: it is killed while
it verifies, run again, and given its second round only then. Neither knows the labels of the other. They run at the
same time, because most of a stage's time is the start-up of one Python process.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from tiny_campaign import DISCOVER, Campaign, Command, Outcome, make_campaign, round_line

Labels = dict[str, tuple[float, float | None]]
Hashes = dict[str, dict[str, str]]


@dataclass(frozen=True)
class Finished:
    """A campaign and how its run ended."""

    campaign: Campaign
    outcome: Outcome


@dataclass(frozen=True)
class Grown:
    """A campaign that was killed, run again, and then continued by a round."""

    campaign: Campaign
    labels_when_killed: Labels
    rerun: Outcome
    labels_after_rerun: Labels
    hashes_before_growth: Hashes
    growth: Outcome


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    """A campaign of two rounds that has not begun."""
    return make_campaign(tmp_path_factory.mktemp("template") / "campaign", rounds=2)


@pytest.fixture(scope="session")
def _straight(template: Campaign, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Campaign, Command]]:
    campaign = replace(template.copy(tmp_path_factory.mktemp("straight") / "campaign"), workers=2)
    command = campaign.start(*DISCOVER)
    yield campaign, command
    if command.process.poll() is None:
        command.kill()


@pytest.fixture(scope="session")
def grown(template: Campaign, tmp_path_factory: pytest.TempPathFactory, _straight: tuple[Campaign, Command]) -> Grown:
    campaign = template.copy(tmp_path_factory.mktemp("grown") / "elsewhere")
    campaign.edit(lambda params: params["rounds"].pop("round_1"))
    labels_when_killed = _kill_while_verifying(campaign)
    rerun = campaign.discover()
    assert rerun.code == 0, rerun.out + rerun.err
    labels, hashes = campaign.verified(), campaign.lock()
    campaign.edit(lambda params: params["rounds"].update(round_line(1)))
    return Grown(campaign, labels_when_killed, rerun, labels, hashes, campaign.discover())


@pytest.fixture(scope="session")
def straight(_straight: tuple[Campaign, Command]) -> Finished:
    campaign, command = _straight
    outcome = command.outcome()
    assert outcome.code == 0, outcome.out + outcome.err
    return Finished(campaign, outcome)


def _kill_while_verifying(campaign: Campaign, at_least: int = 2) -> Labels:
    command = campaign.start(*DISCOVER)
    while len(campaign.verified()) < at_least:
        assert command.process.poll() is None, command.outcome()
        time.sleep(0.02)
    command.kill()
    return campaign.verified()
