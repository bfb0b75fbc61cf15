"""The command: light, clear about faults, and honest about whether there was anything to do."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from lodestone import __version__
from lodestone.cli.main import main
from lodestone.tables.layout import UNPUBLISHED
from waiting import HANG, wait_for

ROOT = Path(__file__).parents[2]
STAGE = f"""
import sys, time
sys.path.insert(0, {str(ROOT / "pipeline")!r})
from pathlib import Path
from lodestone.errors import LodestoneError, WaitingError
from lodestone.stage import run_stage

def body():
    text = Path("input.txt").read_text()
    if text == "bad":
        raise LodestoneError("input.txt is bad", "write something better")
    if text == "waiting":
        raise WaitingError("labels are missing", "import them")
    if text == "slow":
        Path("started.txt").write_text("")
        time.sleep(3600)
    Path("output.txt").write_text(text)

run_stage(body)
"""
PIPELINE = {"stages": {"only": {"cmd": "python stage.py", "deps": ["stage.py", "input.txt"], "outs": ["output.txt"]}}}


def call(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return ended.value.code


@pytest.fixture(scope="module")
def dvc(tmp_path_factory):
    """What `dvc init` leaves, to be copied: to call it takes longer than most tests."""
    folder = tmp_path_factory.mktemp("dvc")
    subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "--quiet"], cwd=folder, check=True)
    return folder


@pytest.fixture
def project(tmp_path, monkeypatch, dvc):
    """A DVC project of one stage beside the real parameters."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LODESTONE_TRACEBACK", raising=False)
    monkeypatch.delenv("SHELL", raising=False)  # as in a bare container: DVC would take /bin/sh
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "pipeline"))
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    (tmp_path / "reference").mkdir()
    (tmp_path / "reference" / "crystals.parquet").touch()  # the parameters name it
    (tmp_path / "stage.py").write_text(STAGE)
    (tmp_path / "input.txt").write_text("good")
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump(PIPELINE))
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / "campaign.json").write_text('{"n_discoveries": 7, "test_mae": {"ensemble": 0.123456}}')
    shutil.copytree(dvc, tmp_path, dirs_exist_ok=True)
    return tmp_path


def test_a_second_run_does_nothing_and_says_so(project, capfd):
    assert call("discover") == 0
    first = capfd.readouterr().out
    assert (project / "output.txt").read_text() == "good"
    assert "up to date" not in first
    assert call("discover") == 0
    second = capfd.readouterr().out
    assert "Everything is up to date" in second
    for told in (first, second):
        assert "n_discoveries" in told
        assert "0.1235" in told


@pytest.mark.slow
def test_what_waits_for_its_publication_is_published_by_the_next_run(project, monkeypatch):
    published = []
    monkeypatch.setattr("lodestone.cli.discover._publish", published.append)
    mark = project / UNPUBLISHED
    mark.parent.mkdir()
    for run, waits in enumerate((False, True)):
        if waits:
            mark.write_text("the server was down")
        assert call("discover") == 0
        assert len(published) == run
    assert call("discover", "only") == 0  # perhaps not all of the campaign
    assert len(published) == 1


def test_a_failing_stage_ends_in_its_message_and_a_code(project, capfd):
    (project / "input.txt").write_text("bad")
    assert call("discover") != 0
    told = capfd.readouterr().err
    assert "error: input.txt is bad\n  -> write something better" in told
    assert "The campaign stopped" in told
    assert "Traceback" not in told
    assert not (project / "output.txt").exists()


@pytest.mark.slow
def test_a_stage_that_waits_ends_in_its_message_and_its_code(project, capfd):
    (project / "input.txt").write_text("waiting")
    assert call("discover") == 75
    told = capfd.readouterr().err
    assert told.endswith("waiting: labels are missing\n  -> import them\n")
    assert "Traceback" not in told
    assert "The campaign stopped" not in told  # nothing is wrong
    (project / "input.txt").write_text("good")
    assert call("discover") == 0


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells children of their parent's end")
@pytest.mark.parametrize("starter", [[sys.executable, "-m", "lodestone", "discover"], ["make", "discover"]])
def test_killed_it_leaves_no_process_and_can_run_again(project, starter):
    (project / "input.txt").write_text("slow")
    (project / "Makefile").write_text(f"discover:\n\t@{sys.executable} -m lodestone discover\n")
    command = subprocess.Popen(starter)
    wait_for((project / "started.txt").exists)
    assert running_in(project)
    command.send_signal(signal.SIGKILL)
    command.wait()
    wait_for(lambda: not running_in(project))
    (project / "input.txt").write_text("good")
    assert call("discover") == 0
    assert (project / "output.txt").read_text() == "good"


@pytest.mark.slow
def test_ctrl_c_ends_everything_in_one_message(project):
    (project / "input.txt").write_text("slow")
    starter = [sys.executable, "-m", "lodestone", "discover"]
    command = subprocess.Popen(starter, stderr=subprocess.PIPE, text=True, start_new_session=True)
    wait_for((project / "started.txt").exists)
    os.killpg(command.pid, signal.SIGINT)  # as a terminal does: to all of them
    told = command.communicate(timeout=HANG)[1]
    assert command.returncode == 130
    assert told.strip() == "interrupted; run again to go on from here"
    wait_for(lambda: not running_in(project))
    assert not (project / "output.txt").exists()


def running_in(folder: Path) -> list[str]:
    """Processes other than this one that work in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(process / "cwd") == str(folder) and process.name != str(os.getpid()):
                found.append(process.name)
        except OSError:
            continue
    return found


@pytest.mark.parametrize("command", ["discover", "check"])
def test_wrong_parameters_stop_before_anything_runs(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(text.replace("seed:", "sead: 1\nseed:", 1))
    assert call(command) == 1
    told = capsys.readouterr().err
    assert told.startswith("error: params.yaml: sead: unknown parameter; did you mean seed?\n  -> ")
    assert "Traceback" not in told


def test_valid_parameters_are_told(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    assert call("check") == 0
    assert "params.yaml is valid" in capsys.readouterr().out


def test_traceback_when_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LODESTONE_TRACEBACK", "")
    with pytest.raises(Exception, match=r"params\.yaml cannot be read"):
        main(["--traceback", "check"])


def test_publishing_an_unfinished_campaign_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    assert call("publish") == 1
    assert "dvc repro" in capsys.readouterr().err
    assert not (tmp_path / "mlflow.db").exists()


def test_version_and_start_up_without_heavy_imports():
    code = (
        "import sys\nfrom lodestone.cli.main import main\n"
        "try:\n    main(['check'])\nexcept SystemExit as ended:\n    assert ended.code == 0\n"
        "print(sorted({'torch', 'mlflow', 'pymatgen', 'dvc'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout.splitlines()[-1] == "[]"
    version = [sys.executable, "-m", "lodestone", "--version"]
    assert __version__ in subprocess.run(version, cwd=ROOT, capture_output=True, text=True, check=True).stdout
