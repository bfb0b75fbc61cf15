"""The command, on a made-up campaign and with an oracle of the test's own."""

import json

import polars as pl
import pytest
import yaml

from lodestone.cli.main import main
from lodestone.config.registry import ORACLES
from lodestone.config.sections import OracleParams
from lodestone.crystals.symmetry import symmetry_of
from lodestone.oracles.base import Label, Oracle
from lodestone.report.collect import collect
from lodestone.report.discoveries import discoveries
from lodestone.report.summary import n_on_final_hull
from lodestone.schemas import Discoveries
from lodestone.tables.files import write_table
from report.synthetic import write_campaign


class MadeParams(OracleParams):
    """Nothing but what every oracle has."""


ENERGIES: dict[str, float] = {}
LABELLED: list[str] = []


@ORACLES.register("of-the-audit", settings=MadeParams)
class Made(Oracle):
    """Energies of the made-up campaign."""

    caveat = "Energies are made up."

    @property
    def one_process(self):
        return True

    def label(self, crystals):
        for index, crystal in enumerate(crystals):
            name = symmetry_of(crystal).decorated
            LABELLED.append(self.name)
            yield index, Label("ok", ENERGIES[name], crystal)


@ORACLES.register("static-of-the-audit", settings=MadeParams)
class MadeStatic(Made):
    @property
    def name(self):
        return "made-static"

    def static(self):
        return self


def call(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return ended.value.code


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A finished campaign, and a table of all that it knows in the end."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LODESTONE_TRACEBACK", raising=False)
    monkeypatch.setenv("LODESTONE_LABELS", str(tmp_path / "labels.sqlite"))
    params, layout, metrics = write_campaign(tmp_path, rounds=2)
    campaign = collect(params, layout, metrics)
    write_table(discoveries(campaign), tmp_path / "reports" / "discoveries.parquet", Discoveries)
    write_params(tmp_path, params, "static-of-the-audit")
    own = ("material_id", "lattice", "atomic_numbers", "frac_coords", "energy_above_hull")
    campaign.known.select(*own).write_parquet(tmp_path / "known.parquet")
    ENERGIES.clear()
    ENERGIES.update(campaign.known.select("decorated_prototype", "energy_per_atom").iter_rows())
    LABELLED.clear()
    return tmp_path


def write_params(folder, params, oracle):
    content = params.model_dump(mode="json", by_alias=True) | {"oracle": {"name": oracle}}
    (folder / "params.yaml").write_text(yaml.safe_dump(content))


def test_against_what_the_campaign_knows_anyway_those_on_its_last_hull_survive(folder, capsys):
    assert call("audit", "--against", "known.parquet") == 0
    content = json.loads((folder / "reports" / "audit.json").read_text())
    table = pl.read_parquet(folder / "reports" / "discoveries.parquet")
    assert content["survive"]["hits"] == n_on_final_hull(table) < content["survive"]["n"] == len(table)
    assert content["known_by_structure"]["hits"] == len(table)
    assert (
        content["fall_to_the_table"]["hits"] + content["fall_within_the_campaign"]["hits"]
        == len(table) - (content["survive"]["hits"])
    )
    assert content["oracle"]["name"] == "made-static"
    written = capsys.readouterr().out
    assert "survive on the completed hull" in written
    assert "written: reports/audit.json" in written


def test_labels_are_kept_and_the_folder_can_be_chosen(folder):
    assert call("audit", "--against", "known.parquet") == 0
    n = len(LABELLED)
    assert n > 5
    assert call("audit", "--against", "known.parquet", "--out", "elsewhere") == 0
    assert len(LABELLED) == n
    assert (folder / "elsewhere" / "audit.json").read_bytes() == (folder / "reports" / "audit.json").read_bytes()
    assert call("audit", "--against", "known.parquet", "--max-energy-above-hull", "0") == 0
    less = json.loads((folder / "reports" / "audit.json").read_text())
    assert 0 < less["phases"]["n_labelled"] < n


def test_an_oracle_that_only_relaxes_must_be_allowed_to(folder, capsys):
    content = yaml.safe_load((folder / "params.yaml").read_text())
    (folder / "params.yaml").write_text(yaml.safe_dump(content | {"oracle": {"name": "of-the-audit"}}))
    assert call("audit", "--against", "known.parquet") == 1
    assert "relaxes every crystal" in capsys.readouterr().err
    assert call("audit", "--against", "known.parquet", "--relax") == 0
    assert set(LABELLED) == {"of-the-audit"}


def test_a_campaign_without_discoveries_leaves_nothing_to_audit(folder, capsys):
    path = folder / "reports" / "discoveries.parquet"
    pl.read_parquet(path).clear().write_parquet(path)
    assert call("audit", "--against", "known.parquet") == 1
    assert "nothing to audit" in capsys.readouterr().err


def test_discoveries_of_another_campaign_are_refused(folder, capsys):
    path = folder / "reports" / "discoveries.parquet"
    table = pl.read_parquet(path)
    table.with_columns(material_id="lost-" + pl.col("material_id")).write_parquet(path)
    assert call("audit", "--against", "known.parquet") == 1
    assert "not among the crystals known at the end" in capsys.readouterr().err


def test_an_unfinished_campaign_and_a_missing_table_are_named(folder, capsys):
    assert call("audit", "--against", "nothing.parquet") == 1
    assert "nothing.parquet does not exist" in capsys.readouterr().err
    (folder / "reports" / "discoveries.parquet").unlink()
    assert call("audit", "--against", "known.parquet") == 1
    assert "discoveries.parquet does not exist" in capsys.readouterr().err
