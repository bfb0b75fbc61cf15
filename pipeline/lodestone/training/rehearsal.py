"""What later rounds learn from: all that the campaign has verified, and some of what its networks know already.

Without the latter, networks forget (Rolnick et al., Experience Replay for Continual Learning, NeurIPS 2019).
"""

from __future__ import annotations

import numpy as np
import polars as pl

from lodestone.runtime.seeds import child_generator

_GIVEN = ("snapshot", "reference")  # origins of crystals that no round has verified


def rehearsal(train: pl.DataFrame, rehearsed: int | None, seed: int) -> pl.DataFrame:
    """Choose what is learned in a later round.

    Args:
        train: Training crystals (contract :class:`lodestone.schemas.Crystals`), sorted by ``material_id``.
        rehearsed: Number of given crystals that are learned again; ``None`` takes all.
        seed: Draws them.

    Returns:
        These, and all that rounds have verified, in the same order.
    """
    is_given = train["origin"].is_in(_GIVEN).to_numpy()
    given = np.flatnonzero(is_given)
    if rehearsed is None or len(given) <= rehearsed:
        return train
    again = child_generator(seed, "rehearsal").choice(given, rehearsed, replace=False)
    return train[np.sort(np.concatenate([again, np.flatnonzero(~is_given)]))]
