"""The generated documents say what the code says."""

from pathlib import Path

import pytest

from lodestone.config import registry
from lodestone.config.params import Params
from lodestone.config.registry import GENERATORS, ORACLES, SOURCES
from lodestone.documentation.dataset import column_text, type_text
from lodestone.documentation.documents import documents, names_of_ours
from lodestone.schemas import CONTRACTS

ROOT = Path(__file__).parents[2]
TEXTS = documents()


@pytest.mark.parametrize("path", TEXTS, ids=str)
def test_documents_are_up_to_date(path):
    assert (ROOT / path).read_text() == TEXTS[path], f"{path} is out of date: run `make docs`"


def test_every_column_is_documented_with_its_unit():
    text = TEXTS[Path("DATASET.md")]
    for contract in CONTRACTS:
        for name, column in contract.to_schema().columns.items():
            assert column.description, f"{contract.__name__}.{name} has no description"
            unit = column.metadata["unit"]
            assert f"| `{column_text(name, column)}` | {type_text(column.dtype)} | {unit} |" in text, (
                f"{contract.__name__}.{name}"
            )


def test_every_parameter_is_documented():
    text = TEXTS[Path("docs/parameters.md")]
    for name, field in Params.model_fields.items():
        assert f"`{field.alias or name}" in text
        inner = getattr(field.annotation, "model_fields", {})
        assert all(f"| `{key}` |" in text for key in inner if "model_fields" not in dir(inner[key].annotation))


@pytest.mark.parametrize("kind", [SOURCES, ORACLES, GENERATORS], ids=lambda kind: kind.kind)
def test_every_choice_is_documented_with_the_keys_that_it_adds(kind):
    text = TEXTS[Path("docs/parameters.md")]
    for found in (entry for entry in kind if entry.name in names_of_ours(kind)):  # other tests register toys
        own = set(found.settings.model_fields) - set(found.settings.__mro__[1].model_fields)
        assert not own or f": {found.name}`\n" in text
        assert all(f"| `{key}` |" in text for key in own)


KINDS = [kind for kind in vars(registry).values() if isinstance(kind, registry.Registry)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_every_name_that_can_be_chosen_is_listed(kind):
    [row] = [line for line in TEXTS[Path("docs/parameters.md")].splitlines() if line.startswith(f"| {kind.kind} |")]
    assert kind.group in row
    assert names_of_ours(kind)
    assert all(f"`{name}`" in row for name in names_of_ours(kind))


def test_checks_are_in_words():
    rows = [line for line in TEXTS[Path("DATASET.md")].splitlines() if line.startswith("| `")]
    told = {line.split(" | ")[3] for line in rows if line.count(" | ") == 4}
    assert {"not empty, unique", "1 to 230", "≥ 0", "`model`, `random`", "a day of the calendar, may be empty"} <= told
    for text in told:
        assert not any(sign in text for sign in ("finite", "(", "[", "^", "_range", "isin", "None")), text
