"""What of an installation changes results: two machines that share a campaign must have the same."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from lodestone import __version__
from lodestone.runtime.kernels import PINNED

_PACKAGE = Path(__file__).parents[1]
_COMPUTING = (
    *("ase", "chgnet", "diep", "mace-torch", "moyopy", "numpy", "orb-models", "polars", "pymatgen", "scipy"),
    *("sevenn", "smact", "torch", "torch-geometric", "vesin"),
)


def installation() -> dict[str, str]:
    """Versions of Python, of this package with a digest of its code, and of those that compute; pinned kernels."""
    found = {"python": ".".join(platform.python_version_tuple()[:2]), "lodestone": f"{__version__}, code {_digest()}"}
    found |= {name: text for name in _COMPUTING if (text := _version(name)) is not None}
    return found | {name: os.environ[name] for name in PINNED if name in os.environ}


def differences(here: Mapping[str, str], there: Mapping[str, str]) -> list[str]:
    """What differs between two installations, one line each; empty if nothing does."""
    return [
        f"{name} is {there.get(name, 'missing')} there, {here.get(name, 'missing')} here"
        for name in sorted({*here, *there})
        if here.get(name) != there.get(name)
    ]


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


@cache  # of the code as it is loaded: a process that goes on after the files have changed runs the old one
def _digest() -> str:
    digest = hashlib.blake2b(digest_size=6)
    for path in sorted(_PACKAGE.rglob("*.py")):
        digest.update(f"{path.relative_to(_PACKAGE).as_posix()}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()
