"""`DATASET.md`: the contracts, in words for chemists."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lodestone.documentation.table_facts import CHAPTERS, CRYSTAL_COLUMNS, FACTS, HEAD, Facts

if TYPE_CHECKING:
    from pandera.polars import DataFrameModel

_TYPES = {
    "String": "text",
    "Boolean": "true or false",
    "List(Float64)": "list of float64",
    "List(UInt8)": "list of uint8",
}
_SIGNS = {"greater_than_or_equal_to": "≥", "less_than_or_equal_to": "≤", "greater_than": ">", "less_than": "<"}


def dataset_text() -> str:
    """The whole document."""
    from lodestone.schemas import CONTRACTS, Structures

    crystal = f"{CRYSTAL_COLUMNS}\n\n{_columns(Structures, ())}\n\n{_rules(Structures, ())}"
    sections = [section(contract) for contract in CONTRACTS]
    return "\n\n".join([HEAD, CHAPTERS, _glance(CONTRACTS), crystal, *sections]) + "\n"


def section(contract: type[DataFrameModel]) -> str:
    """One table: what it is, who writes and reads it, its rows, its columns and its rules."""
    from lodestone.schemas import Structures

    facts, own = FACTS[contract.__name__], issubclass(contract, Structures)
    inherited = tuple(Structures.to_schema().columns) if own else ()
    blocks = [f"## {contract.__name__}", prose(contract.__doc__ or ""), _paragraph(facts)]
    if own:
        blocks.append("It holds the columns of every crystal, and:")
    blocks += [_columns(contract, inherited), _rules(contract, _errors(Structures) if own else ())]
    return "\n\n".join(block for block in blocks if block)


def type_text(dtype: Any) -> str:
    """A data type in words."""
    return _TYPES.get(str(dtype), str(dtype).lower())


def column_text(name: str, column: Any) -> str:
    """Name of a column; a pattern of columns becomes one name with ``<view>``."""
    return re.sub(r"^\^(.*)\[.*$", r"\1<view>", name) if column.regex else name


def check_text(check: Any) -> str:
    """A check of one column in words; empty if it applies to every column."""
    facts = check.statistics or {}
    if check.error == "finite":  # stated once, for all numbers
        return ""
    if check.name == "in_range":
        return f"{facts['min_value']} to {facts['max_value']}"
    if check.name == "str_matches":
        return "letters, digits and underscores"
    if check.name == "isin":
        return ", ".join(f"`{value}`" for value in facts["allowed_values"])
    if check.name == "str_length":
        return "not empty" if facts.get("max_value") is None else f"at most {facts['max_value']} letters"
    bound = next(iter(facts.values()), "")
    return f"{_SIGNS[check.name]} {bound}" if check.name in _SIGNS else str(check.error)


def prose(text: str) -> str:
    """A docstring on one line."""
    return " ".join(text.split()).replace("``", "`")


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A table in Markdown."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _glance(contracts: Iterable[type[DataFrameModel]]) -> str:
    rows = (
        (f"[{contract.__name__}](#{contract.__name__.lower()})", _stages(facts.written_by), _stages(facts.read_by),
         _files(facts))
        for contract in contracts
        for facts in [FACTS[contract.__name__]]
    )  # fmt: skip
    return f"## Tables at a glance\n\n{table(('table', 'written by', 'read by', 'files'), rows)}"


def _paragraph(facts: Facts) -> str:
    files = f"Files: {_files(facts)}  \n"
    by = f"Written by: {_stages(facts.written_by)}. Read by: {_stages(facts.read_by)}.  \n"
    return f"{files}{by}Key: {facts.key}. Rows: {facts.order}.  \nEmpty values: {facts.nulls}"


def _files(facts: Facts) -> str:
    return ", ".join(f"`{path}`" if isinstance(path, Path) else path for path in facts.files)


def _stages(names: tuple[str, ...]) -> str:
    return ", ".join(name if name.startswith("`") else f"stage `{name}`" for name in names) or "people"


def _columns(contract: type[DataFrameModel], without: tuple[str, ...]) -> str:
    columns = contract.to_schema().columns.items()
    rows = (_column_row(name, column) for name, column in columns if name not in without)
    return table(("column", "type", "unit", "checks", "meaning"), rows)


def _column_row(name: str, column: Any) -> tuple[str, ...]:
    checks = [text for check in column.checks if (text := check_text(check))]
    checks += ["unique"] if column.unique else []
    checks += ["may be empty"] if column.nullable else []
    unit = (column.metadata or {}).get("unit", "-")
    return (
        f"`{column_text(name, column)}`",
        type_text(column.dtype),
        unit,
        ", ".join(checks) or "-",
        column.description or "",
    )


def _rules(contract: type[DataFrameModel], without: Collection[str]) -> str:
    lines = [f"- {error}" for error in _errors(contract) if error not in without]
    return "\n".join(["Rules of the whole table:", "", *lines]) if lines else ""


def _errors(contract: type[DataFrameModel]) -> list[str]:
    return [str(check.error) for check in contract.to_schema().checks]
