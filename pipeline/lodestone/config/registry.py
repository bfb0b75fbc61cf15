"""Registries: everything that `params.yaml` chooses by name lives in its own file and registers itself.

A registry looks in two places: the modules of one package here, and the entry points that installed packages declare
under the registry's group, so that others can ship plugins. It imports them on first use; the modules import heavy
packages only when they are used.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import Any, TypeVar

from lodestone.config.sections import CompositionParams, Section, StructureParams
from lodestone.errors import LodestoneError

T = TypeVar("T", bound=Callable[..., Any])


@dataclass(frozen=True)
class Registered:
    """One registered choice.

    Attributes:
        name: As it stands in `params.yaml`.
        settings: Model of its parameters.
        make: Called with its settings, an instance of that model.
    """

    name: str
    settings: type[Section]
    make: Callable[..., Any]


class Registry:
    """Choices of one kind, by name.

    Args:
        kind: Kind of the choices, e.g. "oracle"; for messages.
        package: Its modules are imported on first use; each may register one or more choices.
        group: Group of entry points; each names a module, or an object in one, that registers itself when imported.

    Examples:
        >>> COLORS = Registry("color", package="lodestone.config", group="lodestone.colors")
        >>> class Red(Section):
        ...     hue: float = 0.0
        >>> @COLORS.register("red", settings=Red)
        ... def make_red(settings):
        ...     return f"red of hue {settings.hue}"
        >>> COLORS.names()
        ['red']
        >>> COLORS.make("red", COLORS.settings("red", {"hue": 2}))
        'red of hue 2.0'
    """

    def __init__(self, kind: str, *, package: str, group: str) -> None:
        self.kind = kind
        self.package = package
        self.group = group
        self._entries: dict[str, Registered] = {}
        self._complete = False

    def register(self, name: str, *, settings: type[Section] = Section) -> Callable[[T], T]:
        """Decorate the class or function that creates the choice.

        Args:
            name: As it stands in `params.yaml`.
            settings: Model of its parameters; :class:`lodestone.config.sections.Section` for none.

        Raises:
            LodestoneError: If the name is taken by something else.
        """

        def decorate(make: T) -> T:
            before = self._entries.get(name)
            if before is not None and before.make.__module__ != make.__module__:
                raise LodestoneError(
                    f"two {self.kind}s are called {name!r}: in {before.make.__module__} and in {make.__module__}",
                    "rename one of them, or uninstall the package that ships it",
                )
            self._entries[name] = Registered(name, settings, make)
            return make

        return decorate

    def names(self) -> list[str]:
        """All registered names, sorted."""
        self._load()
        return sorted(self._entries)

    def __getitem__(self, name: str) -> Registered:
        """The entry registered under a name.

        Raises:
            ValueError: Lists the registered names; pydantic adds the key.
        """
        self._load()
        if name not in self._entries:
            raise ValueError(f"there is no {self.kind} {name!r}; there are: {', '.join(self.names())}")
        return self._entries[name]

    def __iter__(self) -> Iterator[Registered]:
        return (self[name] for name in self.names())

    def settings(self, name: str, content: Any) -> Section:
        """Validate parameters with the model of one entry; errors name the keys."""
        return self[name].settings.model_validate(content)

    def choice(self, key: str, content: Any) -> Any:
        """Validate a section by the model of the choice that its key names; without one, it stays as it is."""
        if isinstance(content, Mapping) and isinstance(content.get(key), str):
            return self.settings(content[key], content)
        return content

    def make(self, name: str, *arguments: Any) -> Any:
        """Create one, given its settings."""
        return self[name].make(*arguments)

    def _load(self) -> None:
        if self._complete:
            return
        package = import_module(self.package)
        for module in pkgutil.iter_modules(package.__path__):
            import_module(f"{self.package}.{module.name}")
        for point in entry_points(group=self.group):
            try:
                point.load()
            except Exception as error:
                raise LodestoneError(
                    f"the {self.kind} {point.name!r} of {point.value} cannot be imported: {error}",
                    "repair or uninstall the package that ships it",
                ) from error
        self._complete = True


class NamesakeRegistry(Registry):
    """A registry whose modules have the names that they register, so that only the chosen one is imported.

    Args:
        kind: As in :class:`Registry`.
        package: Its module with the same name registers the entry.
        group: Group of entry points, named like what they register.
        known: Settings models of built-in entries by name, so that parameters can be checked without imports.
    """

    def __init__(self, kind: str, *, package: str, group: str, known: Mapping[str, type[Section]]) -> None:
        super().__init__(kind, package=package, group=group)
        self.known = known

    def __contains__(self, name: str) -> bool:
        """Whether the name is registered; checked without imports."""
        ours = name in self.known or name in self._entries or self._namesake(name) is not None
        return ours or any(point.name == name for point in entry_points(group=self.group))

    def __getitem__(self, name: str) -> Registered:
        module = None if name in self._entries else self._namesake(name)
        if module is not None:
            import_module(module)
        return self._entries[name] if name in self._entries else super().__getitem__(name)

    def settings_model(self, name: str) -> type[Section]:
        """Settings model of one entry."""
        return self.known[name] if name in self.known else self[name].settings

    def _namesake(self, name: str) -> str | None:
        module = f"{self.package}.{name}"
        return module if name.isidentifier() and find_spec(module) is not None else None


ORACLES = Registry("oracle", package="lodestone.oracles", group="lodestone.oracles")
SOURCES = Registry("source", package="lodestone.snapshot.sources", group="lodestone.sources")
VIEWS = NamesakeRegistry(
    "view",
    package="lodestone.models",
    group="lodestone.views",
    known={"composition": CompositionParams, "structure": StructureParams},
)
GENERATORS = Registry("generator", package="lodestone.discovery.generators", group="lodestone.generators")
ACQUISITIONS = Registry("acquisition", package="lodestone.discovery.acquisitions", group="lodestone.acquisitions")
PROBABILITIES = Registry(
    "table of probabilities", package="lodestone.substitution.probabilities", group="lodestone.probabilities"
)
AGGREGATIONS = Registry("aggregation", package="lodestone.ensemble.aggregations", group="lodestone.aggregations")
