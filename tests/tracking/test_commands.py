"""The commands of the registry say what they have done."""

import pytest

from lodestone.cli.main import main


@pytest.fixture
def call(published, monkeypatch, capsys):
    monkeypatch.chdir(published)

    def call(*arguments: str) -> str:
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 0
        return capsys.readouterr().out

    return call


def test_a_champion_is_changed_and_changed_back(call):
    assert "version 1 (round_0): the first champion" in call("decisions")
    done = "version 2 (round_1): champion, chosen by hand, instead of version 1\n  it is newer\n"
    assert call("promote", "2", "--reason", "it is newer") == done
    back = "version 1 (round_0): champion again, rolled back, instead of version 2\n  no reason given\n"
    assert call("rollback") == back
    assert [line.rpartition("  ")[2] for line in call("decisions").splitlines()[::2]] == [
        "version 1 (round_0): champion again, rolled back, instead of version 2",
        "version 2 (round_1): champion, chosen by hand, instead of version 1",
        "version 1 (round_0): the first champion",
    ]
    assert "models:/lodestone-ensemble@champion" in call("champion")
    assert '"outcome": "rolled back"' in call("decisions", "--json")
