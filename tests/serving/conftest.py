"""A server of untrained networks, in this process."""

import numpy as np
import polars as pl
import pytest
from pymatgen.core import Lattice, Structure
from starlette.testclient import TestClient

from lodestone.prediction.model import load
from lodestone.prediction.scale import Scale
from lodestone.serving.access import Access
from lodestone.serving.app import make_app
from lodestone.serving.questions import Limits
from prediction.untrained import DFT, write_ensemble

LIMITS = Limits(megabytes=1, crystals=20, sites=40)


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ensemble")
    write_ensemble(folder)
    DFT.write(folder)
    return load(folder)


@pytest.fixture(scope="session")
def hull(tmp_path_factory):
    path = tmp_path_factory.mktemp("hull") / "hull.parquet"
    labels = {"label_method": "dft-pbe", "correction_scheme": "MP-2019-legacy"}
    rows = {"material_id": ["mp-1", "mp-2"], "formula": ["NaCl", "NaCl3"], "formation_energy_per_atom": [-2.1, -0.1]}
    pl.DataFrame(rows).with_columns(**{name: pl.lit(value) for name, value in labels.items()}).write_parquet(path)
    return path


@pytest.fixture(scope="session")
def phases(model, hull):
    assert model.scale == Scale("dft-pbe", "MP-2019-legacy")
    return model.every_phase(hull)


@pytest.fixture(scope="session")
def serve(model, phases):
    def serve(access: Access | None = None, limits: Limits = LIMITS, *, loud: bool = True) -> TestClient:
        app = make_app(model, phases, access or Access(), limits)
        return TestClient(app, base_url="http://127.0.0.1:8000", raise_server_exceptions=loud)

    return serve


@pytest.fixture(scope="session")
def client(serve):
    return serve()


@pytest.fixture(scope="session")
def salts() -> list[Structure]:
    """Cesium chloride structures of 12 compounds."""
    pairs = [(metal, halogen) for metal in ("Li", "Na", "K", "Rb") for halogen in ("F", "Cl", "Br")]
    places = np.array([[0, 0, 0], [0.5, 0.5, 0.5]])
    return [Structure(Lattice.cubic(3 + 0.1 * n), pair, places) for n, pair in enumerate(pairs)]
