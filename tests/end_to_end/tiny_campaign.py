"""A campaign small enough for a test: the repository's own files in a folder of their own, run as a user runs them."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
NEEDED = (".dvc", ".dvcignore", ".gitignore", "dvc.yaml", "params.yaml", "pipeline", "stages", "reference")
FOREIGN = ("LODESTONE_", "MLFLOW_", "DVC_", "GIT_", "MAKE", "MP_API_KEY")  # the tester's own settings and keys
SETTINGS = {
    "DVC_NO_ANALYTICS": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "OMP_NUM_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}
ELEMENTS = "Li Na K Rb Mg Ca Sr Ba Al O S Se F Cl Br".split()
VIEW = {"width": 16, "layers": 1, "members": 2, "epochs": 1, "fine_tune_epochs": 1}
DISCOVERY = {"max_proposals": 60, "max_sites": 4, "threshold": 1.0}  # so little training leaves large errors
BUDGET = {"budget": 4, "random_baseline": 2}


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def ran(self) -> list[str]:
        """Stages that DVC ran, in order."""
        return [line.split("'")[1] for line in self.out.splitlines() if line.startswith("Running stage '")]


@dataclass(frozen=True)
class Campaign:
    """A folder with the code, parameters and data of one campaign, and the label store it uses."""

    folder: Path
    labels: Path
    workers: int = 1

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start a command of this environment in the folder, in a process group of its own."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        own = {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)]),
            "PYTHONPATH": str(self.folder),  # this copy of the code, not the one that is installed
            "DVC_SITE_CACHE_DIR": str(self.folder / ".dvc" / "tmp" / "site"),
            "LODESTONE_LABELS": str(self.labels),
            "LODESTONE_WORKERS": str(self.workers),
        }
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=kept | SETTINGS | own,
            stdout=pipe,
            stderr=pipe,
            text=True,
            start_new_session=True,
        )

    def run(self, *command: str) -> Outcome:
        """Run a command to its end."""
        return finish(self.start(*command))

    def discover(self, *arguments: str) -> Outcome:
        return self.run(sys.executable, "-m", "pipeline", "discover", *arguments)

    def dvc(self, *arguments: str) -> Outcome:
        return self.run(sys.executable, "-m", "dvc", *arguments)

    def edit(self, change: Callable[[Any], object]) -> None:
        """Change the content of params.yaml in place."""
        path = self.folder / "params.yaml"
        content = yaml.safe_load(path.read_text())
        change(content)
        path.write_text(yaml.safe_dump(content, sort_keys=False))

    def lock(self) -> dict[str, dict[str, str]]:
        """Hash of every output, metric and plot by path, by stage."""
        stages = yaml.safe_load((self.folder / "dvc.lock").read_text())["stages"]
        return {name: {out["path"]: out["md5"] for out in stage.get("outs", [])} for name, stage in stages.items()}

    def files(self) -> dict[str, bytes]:
        """Everything that stages write, and what they leave unfinished."""
        places = [self.folder / name for name in ("data", "metrics", "reports", "timings", "mlruns")]
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for place in places
            for path in place.rglob("*")
            if path.is_file()
        }

    def verified(self) -> dict[str, float]:
        """Wall-clock seconds of every stored label, by key: no two computations of one label take the same time."""
        if not self.labels.exists():
            return {}
        with closing(sqlite3.connect(self.labels, timeout=30)) as store:
            try:
                return dict(store.execute("SELECT key, seconds FROM labels"))
            except sqlite3.OperationalError:  # the table is about to be made
                return {}

    def copy(self, folder: Path) -> Campaign:
        """The same campaign, finished stages and labels included, in another folder."""
        shutil.copytree(self.folder, folder, symlinks=True)
        labels = folder / "labels.sqlite"
        shutil.copyfile(self.labels, labels)
        return replace(self, folder=folder, labels=labels)


def finish(process: subprocess.Popen[str]) -> Outcome:
    began = time.perf_counter()
    try:
        out, err = process.communicate(timeout=600)
    except BaseException:
        kill(process)
        raise
    return Outcome(process.returncode, out, err, time.perf_counter() - began)


def kill(process: subprocess.Popen[str]) -> None:
    """Kill a command with all that it has started, at once: nobody has time to clean up."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def make_campaign(folder: Path, rounds: int, workers: int = 1) -> Campaign:
    """A fresh campaign in a git repository, with an empty label store."""
    folder.mkdir(parents=True)
    for name in tracked_files():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    campaign = Campaign(folder, folder / "labels.sqlite", workers)
    campaign.edit(lambda params: shrink(params, rounds))
    git = ["git", "-c", "user.name=Tester", "-c", "user.email=tester@example.org"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "A tiny campaign"]):
        outcome = campaign.run(*git, *arguments)
        assert outcome.code == 0, outcome.err
    return campaign


def tracked_files() -> list[str]:
    """Files of the working tree that a campaign needs, those not committed yet included."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *NEEDED]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in told.split("\0") if (ROOT / name).is_file()]


def shrink(params: Any, rounds: int) -> None:
    params["snapshot"]["filters"] = {"elements": list(ELEMENTS), "max_sites": 4}
    params["composition"] |= VIEW
    params["structure"] |= VIEW
    params["discovery"] |= DISCOVERY
    params["rounds"] = dict(round_line(number) for number in range(rounds))


def round_line(number: int) -> tuple[str, dict[str, Any]]:
    """What one line of `rounds` in params.yaml says."""
    return f"round_{number}", {"next": f"round_{number + 1}", **BUDGET}
