"""`params.yaml`: everything that is wrong is refused, and named."""

import copy
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from lodestone.config.load import PARAMS_FILE, load_params, parse_params
from lodestone.config.registry import VIEWS
from lodestone.config.rounds import round_names
from lodestone.errors import LodestoneError

ROOT = Path(__file__).parents[2]
DEFAULT = yaml.safe_load((ROOT / "params.yaml").read_text())
DROP = object()


def changed(**changes: object) -> dict:
    """The default parameters with values replaced; keys are paths joined by ``__``."""
    content = copy.deepcopy(DEFAULT)
    for path, value in changes.items():
        *parents, key = path.split("__")
        section = content
        for parent in parents:
            section = section[parent]
        section.pop(key) if value is DROP else section.__setitem__(key, value)
    return content


def chain(*links: tuple[str, str]) -> dict:
    """Rounds by pairs of name and next name."""
    return {name: {"next": following, "budget": 4, "random_baseline": 1} for name, following in links}


@pytest.mark.parametrize(
    "path", [ROOT / "params.yaml", *sorted((ROOT / "campaigns").glob("*.yaml"))], ids=lambda p: p.name
)
def test_parameter_files_of_the_repository(path):
    params = load_params(path)
    assert len(round_names(params.rounds)) == len(params.rounds) >= 3
    assert params.snapshot.source == ("reference" if path.name == "params.yaml" else "file")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"sed": 1}, "sed: unknown parameter; did you mean seed?"),
        ({"surprise": 1}, "surprise: unknown parameter"),
        ({"structure__widht": 64}, "structure.widht: unknown parameter; did you mean width?"),
        ({"rounds__round_1__bugdet": 64}, "rounds.round_1.bugdet: unknown parameter; did you mean budget?"),
        (
            {"snapshot__filters": {"element": ["Na"]}},
            "filters.element: unknown parameter; did you mean elements?",
        ),
        ({"snapshot__filters": {"elements": ["Na", "Xx"]}}, "snapshot.filters.elements.1: 'Xx' is no element"),
        ({"snapshot__filters": {"require_any_of": ["X"]}}, "snapshot.filters.require_any_of.0: 'X' is no element"),
        ({"snapshot__filters": {"chemical_systems": ["Li-Oo"]}}, "snapshot.filters.chemical_systems.0: 'Oo' is no"),
        ({"oracle": DROP}, "oracle: Field required"),
        ({"structure__cutoff": DROP}, "structure.cutoff: Field required"),
        ({"composition__epochs": "many"}, "composition.epochs: Input should be a valid integer"),
        ({"composition__epochs": 1.5}, "composition.epochs: Input should be a valid integer"),
        ({"seed": -1}, "seed: Input should be greater than or equal to 0"),
        ({"structure__patience": 0}, "structure.patience: Input should be greater than or equal to 1"),
        ({"structure__precision": "float16"}, "structure.precision: Input should be 'float32' or 'bfloat16'"),
        ({"structure__members": 1}, "structure.members: Input should be greater than or equal to 2"),
        ({"rounds__round_0__budget": 0}, "rounds.round_0.budget"),
        ({"oracle__fmax": float("nan")}, "oracle.fmax"),
        (
            {"ensemble__aggregation": "vote"},
            "ensemble.aggregation: 'vote' is none of constant, inverse_variance, mean, median, composition, structure",
        ),
        ({"ensemble": DROP}, "ensemble: Field required"),
        ({"discovery__max_depth": 0}, "discovery.max_depth: Input should be greater than 0"),
        ({"discovery__max_depth": None}, "discovery.max_depth: Input should be a valid number"),
        ({"discovery__threshold": float("nan")}, "discovery.threshold: Input should be a finite number"),
        (
            {"discovery__charge_balance": "loose"},
            "discovery.charge_balance: Input should be 'strict', 'common' or 'off'",
        ),
        ({"discovery__charge_balance": 1}, "discovery.charge_balance: Input should be 'strict', 'common' or 'off'"),
        (
            {"snapshot__source": "mp"},
            "snapshot: there is no source 'mp'; there are: file, materials_project, optimade, reference",
        ),
        ({"snapshot__source": 1}, "snapshot.source: Input should be a valid string"),
        ({"snapshot__source": DROP}, "snapshot.source: Field required"),
        ({"snapshot__source": "file"}, "snapshot.label_method: Field required; snapshot.correction_scheme: Field"),
        ({"snapshot__source": "optimade"}, "snapshot.provider: Field required"),
        ({"snapshot__path": DROP}, "snapshot: path is missing"),
        (
            {"snapshot__label_method": "dft-pbe"},
            "snapshot: source: reference does not read label_method; it reads filters, path, source",
        ),
        (
            {"snapshot": {"source": "materials_project", "path": "x", "provider": "oqmd"}},
            "snapshot: source: materials_project does not read provider; it reads database_version, filters, path",
        ),
        ({"snapshot__filters__elements": "Na"}, "snapshot.filters.elements: Input should be a valid tuple"),
        ({"validate__volume_per_atom": [150, 2]}, "validate: volume_per_atom: the lower bound comes first"),
        ({"validate__formation_energy": [1, 1]}, "validate: formation_energy: the lower bound comes first"),
        ({"split__validation": 0.6, "split__test": 0.4}, "split: validation and test must be positive"),
        ({"split__test": 0}, "split: validation and test must be positive"),
        ({"split__test_from": "2018-01-01"}, "split: by: formula reads no validation_from and test_from"),
        ({"split__by": "created_at"}, "split: by: created_at needs validation_from and test_from"),
        ({"split": {"by": "created_at", "validation_from": "2018-02-30"}}, "split.validation_from: Input should be a"),
        (
            {"split": {"by": "created_at", "validation_from": "2018-01-01", "test_from": "2018-01-01"}},
            "split: validation_from must lie before test_from",
        ),
        ({"views": []}, "views: Tuple should have at least 1 item"),
        ({"views": ["composition", "structure", "structure"]}, "views: 'structure' stands twice"),
        ({"views": ["structure", "bonds"]}, "views: 'bonds' has no section bonds"),
        ({"structure": DROP}, "views: 'structure' has no section structure"),
        ({"structure__epoch": 3}, "structure.epoch: unknown parameter"),
        ({"composition__cutoff": 3.0}, "composition.cutoff: unknown parameter"),
        ({"composition__width": 97}, "composition.width: Input should be a multiple of 4"),
        (
            {"views": ["structure"], "ensemble__aggregation": "composition"},
            "ensemble.aggregation: 'composition' is none",
        ),
        ({"bonds": {"width": 8}}, "bonds: unknown parameter"),
        ({"layers": {"width": 8}}, "there is no view 'layers'; there are: composition, structure"),
        ({"rounds": None}, "rounds: Input should be a valid dictionary"),
        ({"rounds": {0: {"next": "1", "budget": 1, "random_baseline": 0}}}, "rounds.0.[key]: Input should be a valid"),
        ({"rounds": {}}, "at least one round is needed"),
    ],
)
def test_wrong_values_are_named(changes, told):
    with pytest.raises(LodestoneError) as refused:
        parse_params(changed(**changes), Path("my.yaml"))
    assert refused.value.problem.startswith("my.yaml: ")
    assert told in refused.value.problem


