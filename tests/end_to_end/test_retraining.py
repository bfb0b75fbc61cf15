"""`lodestone retrain` as CI runs it: fresh clones of a bare repository, a DVC remote, a source that moves on, a gh."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
from retraining_world import BUDGET, RANDOM, World, known_and_new, make_world, shuffled
from tiny_campaign import Campaign, Outcome

from lodestone.retraining.alone import LOCK
from waiting import wait_for

pytestmark = pytest.mark.end_to_end

N_KNOWN, N_NEW = 150, 900  # compounds
LAST = ["active_learning@round_0", "opinions", "phonons", "report", "publish"]
KNOWN, NEW = known_and_new(N_KNOWN)
NEW = NEW.head(N_NEW)


@dataclass(frozen=True)
class Retrained:
    """A retraining, and what there was of it outside when it had ended."""

    runner: Campaign
    outcome: Outcome
    requests: list[dict[str, str]]
    branches: set[str]

    @property
    def body(self) -> str:
        return (self.runner.folder / "reports" / "retraining.md").read_text()

    def decision(self) -> dict:
        """The last decision in its registry."""
        told = self.runner.run("python", "-m", "lodestone", "decisions", "--json")
        assert told.code == 0, told.err
        return json.loads(told.out)[0]

    def champion(self) -> int:
        told = self.runner.run("python", "-m", "lodestone", "champion")
        return int(next(line for line in told.out.splitlines() if line.startswith("version")).split()[1])


@dataclass(frozen=True)
class Killed:
    """A retraining that was killed while it verified; another that came meanwhile; and the next one."""

    meanwhile: Outcome
    labels_when_killed: dict
    requests_when_killed: list[dict[str, str]]
    finished: Retrained


def retrained(world: World, runner: Campaign) -> Retrained:
    outcome = world.retrain(runner)
    assert outcome.code == 0, outcome.out + outcome.err
    return Retrained(runner, outcome, world.requests(), world.branches())


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> World:
    folder = tmp_path_factory.mktemp("world")
    return make_world(folder, str(folder / "storage"))


@pytest.fixture(scope="module")
def first(world) -> Retrained:
    """The first one ever, and somebody accepts its request."""
    world.provide(KNOWN)
    done = retrained(world, world.clone("first-runner"))
    world.merge(done.requests[0]["--head"])
    return done


@pytest.fixture(scope="module")
def idle(world, first) -> Retrained:
    return retrained(world, world.clone("idle", first.runner))


@pytest.fixture(scope="module")
def killed(world, first, idle) -> Killed:
    """There is new data, after the source was found unchanged."""
    world.provide(KNOWN, NEW)
    runner = world.clone("killed", first.runner)
    command = world.start(runner)
    wait_for(lambda: (runner.folder / LOCK).exists() or command.process.poll() is not None)
    wait_for(lambda: (runner.folder / LOCK).read_text() or command.process.poll() is not None)
    meanwhile = world.retrain(runner)
    wait_for(lambda: len(runner.verified()) >= 2 or command.process.poll() is not None)
    assert command.process.poll() is None, command.outcome()
    command.kill()
    labels, requests = runner.verified(), world.requests()
    return Killed(meanwhile, labels, requests, retrained(world, runner))


@pytest.fixture(scope="module")
def elsewhere(world, first, killed) -> Retrained:
    """Another runner with the same new data, before the request is accepted."""
    return retrained(world, world.clone("elsewhere", killed.finished.runner))


@pytest.fixture(scope="module")
def spoilt(world, first, elsewhere) -> Retrained:
    """The new crystals have each other's energies; the test crystals of the champion keep theirs."""
    world.provide(KNOWN, shuffled(NEW))
    return retrained(world, world.clone("spoilt", first.runner))


def test_the_first_is_put_forward_without_a_champion(world, first):
    (request,) = first.requests
    assert (request["--title"], request["--base"]) == ("Retraining: first", "main")
    assert "there was no champion to compare it with" in first.body
    assert first.branches == {"main", request["--head"]}
    for name in ("dvc.lock", "snapshot.version"):
        assert world.git("show", f"{request['--head']}:{name}") == (first.runner.folder / name).read_text()
    changed = world.git("diff", "--name-only", f"{request['--head']}^", request["--head"])
    assert changed.split() == ["dvc.lock", "snapshot.version"]
    assert first.runner.run("git", "symbolic-ref", "--short", "HEAD").out == "main\n"
    assert first.body in world.summary.read_text()


def test_nothing_new_and_nothing_runs(first, idle, world):
    assert idle.outcome.ran == []
    assert "Nothing is new" in idle.outcome.out
    assert (idle.requests, idle.branches) == (first.requests, first.branches)
    assert idle.runner.verified() == {}
    assert not (idle.runner.folder / "reports" / "retraining.md").exists()
    assert "Nothing is new" in world.summary.read_text()


def test_of_two_at_once_one_stops_and_says_so(killed):
    assert killed.meanwhile.code == 75
    assert "waiting: another retraining runs in this folder (process " in killed.meanwhile.err
    assert "--wait" in killed.meanwhile.err
    assert "Traceback" not in killed.meanwhile.err
    assert killed.meanwhile.ran == []


def test_killed_while_verifying_the_next_finishes_and_verifies_nothing_twice(first, killed):
    finished = killed.finished
    assert 2 <= len(killed.labels_when_killed) < BUDGET + RANDOM
    assert killed.requests_when_killed == first.requests
    assert finished.outcome.ran == LAST
    labels = finished.runner.verified()
    assert len(labels) == BUDGET + RANDOM
    assert {key: labels[key] for key in killed.labels_when_killed} == killed.labels_when_killed
    assert len(finished.requests) == len(first.requests) + 1


def test_new_data_that_helps_is_learned_and_promoted(killed):
    finished = killed.finished
    decision = finished.decision()
    assert (decision["outcome"], decision["champion"]["version"], finished.champion()) == ("promoted", 1, 2)
    assert finished.requests[-1]["--title"] == "Retraining: promoted"
    assert all(f"- {reason}\n" in finished.body for reason in decision["reasons"])
    assert f"added                   {N_NEW}" in finished.body
    assert "train@composition-round_0" in finished.body
    before, now = (float(cell) for cell in _row(finished.body, "test_mae")[1:3])
    assert now < before
    assert (finished.runner.folder / "reports" / "drift.html").is_file()


def test_another_runner_takes_all_from_the_storage_and_asks_for_nothing_again(killed, elsewhere):
    assert elsewhere.outcome.ran == []
    assert elsewhere.runner.verified() == {}
    assert elsewhere.requests == killed.finished.requests
    assert elsewhere.branches == killed.finished.branches
    assert "(there already): https://example.org/pull/1" in elsewhere.outcome.out


def test_shuffled_labels_are_learned_and_refused(first, elsewhere, spoilt):
    decision = spoilt.decision()
    assert (decision["outcome"], spoilt.champion()) == ("refused", 1)
    assert "train@composition-round_0" in spoilt.outcome.ran
    assert len(spoilt.requests) == len(elsewhere.requests) + 1
    assert spoilt.requests[-1]["--title"] == "Retraining: refused"
    assert "refused; the champion stays" in spoilt.body
    assert "not better beyond noise" in spoilt.body
    assert all(f"- {reason}\n" in spoilt.body for reason in decision["reasons"])


def _row(body: str, name: str) -> list[str]:
    line = next(line for line in body.splitlines() if line.startswith(f"| {name} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]
