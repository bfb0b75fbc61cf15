"""`DATASET.md` from the contracts and `docs/parameters.md` from the parameter classes; a test compares them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lodestone.config import registry as registries
from lodestone.config.params import Params
from lodestone.config.registry import GENERATORS, ORACLES, SOURCES, VIEWS, NamesakeRegistry, Registry
from lodestone.documentation.dataset import dataset_text, prose, table

DATASET_FILE = Path("DATASET.md")
PARAMETERS_FILE = Path("docs/parameters.md")

# Sections whose other keys depend on a choice from a registry, and the key that makes the choice.
_CHOICES: dict[str, tuple[str, Registry]] = {
    "snapshot": ("source", SOURCES),
    "oracle": ("name", ORACLES),
    "discovery.generators": ("name", GENERATORS),
}

_PARAMETERS_HEAD = """# Parameters

Every key of `params.yaml`, generated from `pipeline/lodestone/config/` by `make docs`. Unknown keys are refused. A key
without a default must be given. Lengths are Å, energies eV/atom.
"""


def write_docs(root: Path) -> list[Path]:
    """Write both documents.

    Args:
        root: Root of the repository.

    Returns:
        The files written.
    """
    from lodestone.tables.files import write_atomically

    written = []
    for path, text in documents().items():
        write_atomically(root / path, lambda target, text=text: target.write_text(text))  # type: ignore[misc]
        written.append(root / path)
    return written


def documents() -> dict[Path, str]:
    """Text of each generated document, by its path."""
    return {DATASET_FILE: dataset_text(), PARAMETERS_FILE: parameters_text()}


def parameters_text() -> str:
    """`docs/parameters.md`: one section per section of `params.yaml`, one row per key."""
    schema = Params.model_json_schema(by_alias=True)
    classes = schema["$defs"]
    single = {name: item for name, item in schema["properties"].items() if _reference(item) is None}
    sections = [("Top level", "Keys outside every section.", single)]
    for path, name in _sections(schema, classes):
        sections.append((f"`{path}`", classes[name]["description"], classes[name]["properties"]))
        sections += _choices(path, set(classes[name]["properties"]))
    for view, model in VIEWS.known.items():
        described = model.model_json_schema()
        sections.append((f"`{view}`", described["description"], described["properties"]))
    texts = [_names()]
    for title, about, properties in sections:
        rows = (_key_row(key, item) for key, item in properties.items() if _reference(item) is None or "items" in item)
        texts.append(f"## {title}\n\n{prose(about)}\n\n{table(('key', 'allowed', 'default', 'meaning'), rows)}")
    return "\n\n".join([_PARAMETERS_HEAD.rstrip(), *texts]) + "\n"


def _names() -> str:
    """One row per registry: the built-in names, and the entry-point group for plugins."""
    rows = []
    for registry in vars(registries).values():
        if isinstance(registry, Registry):
            names = ", ".join(f"`{name}`" for name in names_of_ours(registry))
            rows.append((registry.kind, names, f"`{registry.group}`"))
    head = ("what", "there are", "entry points of other packages")
    return f"## What is chosen by name\n\n[How to](how-to/README.md) add one.\n\n{table(head, sorted(rows))}"


def names_of_ours(registry: Registry) -> list[str]:
    """Names that this package registers, without those of other installed packages."""
    if isinstance(registry, NamesakeRegistry):
        return sorted(registry.known)
    return [entry.name for entry in registry if entry.make.__module__.startswith("lodestone.")]


def _choices(path: str, common: set[str]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """One section per built-in choice, with the keys it adds to the common ones."""
    if path not in _CHOICES:
        return
    key, registry = _CHOICES[path]
    for entry in registry:
        schema = entry.settings.model_json_schema(by_alias=True)
        own = {name: item for name, item in schema["properties"].items() if name not in common}
        if own and entry.name in names_of_ours(registry):
            yield f"`{path}` with `{key}: {entry.name}`", schema["description"], own


def _reference(item: Mapping[str, Any]) -> str | None:
    """Name of the class of a property: its own, or that of its mapping values or list items."""
    several = item.get("additionalProperties") or item.get("items") or {}
    target = item.get("$ref") or several.get("$ref")
    return None if target is None else str(target).rsplit("/", 1)[-1]


def _sections(schema: Mapping[str, Any], classes: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, item in schema["properties"].items():
        name = _reference(item)
        if name is not None:
            path = f"{prefix}{key}" + (".<round>" if "additionalProperties" in item else "")
            yield path, name
            yield from _sections(classes[name], classes, f"{path}.")


def _key_row(key: str, item: Mapping[str, Any]) -> tuple[str, ...]:
    default = f"`{_plain(item['default'])}`" if "default" in item else "-"
    return f"`{key}`", _allowed(item), default, item.get("description", "")


def _allowed(item: Mapping[str, Any]) -> str:
    if "anyOf" in item:
        return " or ".join(_allowed(option) for option in item["anyOf"])
    if "enum" in item or "const" in item:
        return ", ".join(f"`{value}`" for value in item.get("enum", [item.get("const")]))
    if item.get("type") == "array":
        prefix = item.get("prefixItems")
        if "$ref" in item.get("items", {}):
            return "list of sections"
        return f"{len(prefix)} × {_allowed(prefix[0])}" if prefix else f"list of {_allowed(item['items'])}"
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {item[name]:g}" for name, sign in signs.items() if name in item]
    return " ".join([str(item.get("type", "any")), ", ".join(bounds)]).strip()


def _plain(value: Any) -> str:
    return "null" if value is None else str(value)
