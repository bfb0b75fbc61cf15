"""One new file is a new oracle: that of `docs/how-to`, put where the how-to says, runs a campaign to its report."""

import shutil
import sys
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

import polars as pl
import pytest
import yaml
from tiny_campaign import ROOT, make_campaign

from lodestone.config.load import parse_params
from lodestone.config.registry import ORACLES
from lodestone.crystals.encoding import decode
from lodestone.errors import LodestoneError
from lodestone.oracles.registry import make_oracle
from lodestone.schemas import Candidates, Labelled, Validated, Verifications
from lodestone.tables.files import read_json, read_table
from lodestone.tables.layout import Layout

TOY = ROOT / "docs" / "how-to" / "toy_oracle.py"
NAME = "pair-potential-1"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A finished campaign with it, of one round."""
    campaign = make_campaign(tmp_path_factory.mktemp("toy") / "campaign", rounds=1)
    shutil.copy(TOY, campaign.folder / "pipeline" / "lodestone" / "oracles" / "toy.py")
    campaign.edit(lambda params: params.update(oracle={"name": NAME, "depth": 0.3}))
    outcome = campaign.discover()
    assert outcome.code == 0, outcome.out + outcome.err
    return campaign.folder


@pytest.fixture(autouse=True)
def _as_they_were(monkeypatch):
    """What a test registers is forgotten after it."""
    ORACLES.names()
    monkeypatch.setattr(ORACLES, "_entries", dict(ORACLES._entries))


@pytest.fixture
def toy(monkeypatch):
    """Its module, as the campaign has it."""
    spec = spec_from_file_location("toy", TOY)
    module = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "toy", module)
    spec.loader.exec_module(module)
    return module


@pytest.mark.end_to_end
def test_a_campaign_with_the_toy_oracle_runs_to_its_report(folder, toy):
    labels = read_table(folder / "data" / "labelled" / "crystals.parquet", Labelled)
    assert len(labels["source_formation_energy_per_atom"].drop_nulls()) > 100  # CHGNet's, for comparison only
    are_its_own(labels, read_table(folder / "data" / "validated" / "crystals.parquet", Validated), toy)
    files = Layout(folder / "data").round("round_0")
    verified = read_table(files.verifications, Verifications)
    are_its_own(verified, read_table(files.candidates, Candidates), toy)
    facts = read_json(folder / "data" / "labelled" / "oracle.json")
    assert (facts["name"], facts["settings"]) == (NAME, {"depth": 0.3, "ionicity": 0.1})
    assert facts["versions"].keys() == set(toy.PairPotential.packages)
    page = (folder / "reports" / "campaign.html").read_text()
    assert f"comes from one oracle, {NAME}, so that all lie on one scale. {toy.PairPotential.caveat}" in page


def are_its_own(labels: pl.DataFrame, unrelaxed: pl.DataFrame, toy: ModuleType) -> None:
    """Whether the energies are those that the toy gives here."""
    oracle = toy.PairPotential(toy.PairPotentialParams(name=NAME, depth=0.3))
    rows = unrelaxed.join(labels.select("material_id", energy="energy_per_atom"), on="material_id").drop_nulls("energy")
    assert len(rows)
    for index, label in oracle.label(decode(rows)):
        assert label.energy_per_atom == pytest.approx(rows["energy"][index])


@pytest.fixture
def somewhere_else(tmp_path, monkeypatch):
    """An installed package of somebody else that declares the entry point of the how-to."""
    package, facts = tmp_path / "your_package", tmp_path / "your_package-1.0.dist-info"
    package.mkdir()
    (package / "__init__.py").touch()
    shutil.copy(TOY, package)
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: your-package\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text("[lodestone.oracles]\npair-potential = your_package.toy_oracle\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(ORACLES, "_complete", False)
    yield
    sys.modules.pop("your_package.toy_oracle", None)


@pytest.mark.usefixtures("somewhere_else")
def test_an_oracle_of_an_installed_package_is_found_by_its_name():
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    params = parse_params(content | {"oracle": {"name": NAME, "ionicity": 0.2}})
    oracle = make_oracle(params.oracle)
    assert type(oracle).__module__ == "your_package.toy_oracle"
    assert (oracle.name, oracle.label_settings()) == (NAME, {"depth": 0.2, "ionicity": 0.2})
    with pytest.raises(LodestoneError, match=r"oracle\.ionicity: Input should be greater than or equal to 0"):
        parse_params(content | {"oracle": {"name": NAME, "ionicity": -1}})
