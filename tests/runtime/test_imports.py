"""What a process imports is what it needs."""

import subprocess
import sys
from pathlib import Path

import pytest

from lodestone.runtime.imports import without

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "torch_geometric", "pandas", "pymatgen", "mlflow", "scipy", "chgnet", "plotly", "sqlalchemy")


def heavy_modules(code: str, *arguments: str) -> list[str]:
    """Heavy packages that a fresh process has loaded after some code."""
    code += f"\nimport sys; print(*(name for name in {HEAVY} if name in sys.modules))"
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize("stage", ["snapshot", "validate", "label", "split", "report", "publish"])
def test_a_stage_that_does_not_train_starts_without_torch(stage):
    code = f"import runpy; runpy.run_path('stages/{stage}.py', run_name='stage')"
    assert heavy_modules(f"{code}\nfrom lodestone.config.load import load_params; load_params()") == []


def test_tables_are_checked_without_pandas():
    assert heavy_modules(CHECKED) == []


def test_distances_are_found_without_torch():
    assert heavy_modules(MEASURED) == []


def test_only_what_is_named_is_missing_and_only_for_a_while(monkeypatch):
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with without("colorsys"):
        with pytest.raises(ModuleNotFoundError, match="No module named 'colorsys'"):
            import colorsys
        import wave  # noqa: F401
    import colorsys  # noqa: F401


CHECKED = """
import polars as pl
from lodestone.errors import LodestoneError
from lodestone.schemas import References
from lodestone.tables.files import validated
columns = References.to_schema().columns.items()
good = pl.DataFrame({name: pl.Series([], dtype=column.dtype.type) for name, column in columns})
validated(good, References, "good")
try:
    validated(good.rename({"element": "x"}), References, "bad")
except LodestoneError:
    pass
else:
    raise AssertionError
"""

MEASURED = """
import numpy as np
from lodestone.crystals.crystal import Crystal
from lodestone.crystals.pairs import pairs_within
(distances,) = pairs_within(Crystal(3 * np.eye(3), [29], [[0, 0, 0]]), 3.5, "d")
assert len(distances) == 6 and np.allclose(distances, 3)
"""
