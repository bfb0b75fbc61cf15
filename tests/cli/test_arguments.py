"""What is typed wrongly is answered in words, not in names of functions."""

import pytest

from lodestone.cli.main import main


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        (["discver"], "did you mean discover?"),
        (["reference", "--limit", "abc"], "'abc' is not a positive whole number"),
        (["reference", "--limit", "0"], "'0' is not a positive whole number"),
        (["reference", "--close", "--hours", "0"], "'0' is not a number of hours above 0"),
        (["drift", "a", "b", "--tolerance", "abc"], "'abc' is not an energy of 0 or more, eV/atom"),
        (["drift", "a", "b", "--tolerance", "nan"], "'nan' is not an energy"),
        (["drift", "a", "b", "--tolerance", "-1"], "'-1' is not an energy"),
        (["ui", "--port", "99999"], "'99999' is not a port from 1 to 65535"),
        (["ui", "--port", "0"], "'0' is not a port from 1 to 65535"),
    ],
)
def test_wrong_arguments(typed, answer, capsys):
    with pytest.raises(SystemExit) as ended:
        main(typed)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert answer in said
    assert "invalid _" not in said


def test_nothing_is_suggested_for_what_is_like_nothing(capsys):
    with pytest.raises(SystemExit):
        main(["xyzzy"])
    assert "did you mean" not in capsys.readouterr().err
