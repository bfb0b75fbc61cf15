"""A registered model by itself: loaded by plain Python, after its folder was moved, from its own code, and served."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from starlette.testclient import TestClient
from test_tracking import ROCK_SALT

import lodestone
from lodestone.crystals.compositions import atomic_fractions
from lodestone.prediction.model import load
from lodestone.schemas import Crystals
from lodestone.serving.access import Access
from lodestone.serving.app import make_app
from lodestone.serving.questions import Limits
from lodestone.stability.hull import ConvexHull
from lodestone.tables.files import read_table
from lodestone.tables.layout import Layout
from lodestone.tracking.model_files import PACKAGES, requirements

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOAD = """
import json, sys
import mlflow, pandas as pd
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model("models:/lodestone-ensemble@champion")
answer = model.predict(pd.DataFrame([json.loads(sys.argv[2])]))
import lodestone
print(json.dumps([lodestone.__file__, float(answer["formation_energy_per_atom_pred"].iloc[0])]))
"""


@pytest.fixture(scope="module")
def model_folder(shared_campaign) -> Path:
    """Files of the champion, which is the first round's ensemble."""
    models = [path.parent for path in (shared_campaign / "mlruns" / "models").glob("*/artifacts/MLmodel")]
    return min(models, key=lambda folder: "round_1" in (folder / "README.md").read_text())


@pytest.fixture(scope="module")
def model(model_folder):
    return mlflow.pyfunc.load_model(str(model_folder))


def test_an_answer_has_hull_distances_and_what_the_signature_says(model, shared_campaign):
    answer = model.predict(pd.DataFrame([ROCK_SALT]))
    assert list(answer.columns) == model.metadata.signature.outputs.input_names()
    known = read_table(Layout(shared_campaign / "data").round("round_0").crystals, Crystals)
    hull = ConvexHull(
        atomic_fractions(known["atomic_numbers"].to_list()), known["formation_energy_per_atom"].to_numpy()
    )
    (floor,) = hull.hull_energies(atomic_fractions([np.array([11, 17])]))
    row = answer.iloc[0]
    for end in ("pred", "lower", "upper"):
        energy = row[f"formation_energy_per_atom_{end}"]
        assert row[f"energy_above_hull_{end}"] == pytest.approx(energy - floor, abs=1e-9)
    assert 0 <= row["stability_probability"] <= 1


def test_the_example_is_answered(model):
    assert model.predict(model.input_example)["formation_energy_per_atom_pred"].notna().all()


def test_nothing_in_a_model_is_a_pickle(model_folder):
    endings = {path.suffix for path in model_folder.rglob("*") if path.is_file()}
    assert endings <= {".safetensors", ".json", ".parquet", ".py", ".yaml", ".txt", ".md", ""}
    assert {path.name for path in model_folder.rglob("*") if not path.suffix and path.is_file()} == {"MLmodel"}


def test_its_requirements_are_those_of_the_lock_and_all_that_its_code_imports(model_folder):
    pins = dict(line.split("==") for line in (model_folder / "requirements.txt").read_text().splitlines())
    assert {canonicalize_name(name): pin for name, pin in pins.items()}.items() <= locked().items()
    assert requirements() == [f"{name}=={pins[name]}" for name in PACKAGES]
    owners = packages_distributions()
    imported = {top for path in (model_folder / "code").rglob("*.py") for top in _imports(path)}
    packages = {canonicalize_name(owner) for top in imported - {"lodestone"} for owner in owners.get(top, [])}
    declared = {canonicalize_name(Requirement(text).name) for text in PROJECT["dependencies"]}
    assert packages & declared <= set(PACKAGES)


