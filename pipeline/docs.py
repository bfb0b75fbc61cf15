"""`DATASET.md` from the contracts and `docs/parameters.md` from the parameter classes; a test compares them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.layout import REPORTS, Layout, RoundLayout
from pipeline.params import Params

if TYPE_CHECKING:
    from pandera.polars import DataFrameModel

DATASET_FILE = Path("DATASET.md")
PARAMETERS_FILE = Path("docs/parameters.md")

_DATASET_HEAD = """# Tables

Every table that crosses a stage, generated from `pipeline/schemas.py` by `make docs`. Each is a parquet file, checked
against its contract when it is written and when it is read. Energies are eV/atom and unrounded, lengths Å.

The labels of the default campaign are predictions of CHGNet 0.3.0, a machine-learned potential; they are **not DFT**.
"Stable" means `energy_above_hull <= 0` against the hull that the column names.
"""
_PARAMETERS_HEAD = """# Parameters

Every key of `params.yaml`, generated from `pipeline/params.py` by `make docs`. Unknown keys are refused. A key without
a default must be given. Lengths are Å, energies eV/atom.
"""


def write_docs(root: Path) -> list[Path]:
    """Write both documents.

    Args:
        root: Root of the repository.

    Returns:
        The files written.
    """
    from pipeline.tables import write_atomically

    written = []
    for path, text in documents().items():
        write_atomically(root / path, lambda target, text=text: target.write_text(text))  # type: ignore[misc]
        written.append(root / path)
    return written


def documents() -> dict[Path, str]:
    """Text of each generated document, by its path."""
    return {DATASET_FILE: dataset_text(), PARAMETERS_FILE: parameters_text()}


def dataset_text() -> str:
    """`DATASET.md`: one section per contract, one row per column."""
    from pipeline.schemas import CONTRACTS

    files = _files()
    sections = []
    for contract in CONTRACTS:
        where = ", ".join(f"`{path}`" for path in files.get(contract.__name__, ()))
        about = [f"## {contract.__name__}", _summary(contract), *([f"Files: {where}"] if where else [])]
        rows = (_column_row(name, column) for name, column in contract.to_schema().columns.items())
        sections.append("\n\n".join([*about, _table(("column", "type", "unit", "checks", "meaning"), rows)]))
    return "\n\n".join([_DATASET_HEAD.rstrip(), *sections]) + "\n"


def parameters_text() -> str:
    """`docs/parameters.md`: one section per part of the file, one row per key."""
    schema = Params.model_json_schema(by_alias=True)
    classes = schema["$defs"]
    single = {name: item for name, item in schema["properties"].items() if _reference(item) is None}
    sections = [("Top level", "Keys outside every section.", single)]
    for path, name in _sections(schema, classes):
        sections.append((f"`{path}`", classes[name]["description"], classes[name]["properties"]))
    texts = []
    for title, about, properties in sections:
        rows = (_key_row(key, item) for key, item in properties.items() if _reference(item) is None)
        texts.append(f"## {title}\n\n{_prose(about)}\n\n{_table(('key', 'allowed', 'default', 'meaning'), rows)}")
    return "\n\n".join([_PARAMETERS_HEAD.rstrip(), *texts]) + "\n"


def _files() -> Mapping[str, tuple[Path, ...]]:
    layout = Layout()
    a_round = RoundLayout(layout.rounds / "<round>")
    return {
        "Snapshot": (layout.snapshot, layout.validated),
        "Rejections": (layout.quarantine, layout.label_rejections),
        "Labelled": (layout.labelled,),
        "References": (layout.references,),
        "Crystals": (a_round.crystals,),
        "Attempts": (a_round.attempts,),
        "MemberPredictions": (a_round.member_predictions("<view>"),),
        "Predictions": (a_round.predictions,),
        "Candidates": (a_round.candidates,),
        "Verifications": (a_round.verifications,),
        "Discoveries": (REPORTS / "discoveries.parquet",),
    }


def _summary(contract: type[DataFrameModel]) -> str:
    return _prose(contract.__doc__ or "")


def _column_row(name: str, column: Any) -> tuple[str, ...]:
    checks = [_check_text(check) for check in column.checks]
    checks += ["unique"] if column.unique else []
    checks += ["may be empty"] if column.nullable else []
    unit = (column.metadata or {}).get("unit", "-")
    return f"`{name}`", str(column.dtype), unit, ", ".join(checks) or "-", column.description or ""


def _check_text(check: Any) -> str:
    facts = check.statistics or {}
    if check.name == "in_range":
        return f"{facts['min_value']} to {facts['max_value']}"
    if check.name == "isin":
        return "one of " + ", ".join(map(str, facts["allowed_values"]))
    if check.name == "str_length":
        return "not empty" if facts.get("min_value") == 1 else str(check.error)
    signs = {"greater_than_or_equal_to": "≥", "less_than_or_equal_to": "≤", "greater_than": ">", "less_than": "<"}
    bound = next(iter(facts.values()), "")
    return f"{signs[check.name]} {bound}" if check.name in signs else str(check.error or check.name)


def _reference(item: Mapping[str, Any]) -> str | None:
    """Name of the class that a property holds, directly or as the values of a mapping."""
    told = item.get("$ref") or (item.get("additionalProperties") or {}).get("$ref")
    return None if told is None else str(told).rsplit("/", 1)[-1]


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
        parts = item.get("prefixItems")
        return f"{len(parts)} × {_allowed(parts[0])}" if parts else f"list of {_allowed(item['items'])}"
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {item[name]:g}" for name, sign in signs.items() if name in item]
    return " ".join([str(item.get("type", "any")), ", ".join(bounds)]).strip()


def _plain(value: Any) -> str:
    return "null" if value is None else str(value)


def _prose(text: str) -> str:
    return " ".join(text.split()).replace("``", "`")


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
