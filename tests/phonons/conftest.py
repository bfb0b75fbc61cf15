"""A finished campaign to compute phonons in, and verdicts of each kind without any computing."""

import pytest
import yaml
from copper import SECTION
from said import KINDS

from finished_campaign import enter_copy, write_finished_campaign
from lodestone.phonons import phonons as room


@pytest.fixture(scope="session")
def finished_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vibrating")
    write_finished_campaign(folder, rounds=2)
    return folder


@pytest.fixture
def folder(finished_folder, tmp_path, monkeypatch):
    """A copy of the finished campaign, in which the command is run, with an oracle of one process."""
    folder = enter_copy(finished_folder, tmp_path, monkeypatch)
    (folder / "emt.yaml").write_text(yaml.safe_dump({"oracle": SECTION | {"one_process": True}}))
    return folder


@pytest.fixture
def computed(monkeypatch):
    """Verdicts without any computing, each kind in turn; and the crystals that were asked for."""
    digests = []

    def verdict(crystal, oracle, settings):
        digests.append(crystal.digest())
        return KINDS[len(digests) % len(KINDS)]

    monkeypatch.setattr(room, "verdict", verdict)
    return digests
