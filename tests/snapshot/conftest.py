import json
from pathlib import Path

import polars as pl
import pytest
from snapshot_rows import ROWS

ROOT = Path(__file__).parents[2]


@pytest.fixture
def write(tmp_path):
    """Writes rows as parquet or JSON lines, by the ending of the name."""

    def _write(rows=ROWS, name="crystals.parquet") -> Path:
        path = tmp_path / name
        if path.suffix == ".parquet":
            pl.DataFrame(rows, infer_schema_length=None).write_parquet(path)
        else:
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    return _write
