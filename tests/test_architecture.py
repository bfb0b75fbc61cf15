"""Who may import whom, and whether `dvc.yaml` declares all that a stage depends on: DVC cannot see imports."""

import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from closures import EVERYTHING, ROOT, closure_that_counts, imported_modules, used_sections
from lodestone.config.load import load_params
from lodestone.config.params import Params

VIEWS = load_params(ROOT / "params.yaml").views
SECTIONS = {field.alias or name for name, field in Params.model_fields.items()} | set(VIEWS)


def load_stages():
    """Stages of `dvc.yaml`, with templates and chains resolved by DVC."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from dvc.repo import Repo

        every = Repo(str(ROOT), uninitialized=True).index.stages
        return {stage.addressing: stage for stage in every if ":" not in stage.addressing}  # none of other campaigns


LOADED_BY_NAME = {Path("pipeline/lodestone/tracking/pyfunc.py")}  # by MLflow, which the import closure cannot see


@pytest.fixture(scope="module")
def stages():
    return load_stages()


def script_of(stage) -> Path:
    return Path(stage.cmd.split()[1])


def declared_files(stage) -> set[Path]:
    return {Path(dep.def_path) for dep in stage.deps if not hasattr(dep, "params")}


def declared_params(stage) -> set[str]:
    """Sections or keys; all sections where the file is named as a whole."""
    return {name for dep in stage.deps if hasattr(dep, "params") for name in dep.params or SECTIONS}


def needed_sections(stage) -> set[str]:
    """Sections that the script uses; ``params.view(...)`` means the view that the command names."""
    used = used_sections(script_of(stage))
    if EVERYTHING in used:
        return SECTIONS
    named = {word for word in stage.cmd.split() if word in VIEWS} or set(VIEWS)
    return (used - {"view"}) | (named if "view" in used else set())


def test_import_contracts_hold():
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout[-3000:]


def test_every_script_is_a_stage_and_every_stage_a_script(stages):
    assert {script_of(stage) for stage in stages.values()} == {
        path.relative_to(ROOT) for path in (ROOT / "stages").glob("*.py")
    }


def test_stages_declare_what_they_import(stages):
    wrong = []
    for name, stage in stages.items():
        script, declared = script_of(stage), declared_files(stage)
        files = closure_that_counts(script)
        missing = {path for path in files | {script} if not declared & {path, *path.parents}}
        ours = {path for path in declared - LOADED_BY_NAME if path.parts[0] == "pipeline"}
        idle = {path for path in ours if not any(path in (file, *file.parents) for file in files)}
        wrong += [f"{name}: deps lack {path}" for path in sorted(missing)]
        wrong += [f"{name}: deps name {path}, which is not imported" for path in sorted(idle)]
    assert not wrong, "\n".join(wrong)


def test_stages_that_train_or_relax_depend_on_the_versions_of_all_packages(stages):
    """After `make lock` energies and networks of two environments would else meet on one hull."""
    rooms = {Path("pipeline/lodestone/oracles"), Path("pipeline/lodestone/training")}
    for name, stage in stages.items():
        heavy = any(room in path.parents for path in closure_that_counts(script_of(stage)) for room in rooms)
        assert (Path("requirements.lock") in declared_files(stage)) == heavy, name
    depending = [name for name, stage in stages.items() if Path("requirements.lock") in declared_files(stage)]
    assert {name.split("@")[0] for name in depending} == {"label", "train", "active_learning", "opinions", "phonons"}


def test_stages_declare_the_parameters_they_use(stages):
    wrong = []
    for name, stage in stages.items():
        sections = {param.split(".")[0] for param in declared_params(stage)}
        wrong += [f"{name}: params lack {section}" for section in sorted(needed_sections(stage) - sections)]
        wrong += [
            f"{name}: params name {section}, which is not used" for section in sorted(sections - needed_sections(stage))
        ]
    assert not wrong, "\n".join(wrong)


def test_what_dvc_shows_as_metrics_fits_on_a_line(stages):
    """`dvc metrics show` puts every figure of every metrics file side by side."""
    assert {out.def_path for stage in stages.values() for out in stage.outs if out.metric} == {"metrics/summary.json"}


def test_paths_of_files_are_known_to_the_type_checker():
    """A property made of a lambda is `Any` to mypy, whatever it returns."""
    sources = (path.read_text() for path in (ROOT / "pipeline").rglob("*.py"))
    assert not [source[:60] for source in sources if "property(lambda" in source]


def test_a_round_depends_on_its_own_settings_only(stages):
    """Else a new budget for the last round would run all rounds again."""
    for name, stage in stages.items():
        if name.startswith("active_learning@"):
            assert {param for param in declared_params(stage) if param.startswith("rounds")} == {
                f"rounds.{name.split('@')[1]}"
            }


def test_whatever_reads_networks_waits_for_every_view(stages):
    """The stages name folders, in which each view has its files: DVC must see who writes there."""
    graph = next(iter(stages.values())).repo.index.graph
    names = {stage: name for name, stage in stages.items()}
    for round_name in ("round_0", "round_1"):
        trained = {f"train@{view}-{round_name}" for view in VIEWS}
        for reader in ("ensemble", "active_learning"):
            before = {
                names.get(stage, stage.addressing) for stage in graph.successors(stages[f"{reader}@{round_name}"])
            }
            assert trained <= before


def test_closures_follow_imports_within_functions_and_skip_those_for_type_checking(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from lodestone.tables.files import read_json\n"
        "def main():\n    from lodestone.runtime.seeds import child_seed\n"
    )
    assert imported_modules(script) == {
        Path("pipeline/lodestone/__init__.py"),
        Path("pipeline/lodestone/runtime/__init__.py"),
        Path("pipeline/lodestone/runtime/seeds.py"),
    }


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("params = load_params()\n    use(params.oracle, params.validate_)", {"oracle", "validate"}),
        ("settings, x = load_params(), 1\n    use(settings.seed)", {"seed"}),
        ("use(load_params().split)", {"split"}),
        ("helper(1, load_params())", {"discovery"}),
        ("params = load_params()\n    helper(1, whole=params)", {"discovery"}),
        ("params = load_params()\n    elsewhere(params)", {EVERYTHING}),
        ("params = load_params()\n    kept = [params]", {EVERYTHING}),
        ("pass", set()),
    ],
)
def test_used_sections_are_found(tmp_path, body, expected):
    script = tmp_path / "script.py"
    script.write_text(f"def helper(a, whole):\n    return whole.discovery\n\ndef main():\n    {body}\n")
    assert used_sections(script) == expected
