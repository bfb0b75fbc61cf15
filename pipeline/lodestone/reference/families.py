"""Families of ternary and quaternary compounds: which elements may take which places of a prototype."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from lodestone.errors import LodestoneError
from lodestone.reference.prototypes import Prototype


@dataclass(frozen=True)
class Family:
    """Decorations of one prototype.

    Attributes:
        name: What its compounds are called.
        prototype: Label of the prototype.
        roles: For each of the prototype's own elements, those that may take its place.
        charges: Whether charges must balance.
    """

    name: str
    prototype: str
    roles: Mapping[str, tuple[str, ...]]
    charges: bool = True

    def palettes(self, prototype: Prototype) -> list[tuple[str, ...]]:
        """The elements for each of the prototype's elements, in its order.

        Raises:
            LodestoneError: If the roles are not those of the prototype's elements.
        """
        if set(self.roles) != set(prototype.elements):
            raise LodestoneError(
                f"family {self.name}: roles for {', '.join(self.roles)}, but {self.prototype} has "
                f"{', '.join(prototype.elements)}",
                "name a role for each element of the prototype in reference/families.yaml",
            )
        return [self.roles[element] for element in prototype.elements]


@lru_cache(maxsize=1)
def load_families() -> tuple[Family, ...]:
    """The families of ``families.yaml``."""
    import yaml

    text = files("lodestone.reference").joinpath("families.yaml").read_text(encoding="utf-8")
    content = yaml.safe_load(text)
    groups = {name: tuple(elements.split()) for name, elements in content["groups"].items()}
    return tuple(_family(entry, groups) for entry in content["families"])


def _family(entry: Mapping[str, object], groups: Mapping[str, tuple[str, ...]]) -> Family:
    roles = entry["roles"]
    assert isinstance(roles, dict)  # noqa: S101 - the file is ours
    members = {place: [x for name in names.split() for x in groups[name]] for place, names in roles.items()}
    return Family(
        name=str(entry["name"]),
        prototype=str(entry["prototype"]),
        roles={place: tuple(dict.fromkeys(elements)) for place, elements in members.items()},
        charges=bool(entry.get("charges", True)),
    )
