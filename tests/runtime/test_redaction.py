"""No name, password or token of an address is shown anywhere."""

import pytest

from lodestone.runtime.redaction import public_address


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://me:secret@host/path", "https://host/path"),
        ("https://secret@host", "https://host"),
        ("postgresql://me:se/cr@et@db:5432/runs", "postgresql://db:5432/runs"),
        ("no way to https://me:secret@a/ or http://me:secret@b:80", "no way to https://a/ or http://b:80"),
        ("mysql://db/runs?user=me&password=secret&ssl=1", "mysql://db/runs?user=me&password=***&ssl=1"),
        ("https://host/api?token=secret'", "https://host/api?token=***'"),
        ("models:/lodestone@champion", "models:/lodestone@champion"),
        ("sqlite:////home/me@here/mlflow.db", "sqlite:////home/me@here/mlflow.db"),
        ("http://127.0.0.1:5000/#/experiments", "http://127.0.0.1:5000/#/experiments"),
        ("nobody: a@b.c", "nobody: a@b.c"),
    ],
)
def test_addresses_are_shown_without_their_secrets(text, shown):
    assert public_address(text) == shown
