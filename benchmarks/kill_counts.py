"""Whether the log of a run that was killed and the label store agree: nothing lost, nothing computed for nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

FINISHED, KILLED, GAVE_UP = "finished", "killed", "gave up"
Line = tuple[str, str, int]  # word, key, process


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A run from its start to its end, which may be violent.

    Attributes:
        lines: Its log.
        before: Keys in the store when it began.
        after: Keys in the store when all of its processes were gone.
        killed_workers: Worker processes that were killed.
        end: ``finished``, ``killed``, or ``gave up`` (workers died three times without a label in between).
    """

    lines: Sequence[Line]
    before: frozenset[str]
    after: frozenset[str]
    killed_workers: Sequence[int] = ()
    end: str = FINISHED


@dataclass(frozen=True, kw_only=True)
class Count:
    """What an attempt cost.

    Attributes:
        n_started: Labels that it began to compute.
        n_kept: Labels that it brought into the store.
        in_flight: Labels whose computing was in vain, for each kill: those of the killed workers, then that of the run.
        problems: Whatever a kill does not explain; empty if all is well.
    """

    n_started: int
    n_kept: int
    in_flight: tuple[int, ...]
    problems: list[str] = field(default_factory=list)


def count(attempt: Attempt, workers: int) -> Count:
    """Explain each label that was computed and not stored by the kill that it was in flight at.

    A killed worker loses the label that it was at. A killed run loses what its workers were at and what it was about to
    store: a worker gets its next crystal before its last label is stored.

    Args:
        attempt: The run.
        workers: Number of its worker processes.
    """
    starts = [(key, process) for word, key, process in attempt.lines if word == "start"]
    kept = {key for word, key, _ in attempt.lines if word == "kept"}
    problems = [f"{key} was stored and is gone" for key in sorted((attempt.before | kept) - attempt.after)]
    problems += [f"{key} was stored and computed again" for key, _ in starts if key in attempt.before]
    last_of_key = {key: place for place, (key, _) in enumerate(starts)}
    last_of_process = {process: place for place, (_, process) in enumerate(starts)}
    by_worker, by_run = dict.fromkeys(attempt.killed_workers, 0), 0
    for place, (key, process) in enumerate(starts):
        if key in attempt.after and place == last_of_key[key]:
            continue
        if process in by_worker and place == last_of_process[process]:
            by_worker[process] += 1
        elif attempt.end != FINISHED and key not in attempt.after and place == last_of_key[key]:
            by_run += 1
        else:
            problems.append(f"{key} was computed in vain by process {process}, which no kill explains")
    if by_run > workers + 1:
        problems.append(f"{by_run} labels were in flight in {workers} workers")
    ends = (by_run,) if attempt.end != FINISHED else ()
    n_kept = len(attempt.after - attempt.before)
    return Count(n_started=len(starts), n_kept=n_kept, in_flight=(*by_worker.values(), *ends), problems=problems)
