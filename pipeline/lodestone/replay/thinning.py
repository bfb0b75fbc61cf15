"""Make stable crystals of a pool as rare as they are among candidates."""

from __future__ import annotations

import numpy as np

from lodestone.errors import LodestoneError


def thinned(stable: np.ndarray, prevalence: float, generator: np.random.Generator) -> np.ndarray:
    """Which crystals stay, so that no more than a share of them is stable.

    Of databases a third is stable, and whatever is chosen from them is a hit: a figure that is close to its ceiling
    tells nothing. Stable crystals are dropped at random; the others all stay, since which of them are hard to tell
    from stable ones is what a policy is judged by.

    Args:
        stable: Which crystals are stable, shape ``(n,)``.
        prevalence: Largest share of stable crystals among those that stay; at least one stays.
        generator: Draws them.

    Returns:
        Rows that stay, ascending.

    Raises:
        LodestoneError: If the share is not between 0 and 1.
    """
    if not 0 < prevalence <= 1:
        raise LodestoneError(f"a prevalence of {prevalence} is no share", "choose one above 0 and at most 1, e.g. 0.1")
    found, others = np.flatnonzero(stable), np.flatnonzero(~stable)
    most = len(found) if prevalence == 1 else round(prevalence * len(others) / (1 - prevalence))
    kept = generator.permutation(found)[: max(most, 1)]
    return np.sort(np.concatenate([kept, others]))
