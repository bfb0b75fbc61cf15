"""Imports of others without the heavy packages that they would take along and that we do not need them for."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader


@contextmanager
def without(*packages: str) -> Iterator[None]:
    """Import as where some optional packages are not installed; those already imported are there as ever.

    pandera checks tables of polars without pandas, and vesin takes arrays of numpy without torch; but both import what
    they find, which takes longer than all the rest of a stage that needs neither.
    """
    with _first_asked(_Missing(packages)):
        yield


@contextmanager
def deferred(*modules: str) -> Iterator[None]:
    """Import something without some modules that it imports: each of these is loaded when it is first used, if ever."""
    with _first_asked(_Lazy(modules)):
        yield


@contextmanager
def _first_asked(finder: MetaPathFinder) -> Iterator[None]:
    """Ask a finder before all others, and collect no garbage: modules leave none, and to look takes a fifth as long."""
    collects = gc.isenabled()
    gc.disable()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        if collects:
            gc.enable()


class _Missing(MetaPathFinder):
    def __init__(self, packages: tuple[str, ...]) -> None:
        self.packages = packages

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Refuse what is named, in Python's own words."""
        if name.partition(".")[0] in self.packages:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


class _Lazy(MetaPathFinder):
    def __init__(self, modules: tuple[str, ...]) -> None:
        self.modules = modules

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        """Where the module is, with a loader that waits."""
        spec = PathFinder.find_spec(name, path) if name in self.modules else None
        if spec is not None and spec.loader is not None:
            spec.loader = LazyLoader(spec.loader)
        return spec
