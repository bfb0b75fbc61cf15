"""An ensemble that answers at once."""

from pathlib import Path

import pytest
from pymatgen.core import Structure
from untrained import DFT, rock_salt, write_ensemble


@pytest.fixture(scope="session")
def ensemble_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("ensemble")
    write_ensemble(folder)
    DFT.write(folder)
    return folder


@pytest.fixture(scope="session")
def model(ensemble_folder):
    from lodestone.prediction.model import load

    return load(ensemble_folder)


@pytest.fixture
def salt() -> Structure:
    return rock_salt("Na", "Cl", 5.69)
