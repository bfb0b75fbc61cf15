"""What a process imports is what it needs."""

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from lodestone.runtime.imports import without

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "torch_geometric", "pandas", "pymatgen", "mlflow", "scipy", "chgnet", "plotly", "sqlalchemy")


def heavy_modules(code: str, *others: str) -> list[str]:
    """Which heavy packages, and which of some others, a fresh process has loaded after some code."""
    [loaded] = _loaded_after([code], *others)
    return loaded


def _loaded_after(steps: list[str], *others: str) -> list[list[str]]:
    """The same after each of some steps, which one process takes one after the other."""
    tell = f"import sys; print(*(name for name in {(*HEAVY, *others)} if name in sys.modules))"
    code = "".join(f"{step}\n{tell}\n" for step in steps)
    command = [sys.executable, "-c", code]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [line.split() for line in told.splitlines()]


def starts(*stages: str) -> list[str]:
    return [f"import runpy; runpy.run_path('stages/{stage}.py', run_name='stage')" for stage in stages]


def test_stages_that_do_not_train_start_without_torch():
    """In one process: what one of them loads, all that come after it have, too."""
    steps = starts("snapshot", "validate", "label", "split", "report", "publish")
    loaded = _loaded_after([*steps, "from lodestone.config.load import load_params; load_params()"])
    assert loaded == [[]] * (len(steps) + 1)


def test_stages_with_networks_start_with_hardly_more_than_torch():
    loaded = _loaded_after(["import lodestone.models.structure", *starts("train", "ensemble", "active_learning")])
    assert loaded == [["torch", "torch_geometric"]] * 4


def test_predictions_need_no_compiler_and_no_data_sets():
    loaded = heavy_modules(PREDICTED, "torch._dynamo.utils", "torch_geometric.datasets.planetoid", "torch.onnx")
    assert loaded == ["torch", "torch_geometric", "pymatgen"]


@pytest.mark.slow
def test_what_was_put_off_is_there_when_it_is_used():
    code = "import lodestone.models.structure, torch, torch_geometric"
    used = "torch_geometric.datasets.Planetoid; torch._dynamo.OptimizedModule; torch_geometric.profile.timeit"
    assert "torch._dynamo.utils" in heavy_modules(f"{code}\n{used}", "torch._dynamo.utils")


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

    assert gc.isenabled()


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

PREDICTED = """
import numpy as np, torch
from lodestone.config.load import load_params
from lodestone.crystals.crystal import Crystal
from lodestone.models.inference import evaluate
from lodestone.models.registry import make_dataset, make_network
crystals = [Crystal(3 * np.eye(3), [29, 13], [[0, 0, 0], [0.5, 0.5, 0.5]])]
for view in ("composition", "structure"):
    params = getattr(load_params(), view)
    evaluate(make_network(view, params), make_dataset(view, crystals, params), torch.device("cpu"))
"""

MEASURED = """
import numpy as np
from lodestone.crystals.crystal import Crystal
from lodestone.crystals.pairs import pairs_within
(distances,) = pairs_within(Crystal(3 * np.eye(3), [29], [[0, 0, 0]]), 3.5, "d")
assert len(distances) == 6 and np.allclose(distances, 3)
"""
