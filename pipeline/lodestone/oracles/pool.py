"""Labels for many crystals, stored one by one as they arrive, whatever befalls the processes that make them."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from lodestone.crystals.crystal import Crystal
from lodestone.errors import LodestoneError
from lodestone.oracles.attempt import TimeIsUp, label_one, labels_of, reason
from lodestone.oracles.base import WORKER_DIED, Label, Oracle
from lodestone.oracles.store import LabelStore, label_key
from lodestone.runtime.parallel import WorkerDiedError, process_all, process_each
from lodestone.runtime.progress import track

_HOPELESS = 3  # deaths without a label in between: not a crystal is at fault but the machine or the installation


def label_all(oracle: Oracle, crystals: Sequence[Crystal], store: LabelStore, title: str) -> list[Label]:
    """Label crystals, asking the oracle only about those the store does not know.

    A fault that is the machine's (memory, time) is not stored: whoever asks again gets another try.

    Args:
        oracle: Picklable oracle.
        crystals: What to label; equal crystals are labelled once.
        store: Where labels are kept as soon as each exists.
        title: Text of the progress bar.

    Returns:
        One label per crystal, in the order given.

    Raises:
        LodestoneError: If the oracle raises one, or worker processes keep dying.
    """
    keys = [label_key(oracle, crystal) for crystal in crystals]
    labels = {key: label for key in set(keys) if (label := store.get(key)) is not None}
    missing = {key: crystal for key, crystal in zip(keys, crystals, strict=True) if key not in labels}
    for key, label in track(_fresh(oracle, missing), total=len(missing), title=title):
        if not label.is_passing:
            store.put(key, oracle, label)
        labels[key] = label
    _warn([labels[key] for key in missing if labels[key].is_passing])
    return [labels[key] for key in keys]


def _fresh(oracle: Oracle, crystals: Mapping[str, Crystal]) -> Iterator[tuple[str, Label]]:
    """Labels as they arrive; crystals that got none, or for which memory was short, come last and each alone."""
    left = dict(crystals)
    deal, alone = (_in_one_call, label_one) if oracle.one_process else (_on_all_cores, _alone)
    for key, label in deal(oracle, crystals):
        if not label.needs_another_try and left.pop(key, None) is not None:
            yield key, label
    for key, crystal in left.items():
        yield key, alone(oracle, crystal)


def _on_all_cores(oracle: Oracle, crystals: Mapping[str, Crystal]) -> Iterator[tuple[str, Label]]:
    """One crystal at a time to each core. A worker that dies leaves one crystal without a label."""
    deaths = 0
    for outcome in process_each(partial(label_one, oracle), crystals, _modules(oracle)):
        if isinstance(outcome.error, WorkerDiedError):
            deaths += 1
            if deaths == _HOPELESS:
                raise outcome.error
            continue
        deaths = 0
        yield outcome.key, outcome.result()


def _alone(oracle: Oracle, crystal: Crystal) -> Label:
    """The label of one crystal in a process that has the machine to itself."""
    try:
        [(_, label)] = process_all(partial(label_one, oracle), {"alone": crystal}, _modules(oracle))
    except WorkerDiedError:
        return Label(WORKER_DIED)
    return label


def _modules(oracle: Oracle) -> tuple[str, ...]:
    """What workers need: the oracle's own module, and what that imports when it is called."""
    return (type(oracle).__module__, *oracle.modules)


def _in_one_call(oracle: Oracle, crystals: Mapping[str, Crystal]) -> Iterator[tuple[str, Label]]:
    """All crystals in one call in this process. If it fails, those left get no label."""
    keys = dict(enumerate(crystals))
    try:
        for index, label in labels_of(oracle, list(crystals.values())) if keys else ():
            yield keys[index], label
    except LodestoneError:
        raise
    except (Exception, TimeIsUp) as error:  # of an oracle we know nothing
        _say(f"{oracle.name}: {reason(error)}; the crystals left are tried one by one")


def _warn(passing: Sequence[Label]) -> None:
    """Tell which crystals have no label although nothing is wrong with them."""
    if passing:
        counts = sorted(Counter(label.status for label in passing).items())
        text = ", ".join(f"{count} {status}" for status, count in counts)
        _say(f"no label for lack of memory or time: {text}; they are not stored, and tried again when this stage runs")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
