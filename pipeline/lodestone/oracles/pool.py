"""Labels for many crystals, stored one by one as they arrive, even if worker processes die."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from lodestone.crystals.crystal import Crystal
from lodestone.errors import LodestoneError
from lodestone.oracles.attempt import TimeIsUp, label_one, labels_of, reason
from lodestone.oracles.base import WORKER_DIED, Label, Oracle
from lodestone.oracles.store import LabelStore, label_keys
from lodestone.runtime.chunks import chunks
from lodestone.runtime.executor import run_all, run_each
from lodestone.runtime.parallel import WorkerDiedError
from lodestone.runtime.progress import track

_HOPELESS = 3  # deaths without a label in between: the machine or the installation is at fault, not a crystal


def label_all(oracle: Oracle, crystals: Sequence[Crystal], store: LabelStore, title: str) -> list[Label]:
    """Label crystals, calling the oracle only for those missing from the store.

    Failures of the machine (memory, time) are not stored, so the next call tries again.

    Args:
        oracle: Picklable oracle.
        crystals: Crystals to label; equal ones are labelled once.
        store: Where each label is kept as soon as it exists.
        title: Text of the progress bar.

    Returns:
        One label per crystal, in the same order.

    Raises:
        LodestoneError: If the oracle raises one, or worker processes keep dying.
    """
    keys = label_keys(oracle, crystals)
    labels = {key: label for key in set(keys) if (label := store.get(key)) is not None}
    missing = {key: crystal for key, crystal in zip(keys, crystals, strict=True) if key not in labels}
    for key, label in track(_fresh(oracle, missing), total=len(missing), title=title):
        if not label.is_passing:
            store.put(key, oracle, label)
        labels[key] = label
    _warn([labels[key] for key in missing if labels[key].is_passing])
    return [labels[key] for key in keys]


def _fresh(oracle: Oracle, crystals: Mapping[str, Crystal]) -> Iterator[tuple[str, Label]]:
    """Labels as they arrive; crystals without one, or short of memory, come last, each alone."""
    unlabelled = dict(crystals)
    label_many, alone = (_in_one_call, label_one) if oracle.one_process else (_on_all_cores, _alone)
    for key, label in label_many(oracle, crystals):
        if not label.needs_another_try and unlabelled.pop(key, None) is not None:
            yield key, label
    for key, crystal in unlabelled.items():
        yield key, alone(oracle, crystal)


def _on_all_cores(oracle: Oracle, crystals: Mapping[str, Crystal]) -> Iterator[tuple[str, Label]]:
    """A few crystals at a time on each core. A worker that dies leaves them without a label."""
    deaths = 0
    tasks = {keys[0]: {key: crystals[key] for key in keys} for keys in chunks(crystals, oracle.at_once)}
    for outcome in run_each(partial(_on_one_core, oracle), tasks, _modules(oracle)):
        if isinstance(outcome.error, WorkerDiedError):
            deaths += 1
            if deaths == _HOPELESS:
                raise outcome.error
            continue
        deaths = 0
        yield from outcome.result()


def _on_one_core(oracle: Oracle, crystals: Mapping[str, Crystal]) -> list[tuple[str, Label]]:
    return (
        [(key, label_one(oracle, x)) for key, x in crystals.items()]
        if len(crystals) == 1
        else [*_in_one_call(oracle, crystals)]
    )


def _alone(oracle: Oracle, crystal: Crystal) -> Label:
    """The label of one crystal, in a process with the machine to itself."""
    try:
        [(_, label)] = run_all(partial(label_one, oracle), {"alone": crystal}, _modules(oracle))
    except WorkerDiedError:
        return Label(WORKER_DIED)
    return label


def _modules(oracle: Oracle) -> tuple[str, ...]:
    """Modules workers need: the oracle's own, and those it imports when called."""
    return (type(oracle).__module__, *oracle.modules)


def _in_one_call(oracle: Oracle, crystals: Mapping[str, Crystal]) -> Iterator[tuple[str, Label]]:
    """All crystals in one call in this process. If it fails, the remaining ones get no label."""
    keys = dict(enumerate(crystals))
    try:
        for index, label in labels_of(oracle, list(crystals.values())) if keys else ():
            yield keys[index], label
    except LodestoneError:
        raise
    except (Exception, TimeIsUp) as error:  # an oracle may raise anything
        _log(f"{oracle.name}: {reason(error)}; the crystals left are tried one by one")


def _warn(passing: Sequence[Label]) -> None:
    """Report labels missing for lack of memory or time, or because a cell is larger than the settings allow."""
    if passing:
        counts = sorted(Counter(label.status.split(":")[0] for label in passing).items())
        text = ", ".join(f"{count} {status}" for status, count in counts)
        why = "for lack of memory or time, or because a cell is too large"
        _log(f"no label {why}: {text}; they are not stored, and tried again when this stage runs")


def _log(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
