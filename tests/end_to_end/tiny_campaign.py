"""A campaign small enough for a test: the repository's own code in a folder of its own, run as a user runs it."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import yaml

from waiting import HANG

ROOT = Path(__file__).parents[2]
NEEDED = (
    ".dvc",
    ".dvcignore",
    ".gitignore",
    "dvc.yaml",
    "params.yaml",
    "pipeline",
    "stages",
    "reference",
    "requirements.lock",
    "snapshot.version",
)
WRITTEN = ("data", "metrics", "reports", "timings", "mlruns", "mlflow.db")  # by the stages
DISCOVER = (sys.executable, "-m", "lodestone", "discover")

FOREIGN = ("LODESTONE_", "MLFLOW_", "DVC_", "GIT_", "MAKE", "MP_API_KEY")  # what the tester has set for other work
SETTINGS = {
    "DVC_NO_ANALYTICS": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "PYTHONDONTWRITEBYTECODE": "1",
}

# Of these, crystals of at most four sites hold all the usual ones, so that the label stage has nothing to relax.
ELEMENTS = "Li Na K Rb Mg Ca Sr Ba Al Zn Cu Ag Te Cl Br I".split()
VIEW = {"width": 16, "layers": 1, "members": 2, "epochs": 1, "fine_tune_epochs": 1}
DISCOVERY = {"max_proposals": 60, "max_sites": 4, "threshold": 1.0}  # after so little training all errors are large
BUDGET = {"budget": 4, "random_baseline": 2}


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def ran(self) -> list[str]:
        """Stages that DVC ran, in order."""
        return [line.split("'")[1] for line in self.out.splitlines() if line.startswith("Running stage '")]


@dataclass(frozen=True)
class Command:
    """A command that is running in a process group of its own."""

    process: subprocess.Popen[bytes]
    out: IO[bytes]
    err: IO[bytes]

    def outcome(self) -> Outcome:
        """Wait for the end."""
        try:
            code = self.process.wait(HANG)
        except BaseException:
            self.kill()
            raise
        return Outcome(code, _all_of(self.out), _all_of(self.err))

    def kill(self) -> None:
        """Kill it with all that it has started, at once: nobody has time to clean up."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.out.close()
        self.err.close()


@dataclass(frozen=True)
class Campaign:
    """Code, parameters and data of one campaign, with the label store beside its folder."""

    folder: Path
    workers: int = 1

    @property
    def labels(self) -> Path:
        """The label store."""
        return self.folder.with_name(f"{self.folder.name}.labels") / "labels.sqlite"

    def start(self, *command: str) -> Command:
        """Start a command of this environment in the folder."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        own = {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)]),
            "PYTHONPATH": str(self.folder / "pipeline"),  # this copy of the code, not the one that is installed
            "DVC_SITE_CACHE_DIR": str(self.labels.with_name("dvc")),
            "LODESTONE_LABELS": str(self.labels),
            "LODESTONE_WORKERS": str(self.workers),
        }
        out, err = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115 - closed with the command
        process = subprocess.Popen(
            command, cwd=self.folder, env=kept | SETTINGS | own, stdout=out, stderr=err, start_new_session=True
        )
        return Command(process, out, err)

    def run(self, *command: str) -> Outcome:
        """Run a command to its end."""
        return self.start(*command).outcome()

    def discover(self) -> Outcome:
        """Run `lodestone discover`."""
        return self.run(*DISCOVER)

    def dvc(self, *arguments: str) -> Outcome:
        """Run `dvc`."""
        return self.run(sys.executable, "-m", "dvc", *arguments)

    def edit(self, change: Callable[[Any], object]) -> None:
        """Let a function change the content of params.yaml in place."""
        path = self.folder / "params.yaml"
        content = yaml.safe_load(path.read_text())
        change(content)
        path.write_text(yaml.safe_dump(content, sort_keys=False))

    def lock(self) -> dict[str, dict[str, str]]:
        """Hash of every output, metric and plot by path, by stage."""
        stages = yaml.safe_load((self.folder / "dvc.lock").read_text())["stages"]
        return {name: {out["path"]: out["md5"] for out in stage["outs"]} for name, stage in stages.items()}

    def files(self) -> dict[str, bytes]:
        """All that the stages have written, whole or not."""
        paths = [path for name in WRITTEN for path in [self.folder / name, *(self.folder / name).rglob("*")]]
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in paths if path.is_file()}

    def verified(self) -> dict[str, tuple[float, float | None]]:
        """Seconds and energy of every stored label: nothing that is computed twice takes the same time twice."""
        if not self.labels.exists():
            return {}
        with closing(sqlite3.connect(self.labels, timeout=30)) as store:
            try:
                rows = store.execute("SELECT key, seconds, energy_per_atom FROM labels").fetchall()
            except sqlite3.OperationalError:  # the table is not there yet
                return {}
        return {key: (seconds, energy) for key, seconds, energy in rows}

    def copy(self, folder: Path) -> Campaign:
        """The same in another folder, with what was computed and verified so far."""
        shutil.copytree(self.folder, folder)
        copied = replace(self, folder=folder)
        if self.labels.parent.exists():
            shutil.copytree(self.labels.parent, copied.labels.parent, ignore=shutil.ignore_patterns("dvc"))
        return copied


def make_campaign(folder: Path, rounds: int) -> Campaign:
    """A campaign that has not begun, in a git repository."""
    for name in tracked_files(*NEEDED):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    campaign = Campaign(folder)
    campaign.edit(lambda params: shrink(params, rounds))
    git = ("git", "-c", "user.name=Tester", "-c", "user.email=tester@example.org")
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "A tiny campaign"]):
        outcome = campaign.run(*git, *arguments)
        assert outcome.code == 0, outcome.err
    return campaign


def round_line(number: int) -> dict[str, Any]:
    """What one line of `rounds` in params.yaml says."""
    return {f"round_{number}": {"next": f"round_{number + 1}", **BUDGET}}


def stages_of(*rounds: str) -> list[str]:
    """Stages of some rounds, in order."""
    names = ("train@composition-", "train@structure-", "ensemble@", "active_learning@")
    return [name + number for number in rounds for name in names]


def _all_of(stream: IO[bytes]) -> str:
    with stream:
        stream.seek(0)
        return stream.read().decode(errors="replace")


def tracked_files(*names: str) -> list[str]:
    """Files of the working tree under some names, those not committed yet included."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *names]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in told.split("\0") if (ROOT / name).is_file()]


def shrink(params: Any, rounds: int) -> None:
    """Make parameters those of a tiny campaign, in place."""
    params["snapshot"]["filters"] = {"elements": list(ELEMENTS), "max_sites": 4}
    params["composition"] |= VIEW
    params["structure"] |= VIEW
    params["discovery"] |= DISCOVERY
    params["opinions"]["oracles"] = []
    params["phonons"]["most"] = 0
    params["rounds"] = {}
    for number in range(rounds):
        params["rounds"] |= round_line(number)
