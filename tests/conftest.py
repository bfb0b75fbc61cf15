"""Tests of one folder share fixtures that are dear to make, so they run in one process; the longest begin first."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent
LONGEST = "end_to_end"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    rooms = {item: item.path.relative_to(HERE).parts[0] for item in items}
    items.sort(key=lambda item: rooms[item] != LONGEST)
    for item, room in rooms.items():
        item.add_marker(pytest.mark.xdist_group(room))
