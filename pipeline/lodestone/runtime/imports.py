"""Imports of others without the heavy packages that they would take along and that we do not need them for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from typing import NoReturn


@contextmanager
def without(*packages: str) -> Iterator[None]:
    """Import as where some optional packages are not installed; those already imported are there as ever.

    pandera checks tables of polars without pandas, and vesin takes arrays of numpy without torch; but both import what
    they find, which takes longer than all the rest of a stage that needs neither.
    """
    finder = _Missing(packages)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _Missing(MetaPathFinder):
    def __init__(self, packages: tuple[str, ...]) -> None:
        self.packages = packages

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name.partition(".")[0] in self.packages:
            self._refuse(name)

    @staticmethod
    def _refuse(name: str) -> NoReturn:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
