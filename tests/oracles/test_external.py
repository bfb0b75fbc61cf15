"""The oracle that computes nothing."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from lodestone.config.load import parse_params
from lodestone.crystals.crystal import Crystal
from lodestone.errors import LodestoneError, WaitingError
from lodestone.oracles.base import Label
from lodestone.oracles.external import ExternalOracle, ExternalParams
from lodestone.oracles.pool import label_all
from lodestone.oracles.store import LabelStore, label_key

SALT = Crystal(4.0 * np.eye(3), [11, 17], [[0, 0, 0], [0.5, 0.5, 0.5]])


@pytest.fixture
def oracle() -> ExternalOracle:
    return ExternalOracle(ExternalParams(name="external", label_method="dft-pbe", correction_scheme="MP2020"))


@pytest.fixture
def store(tmp_path):
    with LabelStore(tmp_path / "labels.sqlite") as store:
        yield store


def test_it_waits_for_what_the_store_does_not_know_and_stores_nothing(oracle, store):
    with pytest.raises(WaitingError, match="labels of 1 crystals are computed elsewhere"):
        label_all(oracle, [SALT, SALT], store, "")
    assert len(store) == 0


def test_it_goes_on_with_what_the_store_knows(oracle, store):
    store.put(label_key(oracle, SALT), oracle, Label("ok", -3.0, SALT))
    assert [label.energy_per_atom for label in label_all(oracle, [SALT, SALT], store, "")] == [-3.0, -3.0]
    assert label_all(oracle, [], store, "") == []


def test_its_labels_depend_on_method_and_scheme_alone(oracle):
    facts = {"label_method": "dft-pbe", "correction_scheme": "MP2020"}
    assert oracle.identity() == {"name": "dft-pbe", "settings": facts, "versions": {}}
    assert oracle.caveat.startswith("Energies were computed elsewhere by dft-pbe (corrections: MP2020) and imported")


def test_it_serves_the_scale_of_the_source_only():
    content = yaml.safe_load((Path(__file__).parents[2] / "params.yaml").read_text())
    content["oracle"] = {"name": "external", "label_method": "dft-pbe", "correction_scheme": "MP2020"}
    with pytest.raises(LodestoneError, match=r"label\.scale: external cannot label a snapshot anew; .* scale: source"):
        parse_params(content)
    assert parse_params(content | {"label": {"scale": "source"}}).oracle.name == "external"