@pytest.mark.parametrize(
    ("links", "told"),
    [
        ([("round_0", "round_1"), ("round_2", "round_3")], "gap: nobody names 'round_2' as next"),
        ([("round_0", "round_1"), ("round_1", "round_0")], "the chain is a cycle"),
        ([("round_0", "round_0")], "the chain is a cycle"),
        ([("round_0", "end"), ("round_1", "round_2"), ("round_2", "round_1")], "part of the chain is a cycle"),
        ([("round_0", "round_2"), ("round_1", "round_2"), ("round_2", "end")], "two rounds name 'round_2' as next"),
        ([("round_1", "round_2"), ("round_2", "round_3")], "first round must be called round_0, not 'round_1'"),
    ],
    ids=["gap", "cycle", "self", "split off cycle", "fork", "first"],
)
def test_broken_chains_are_named(links, told):
    with pytest.raises(LodestoneError) as refused:
        parse_params(changed(rounds=chain(*links)))
    assert told in refused.value.problem


def test_rounds_are_in_the_order_of_the_chain_not_of_the_file():
    rounds = chain(("zeta", "end"), ("alpha", "zeta"), ("round_0", "alpha"))
    assert round_names(parse_params(changed(rounds=rounds)).rounds) == ["round_0", "alpha", "zeta"]


