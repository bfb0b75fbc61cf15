"""Tests of one folder share fixtures that are dear to make; they run in one process."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        room = item.path.relative_to(HERE).parts[0]
        item.add_marker(pytest.mark.xdist_group(room))
