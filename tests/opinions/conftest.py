"""One made-up campaign, and an oracle of the tests' own that knows the energies of its crystals."""

from pathlib import Path

import pytest
import toy_judges

from finished_campaign import write_finished_campaign
from lodestone.crystals.encoding import decode
from lodestone.handover.campaign import read_finished


@pytest.fixture(scope="session")
def finished_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    write_finished_campaign(folder, rounds=2)
    return folder


@pytest.fixture(scope="session")
def finished(finished_folder):
    return read_finished(finished_folder)


@pytest.fixture(autouse=True)
def world(finished):
    """What the toy oracle knows."""
    digests = [crystal.digest() for crystal in decode(finished.known)]
    toy_judges.ENERGIES.clear()
    toy_judges.ENERGIES.update(zip(digests, finished.known["energy_per_atom"], strict=True))
    found = finished.known["material_id"].is_in(finished.discoveries["material_id"].implode())
    toy_judges.FINDS.clear()
    toy_judges.FINDS.update(digest for digest, is_find in zip(digests, found, strict=True) if is_find)
    toy_judges.LABELLED.clear()
