"""`lodestone check` and `lodestone discover` say at once who cannot be asked for a second opinion."""

import pytest
import yaml

from finished_campaign import ROOT
from lodestone.cli.main import main


@pytest.mark.parametrize("command", ["check", "discover"])
def test_an_oracle_that_is_unknown_is_told_before_anything_runs(command, tmp_path, monkeypatch, capsys):
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["opinions"]["oracles"] = ["sevennet-9"]
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))
    (tmp_path / "reference").symlink_to(ROOT / "reference")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main([command])
    assert ended.value.code == 1
    told = capsys.readouterr().err
    assert "there is no oracle 'sevennet-9'" in told
    assert "did you mean sevennet-0?" in told