@pytest.mark.parametrize("content", [None, [1], "text", {}])
def test_files_that_hold_something_else(content):
    with pytest.raises(LodestoneError, match=r"my\.yaml"):
        parse_params(content, Path("my.yaml"))


def test_missing_file_and_broken_yaml(tmp_path):
    with pytest.raises(LodestoneError, match="root of the repository"):
        load_params(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text("seed: 1\nrounds: {round_0: [\n")
    with pytest.raises(LodestoneError, match="is no YAML"):
        load_params(tmp_path / "params.yaml")


def test_a_file_in_another_encoding_is_named_with_the_line(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_bytes("seed: 1\n# distances in Å\n".encode("latin-1"))
    with pytest.raises(LodestoneError, match=r"params\.yaml, line 2: byte 0xc5 at position 23 is no UTF-8") as refused:
        load_params(path)
    assert "Latin-1" in refused.value.remedy


def test_paths_may_be_text_and_windows_may_mark_the_file(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + PARAMS_FILE.read_bytes())
    assert load_params(str(path)) == load_params(PARAMS_FILE)


def test_parameters_are_frozen():
    params = parse_params(changed())
    for section, name in ((params, "seed"), (params.oracle, "fmax"), (params.rounds["round_0"], "budget")):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(section, name, 1)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("strict", "strict"),
        ("common", "common"),
        ("off", "off"),
        ("'off'", "off"),
        ("true", "strict"),
        ("false", "off"),
    ],
)
def test_charge_rules_by_name_and_as_earlier_files_have_them(tmp_path, written, read):
    text, line = PARAMS_FILE.read_text(encoding="utf-8"), "charge_balance: common"
    assert line in text
    path = tmp_path / "params.yaml"
    path.write_text(text.replace(line, f"charge_balance: {written}"), encoding="utf-8")
    assert load_params(path).discovery.charge_balance == read


def test_views_by_name():
    params = parse_params(changed(structure__width=17))
    assert params.view("structure").width == 17
    assert params.view("composition").model_dump(mode="json") == params.model_dump(mode="json")["composition"]
    assert parse_params(changed(views=["structure"])).views == ("structure",)


def test_views_of_ours_are_checked_without_the_networks():
    script = "import sys; from lodestone.config.registry import VIEWS; VIEWS.settings_model('structure'); {}"
    check = "sys.exit('torch' in sys.modules or 'structure' not in VIEWS or 'bonds' in VIEWS)"
    subprocess.run([sys.executable, "-c", script.format(check)], check=True)
    assert {name: VIEWS[name].settings for name in VIEWS.known} == VIEWS.known


def test_a_key_that_stands_twice_is_refused(tmp_path):
    text = PARAMS_FILE.read_text()
    path = tmp_path / "params.yaml"
    path.write_text(text + "\n  round_2: {next: round_9, budget: 1, random_baseline: 0}\n")
    with pytest.raises(LodestoneError, match="'round_2' stands twice"):
        load_params(path)


def test_a_round_name_is_no_path(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(PARAMS_FILE.read_text().replace("next: round_3", "next: ../round_3"))
    with pytest.raises(LodestoneError, match=r"rounds.round_2.next"):
        load_params(path)
