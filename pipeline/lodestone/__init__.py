"""Lodestone: a data-versioned, reproducible pipeline that discovers stable crystals.

``lodestone.load()``, ``lodestone.predict(...)`` and ``lodestone.Hull(...)`` are the interface for other programs; what
they need is imported when they are used.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "load": "lodestone.prediction.model",
    "predict": "lodestone.prediction.model",
    "Hull": "lodestone.stability.entries",
}


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'lodestone' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *_PUBLIC]
