"""The page of the oracles names all of them, and its examples are parameters that are accepted."""

import re
from pathlib import Path

import pytest
import yaml

from lodestone.config.load import parse_params
from lodestone.config.registry import ORACLES
from lodestone.documentation.documents import names_of_ours
from lodestone.oracles.registry import make_oracle

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "oracles.md").read_text()
EXAMPLES = [yaml.safe_load(text)["oracle"] for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]


def test_every_oracle_is_listed():
    assert set(re.findall(r"^\| `([\w.-]+)` \|", PAGE, re.MULTILINE)) == set(names_of_ours(ORACLES))


@pytest.mark.parametrize("section", EXAMPLES, ids=[section["name"] for section in EXAMPLES])
def test_examples_are_accepted(section):
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    oracle = make_oracle(parse_params(content | {"oracle": section}).oracle)
    names = {"ase": r"ase-mace-mpa-0-[0-9a-f]{8}", "chain": "chgnet-r2scan//chgnet-0.3.0"}
    names |= {"sevennet": "sevennet-l3i5-pbe", "gpaw": r"gpaw-pbe-[0-9a-f]{8}", "vasp": "dft-pbe"}
    assert re.fullmatch(names[section["name"]], oracle.name)
    assert len(EXAMPLES) == len(names)
