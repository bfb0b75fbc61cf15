"""Labels for many crystals on all cores, stored one by one as they arrive."""

from __future__ import annotations

from collections.abc import Sequence

from lodestone.crystals.crystal import Crystal
from lodestone.oracles.base import Label, Oracle
from lodestone.oracles.store import LabelStore, label_key
from lodestone.runtime.parallel import process_all
from lodestone.runtime.progress import track


def label_all(oracle: Oracle, crystals: Sequence[Crystal], store: LabelStore, title: str) -> list[Label]:
    """Label crystals, asking the oracle only about those the store does not know.

    Args:
        oracle: Picklable oracle.
        crystals: What to label; equal crystals are labelled once.
        store: Where labels are kept as soon as each exists.
        title: Text of the progress bar.

    Returns:
        One label per crystal, in the order given.
    """
    keys = [label_key(oracle, crystal) for crystal in crystals]
    labels = {key: label for key in set(keys) if (label := store.get(key)) is not None}
    missing = {key: crystal for key, crystal in zip(keys, crystals, strict=True) if key not in labels}
    for key, label in track(process_all(oracle.label, missing), total=len(missing), title=title):
        store.put(key, oracle, label)
        labels[key] = label
    return [labels[key] for key in keys]
