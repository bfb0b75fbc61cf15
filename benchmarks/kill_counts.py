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
        in_flight: Labels that were begun and not stored, for each kill: those of killed workers, then that of the run.
        lost: Keys of those that had been computed to the end.
        late: Keys that are in the store without having been computed in this run.
        problems: Whatever a kill does not explain; empty if all is well.
    """

    n_started: int
    n_kept: int
    in_flight: tuple[int, ...]
    lost: frozenset[str]
    late: frozenset[str]
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
    by_worker, by_run, lost = dict.fromkeys(attempt.killed_workers, 0), 0, set()
    for place, (key, process) in enumerate(starts):
        if key in attempt.after and place == last_of_key[key]:
            continue
        lost.add(key)
        if process in by_worker and place == last_of_process[process]:
            by_worker[process] += 1
        elif attempt.end != FINISHED and key not in attempt.after and place == last_of_key[key]:
            by_run += 1
        else:
            problems.append(f"{key} was computed in vain by process {process}, which no kill explains")
    if by_run > workers + 1:
        problems.append(f"{by_run} labels were in flight in {workers} workers")
    ends = (by_run,) if attempt.end != FINISHED else ()
    new = attempt.after - attempt.before
    return Count(
        n_started=len(starts),
        n_kept=len(new),
        in_flight=(*by_worker.values(), *ends),
        lost=frozenset(lost & {key for word, key, _ in attempt.lines if word == "end"}),
        late=new - last_of_key.keys(),
        problems=problems,
    )


def appeared(counts: Sequence[Count]) -> list[str]:
    """Labels of runs, in their order, that came into the store without having been computed in the run or before.

    A run may be killed when a label is on the disk, but has not been announced to other users of the file. They see it
    when the file is next opened afresh; until then it counts as lost.
    """
    lost: set[str] = set()
    problems = []
    for one in counts:
        problems += [f"{key} was stored and never computed" for key in sorted(one.late - lost)]
        lost |= one.lost
    return problems
