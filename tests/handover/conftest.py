"""One made-up campaign, handed over once."""

from pathlib import Path

import pytest

from finished_campaign import write_finished_campaign
from lodestone.handover.campaign import read_finished
from lodestone.handover.write import write_handover


@pytest.fixture(scope="session")
def finished_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    write_finished_campaign(folder, rounds=1)
    return folder


@pytest.fixture(scope="session")
def finished(finished_folder):
    return read_finished(finished_folder)


@pytest.fixture(scope="session")
def handed_over(finished, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("handed") / "over"
    assert write_handover(finished, out) == finished.discoveries.height
    return out
