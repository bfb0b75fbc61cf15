"""One term for each thing: the words of the glossary, and not the dialect that they have replaced."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "pipeline" / "lodestone"
GLOSSARY = ROOT / "docs" / "glossary.md"
REPLACED = {
    "analogue": "unrelaxed structure",
    "guess": "unrelaxed structure",
    "novel": "out of distribution, or is_new",
    "offers": "competing phases",
    "mixtures": "decomposition",
    "neighbour": "neighbor",
}


def public_names(tree: ast.Module) -> Iterator[str]:
    """Classes, functions, their arguments and fields, as far as others can write them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield node.name
            yield from (
                n.target.id for n in node.body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)
            )
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            yield node.name
            yield from (argument.arg for argument in [*node.args.args, *node.args.kwonlyargs])


def keys(content: object) -> Iterator[str]:
    if isinstance(content, dict):
        for key, value in content.items():
            yield key
            yield from keys(value)


def test_words_that_were_replaced_do_not_come_back_in_public_names():
    names = {path.stem: path for path in PACKAGE.rglob("*.py")} | {path.name: path for path in PACKAGE.rglob("*/")}
    for path in PACKAGE.rglob("*.py"):
        names |= dict.fromkeys(public_names(ast.parse(path.read_text())), path)
    names |= dict.fromkeys(keys(yaml.safe_load((ROOT / "params.yaml").read_text())), ROOT / "params.yaml")
    assert len(names) > 500
    wrong = [
        f"{path.relative_to(ROOT)}: {name}: say {better}"
        for name, path in names.items()
        for word, better in REPLACED.items()
        if word in name.lower().replace("novelty", "")  # a word of the glossary
    ]
    assert not wrong, "\n".join(sorted(wrong))


def test_the_glossary_defines_each_term_once_and_explains_the_replacements():
    rows = re.findall(r"^\| \*\*(.+?)\*\*", GLOSSARY.read_text(), re.MULTILINE)
    assert len(rows) == len(set(rows)) > 40
    for term in ("unrelaxed structure", "competing phases", "decomposition", "out of distribution", "neighbors"):
        assert term in rows


def test_the_page_of_the_code_lists_every_room():
    listed = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "code.md").read_text(), re.MULTILINE)
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert set(listed) == rooms
    assert len(listed) == len(rooms)