def locked() -> dict[str, str]:
    """Versions in the lock file; each has hashes of files of the index, so every name there is somebody's."""
    found = re.findall(r"^(\S+)==([^\s;]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    return {canonicalize_name(name): pin.partition("+")[0] for name, pin in found}


def _imports(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text())))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return {
        name.partition(".")[0]
        for name in plain | {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    }


@pytest.mark.slow
def test_plain_python_loads_the_model_of_a_moved_folder_by_its_own_code(published, tmp_path, model):
    """No command of ours has run there since; the entry points are those that an installation has."""
    moved = tmp_path / "elsewhere"
    published.rename(moved)
    info = tmp_path / "site" / "lodestone_plugins-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lodestone-plugins\nVersion: 1\n")
    groups = PROJECT["entry-points"]
    lines = [f"[{group}]\n" + "".join(f"{a} = {b}\n" for a, b in points.items()) for group, points in groups.items()]
    (info / "entry_points.txt").write_text("".join(lines))
    folders = os.pathsep.join([str(tmp_path / "site"), str(ROOT / "pipeline")])
    own = {"PYTHONPATH": folders, "MLFLOW_DISABLE_TELEMETRY": "true"}
    command = [sys.executable, "-c", LOAD, f"sqlite:///{moved}/mlflow.db", json.dumps(ROCK_SALT)]
    outcome = subprocess.run(command, cwd=tmp_path, env=os.environ | own, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stderr
    code, energy = json.loads(outcome.stdout.splitlines()[-1])
    assert energy == pytest.approx(model.predict(pd.DataFrame([ROCK_SALT]))["formation_energy_per_atom_pred"].iloc[0])
    assert Path(code).is_relative_to(ROOT)  # which the entry points had imported before


@pytest.mark.slow
def test_a_model_is_loaded_by_the_code_that_it_carries(model_folder, tmp_path):
    """In an environment without Lodestone: its name leads nowhere."""
    copy = tmp_path / "model"
    shutil.copytree(model_folder, copy)
    script = f"""
import sys
sys.path[:] = [entry for entry in sys.path if not entry.endswith("pipeline")]
sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in str(finder).lower()]
import mlflow, pandas as pd
model = mlflow.pyfunc.load_model({str(copy)!r})
assert len(model.predict(model.input_example)) == 1
import lodestone
print(lodestone.__file__)
"""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    outcome = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=kept, capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 0, outcome.stderr
    assert Path(outcome.stdout.split()[-1]).is_relative_to(copy)


@pytest.fixture(scope="module")
def server(model_folder):
    """The application of `mlflow models serve`, in this process."""
    from mlflow.pyfunc import scoring_server

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scoring_server, "_handle_serving_error", scoring_server._handle_serving_error)
        patch.setenv("_MLFLOW_IS_IN_SERVING_ENVIRONMENT", "true")
        yield TestClient(scoring_server.init(mlflow.pyfunc.load_model(str(model_folder))))


RIGHT = {
    "records": {"dataframe_records": [ROCK_SALT]},
    "split": {"dataframe_split": {"columns": ["structure"], "data": [[ROCK_SALT]]}},
    "unrelaxed": {"dataframe_records": [ROCK_SALT], "params": {"input_structure": "unrelaxed"}},
}


@pytest.mark.parametrize("request_", RIGHT.values(), ids=RIGHT)
def test_a_right_request_is_answered(server, request_):
    answer = server.post("/invocations", json=request_)
    assert answer.status_code == 200, answer.text
    assert "energy_above_hull_pred" in answer.json()["predictions"][0]


def test_lodestone_serve_answers_the_same(published, model, monkeypatch):
    monkeypatch.chdir(published)
    champion = load("models:/lodestone-ensemble@champion")
    client = TestClient(make_app(champion, champion.every_phase(None), Access(), Limits()), base_url="http://localhost")
    answer = client.post("/predict", json={"crystals": [ROCK_SALT]})
    assert answer.status_code == 200, answer.text
    (row,) = answer.json()["predictions"]
    expected = model.predict(pd.DataFrame([ROCK_SALT])).iloc[0]
    for end in ("pred", "std", "lower", "upper"):
        name = f"formation_energy_per_atom_{end}"
        assert row[name] == pytest.approx(expected[name], abs=1e-6)
    assert answer.json()["hull"] is not None


