"""Import third-party modules without the heavy packages that they pull in and that are not needed here."""

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
    """Import as if some optional packages were not installed; those already imported stay available.

    pandera checks tables of polars without pandas, and vesin takes arrays of numpy without torch; but both import these
    if installed, which takes longer than all the rest of a stage that needs neither.
    """
    with _finder_first(_Missing(packages)):
        yield


@contextmanager
def deferred(*modules: str) -> Iterator[None]:
    """Load some modules lazily during an import: each is loaded when it is first used, if ever."""
    with _finder_first(_Lazy(modules)):
        yield


@contextmanager
def _finder_first(finder: MetaPathFinder) -> Iterator[None]:
    """Put a finder before all others, and pause garbage collection: it finds nothing here and costs a fifth more."""
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
        """Reject the listed packages with Python's own message."""
        if name.partition(".")[0] in self.packages:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


class _Lazy(MetaPathFinder):
    def __init__(self, modules: tuple[str, ...]) -> None:
        self.modules = modules

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        """Spec of the module, with a lazy loader."""
        spec = PathFinder.find_spec(name, path) if name in self.modules else None
        if spec is not None and spec.loader is not None:
            spec.loader = LazyLoader(spec.loader)
        return spec
