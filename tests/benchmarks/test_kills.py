"""Kills at random moments: the accounts notice what they must notice, and a few kills cost what is in flight."""

from argparse import Namespace

import pytest

from kill_counts import FINISHED, GAVE_UP, KILLED, Attempt, appeared, count
from kills import are_well, tormented

NONE = frozenset()


def attempt(log: str, after: str = "", before: str = "", **more) -> Attempt:
    """Of a log such as ``s:a1 e:a1 k:a9``: label a started and ended by worker 1, and kept by run 9."""
    words = {"s": "start", "e": "end", "k": "kept"}
    lines = [(words[line[0]], line[2], int(line[3])) for line in log.split()]
    return Attempt(lines=lines, before=frozenset(before), after=frozenset(before + after), **more)


def test_a_run_that_nobody_kills_computes_each_label_once():
    counted = count(attempt("s:a1 s:b2 e:a1 k:a9 s:c1 e:b2 k:b9 e:c1 k:c9", "abc"), 2)
    assert (counted.n_started, counted.n_kept, counted.in_flight, counted.problems) == (3, 3, (), [])


def test_a_killed_worker_loses_the_label_that_it_was_at():
    counted = count(attempt("s:a1 e:a1 k:a9 s:b1 s:c2 e:c2 k:c9 s:b3 e:b3 k:b9", "abc", killed_workers=[1]), 2)
    assert (counted.n_started, counted.n_kept, counted.in_flight, counted.problems) == (4, 3, (1,), [])


def test_a_worker_that_is_killed_after_its_reply_loses_nothing():
    counted = count(attempt("s:a1 e:a1 k:a9", "a", killed_workers=[1]), 2)
    assert (counted.in_flight, counted.problems) == ((0,), [])


def test_a_killed_run_loses_what_its_workers_were_at_and_what_it_was_about_to_store():
    counted = count(attempt("s:a1 s:b2 e:a1 s:c1", end=KILLED), 2)
    assert (counted.n_started, counted.n_kept, counted.in_flight, counted.problems) == (3, 0, (3,), [])


def test_a_label_may_be_in_flight_at_two_kills_of_one_run():
    counted = count(attempt("s:a1 s:a2", killed_workers=[1, 2], end=GAVE_UP), 2)
    assert (counted.in_flight, counted.problems) == ((1, 1, 0), [])


def test_a_label_on_the_disk_that_was_not_announced_may_turn_up_later():
    first, second = (count(one, 2) for one in (attempt("s:a1 e:a1", end=KILLED), attempt("s:b2 e:b2 k:b9", "ab")))
    assert (first.in_flight, first.lost, second.late) == ((1,), {"a"}, {"a"})
    assert second.n_kept == 2
    assert appeared([first, second]) == []
    assert appeared([count(attempt("s:a1", end=KILLED), 2), second]) == ["a was stored and never computed"]
    assert appeared([second]) == ["a was stored and never computed"]


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (attempt("s:a1 e:a1 k:a9", end=KILLED), "a was stored and is gone"),
        (Attempt(lines=[], before=frozenset("a"), after=NONE), "a was stored and is gone"),
        (attempt("s:a1 e:a1 k:a9", before="a"), "a was stored and computed again"),
        (attempt("s:a1 e:a1 k:a9 s:a2 e:a2 k:a9", "a"), "a was computed in vain by process 1"),
        (attempt("s:a1 e:a1", end=FINISHED), "a was computed in vain by process 1"),
        (
            attempt("s:a1 s:b1 e:b1 k:b9 s:a2 e:a2 k:a9", "ab", killed_workers=[1]),
            "a was computed in vain by process 1",
        ),
        (attempt("s:a1 s:b2 s:c3 s:d4", end=KILLED), "4 labels were in flight in 2 workers"),
    ],
)
def test_what_no_kill_explains_is_a_problem(wrong, problem):
    assert any(one.startswith(problem) for one in count(wrong, 2).problems)


@pytest.mark.slow
def test_nothing_is_lost_and_nothing_computed_twice_but_what_was_in_flight(tmp_path):
    """The same as `python benchmarks/kills.py`, with five kills instead of a hundred."""
    own = Namespace(kills=5, lanes=2, workers=2, crystals=15, mean=0.1, seed=1)
    lanes, figures = tormented(own, tmp_path)
    assert figures["kills"] == sum(len(lane.victims) for lane in lanes) == 5
    assert are_well(figures), figures
    assert figures["crystals"] == sum(lane.batches for lane in lanes) * 15
    for name in ("kept", "computed", "equal_tables"):
        assert not are_well(figures | {name: figures[name] + 1})
