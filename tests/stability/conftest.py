import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the shared data sets, which are no part of the repository."""
    folder = Path(os.environ.get("LODESTONE_SHARED_DATA", ROOT / ".." / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"shared data not found in {folder}; set LODESTONE_SHARED_DATA")
    return folder
