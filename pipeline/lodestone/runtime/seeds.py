"""Named child seeds: a seed depends on its purpose, never on the order of calls."""

import hashlib

import numpy as np


def child_seed(root: int, *names: str | int) -> int:
    """Derive a 32-bit seed from a root seed and a path of names.

    Args:
        root: Root seed of the campaign; 0 is a seed like any other.
        *names: What the seed is for, e.g. ``("round_1", "structure", 0)``.

    Returns:
        An integer in ``[0, 2**32)``.
    """
    path = "/".join(str(name) for name in (root, *names))
    return int.from_bytes(hashlib.blake2b(path.encode(), digest_size=4).digest(), "little")


def child_generator(root: int, *names: str | int) -> np.random.Generator:
    """A numpy generator seeded by :func:`child_seed`."""
    return np.random.default_rng(child_seed(root, *names))