JSON = {"content-type": "application/json"}
WRONG = {
    "no JSON": ("nothing", JSON, "valid JSON"),
    "unknown key": ('{"crystals": []}', JSON, "dataframe_split"),
    "no structure": ('{"dataframe_records": [{"structure": "nonsense"}]}', JSON, "row 0 is no crystal"),
    "other column": ('{"dataframe_records": [{"cif": "data_"}]}', JSON, "needs a column structure"),
    "overlap": (json.dumps({"dataframe_records": [ROCK_SALT | {"frac_coords": [0.0] * 6}]}), JSON, "atoms are 0.000"),
    "parameter": (json.dumps(RIGHT["records"] | {"params": {"input_structure": "x"}}), JSON, "relaxed or unrelaxed"),
    "unknown parameter": (json.dumps(RIGHT["records"] | {"params": {"geometry": "x"}}), JSON, ""),
    "no columns": ('{"dataframe_split": {"columns": [], "data": []}}', JSON, "needs a column structure"),
    "no CSV": (b"\xff\xfe", {"content-type": "text/csv"}, "UTF-8"),
    "empty CSV": ("", {"content-type": "text/csv"}, "CSV"),
    "no parquet": ("nonsense", {"content-type": "application/vnd.apache.parquet"}, "Parquet"),
    "other type": ("<xml/>", {"content-type": "text/xml"}, "content types"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_request_gets_a_sentence_and_no_traceback(server, case):
    body, headers, sentence = WRONG[case]
    answer = server.post("/invocations", content=body, headers=headers)
    if case == "unknown parameter":  # MLflow leaves it out
        assert answer.status_code == 200
        return
    assert answer.status_code in (400, 415), answer.text
    assert sentence in answer.text
    for secret in ("Traceback", "stack_trace", "site-packages", str(ROOT), str(Path(lodestone.__file__).parent)):
        assert secret not in answer.text


@pytest.fixture(scope="module")
def image(model_folder, tmp_path_factory) -> Path:
    """What `mlflow models build-docker` would build; there is no daemon here to build it with."""
    folder = tmp_path_factory.mktemp("context")
    command = [sys.executable, "-m", "mlflow", "models", "generate-dockerfile", "-m", str(model_folder), "-d", "image"]
    environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"}
    outcome = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stderr
    return folder / "image"


def test_the_context_of_an_image_is_whole(model_folder, image):
    dockerfile = (image / "Dockerfile").read_text()
    (copied,) = re.findall(r"^COPY (\S+) /opt/ml/model", dockerfile, re.MULTILINE)
    inside = image / copied
    names = yaml.safe_load((inside / "MLmodel").read_text())["flavors"]["python_function"]
    for part in (names["data"], names["code"], "requirements.txt"):
        assert (inside / part).exists()
    assert f"FROM python:{names['python_version']}-slim" in dockerfile
    files = {path.relative_to(model_folder) for path in model_folder.rglob("*") if path.is_file()}
    assert {path.relative_to(inside) for path in inside.rglob("*") if path.is_file()} == files
    assert all((inside / path).read_bytes() == (model_folder / path).read_bytes() for path in files)


def test_what_an_image_installs_is_locked_and_fits_together(model_folder, image):
    dockerfile = (image / "Dockerfile").read_text()
    wanted = [*re.findall(r"pip install (.+)", dockerfile), *(model_folder / "requirements.txt").read_text().split()]
    assert len(wanted) > 10
    assert all(locked()[canonicalize_name(Requirement(pin).name)] == pin.partition("==")[2] for pin in wanted)
    # Where the lock is installed, nothing has to be fetched for these, nor for what they need in turn.
    pip = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-index", "--disable-pip-version-check", *wanted]
    outcome = subprocess.run(pip, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stderr
    assert "Would install" not in outcome.stdout
