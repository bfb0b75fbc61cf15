"""Examples in docstrings are run, and the classes that others build on have one."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

from lodestone.config import registry

PACKAGE = Path(__file__).parents[1] / "pipeline" / "lodestone"
BASES = {"config.registry", "oracles.base", "discovery.generators.base", "snapshot.source", "models.base"}
EXAMPLES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    for path in PACKAGE.rglob("*.py")
    if ">>> " in path.read_text()
}


@pytest.fixture(autouse=True)
def _registries_forget_what_examples_register(monkeypatch):
    for found in vars(registry).values():
        if isinstance(found, registry.Registry):
            monkeypatch.setattr(found, "_entries", dict(found._entries))


@pytest.mark.parametrize("module", sorted(EXAMPLES | BASES))
def test_examples_give_what_they_say(module):
    outcome = doctest.testmod(import_module(f"lodestone.{module}"), optionflags=doctest.ELLIPSIS)
    assert outcome.attempted, f"{module} has no example"
    assert outcome.failed == 0
