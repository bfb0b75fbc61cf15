"""The page on the batch loop: its parameters are valid, and its commands are those of the parser."""

import pytest
import yaml
from chosen import ROOT

import readme
from lodestone.cli.main import main
from lodestone.config.load import parse_params

PAGE = ROOT / "docs" / "how-to" / "verify-on-your-cluster.md"


def test_its_parameters_are_valid():
    (block,) = readme.code_blocks("yaml", PAGE)
    params = parse_params(yaml.safe_load((ROOT / "params.yaml").read_text()) | yaml.safe_load(block))
    assert (params.label.scale, params.oracle.name) == ("source", "external")


@pytest.mark.parametrize("command", [line for line in readme.commands(PAGE) if line.startswith("lodestone ")])
def test_its_commands_are_understood(command, monkeypatch):
    words = command.split()[1:]
    is_named_only = len(words) == 1 and words != ["discover"]
    monkeypatch.setattr("lodestone.cli.main.guarded", lambda run: None)
    with pytest.raises(SystemExit) as ended:
        main([*words, "--help"] if is_named_only else words)
    assert ended.value.code == 0
