"""Runs that are started, and killed at random moments, until none of the kills is left. Linux."""

from __future__ import annotations

import argparse
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from kill_counts import FINISHED, GAVE_UP, KILLED, Attempt
from kill_runs import ToyOracle, crystals_of
from lodestone.oracles.store import label_keys
from options import ROOT

WORKER, RUN, GROUP = "a worker", "the run", "the run and its workers at once"
EARLY = 0.2  # share of kills that may come before the first label
INTERVAL = 1.0  # s between a start or a kill and the next kill, on average
_COMMAND = "from kill_runs import main; main()"


@dataclass
class Lane:
    """Runs of one lane, one after the other.

    Attributes:
        number: Of the lane.
        kills: How many are left.
        own: The command line.
        folder: Where store, logs and tables are.
        attempts: The runs so far.
        victims: Who was killed so far.
        batches: How many batches are done.
    """

    number: int
    kills: int
    own: argparse.Namespace
    folder: Path
    attempts: list[Attempt] = field(default_factory=list)
    victims: list[str] = field(default_factory=list)
    batches: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(f"{self.own.seed}-{self.number}")  # noqa: S311 - no secret

    def run(self) -> Lane:
        """Start and kill until no kill is left and the batch of the last one is whole."""
        while True:
            self._attempt()
            if self._table(self.batches).exists():
                self.batches += 1
                if not self.kills:
                    return self

    def _table(self, batch: int) -> Path:
        return self.folder / f"table_{self.number}_{batch}.parquet"

    def _attempt(self) -> None:
        keys = frozenset(label_keys(ToyOracle(Path(), 0), crystals_of(self.number, self.batches, self.own.crystals)))
        log = self.folder / f"log_{self.number}_{len(self.attempts)}"
        log.touch()
        before, workers = self._stored() & keys, list[int]()
        run = self._started(log)
        end = self._torment(run, log, workers)
        while processes_of(run.pid):  # workers notice the death of their run
            time.sleep(0.01)
        after = self._stored() & keys
        self.attempts.append(Attempt(lines=lines_of(log), before=before, after=after, killed_workers=workers, end=end))

    def _started(self, log: Path) -> subprocess.Popen[bytes]:
        own, table = self.own, self._table(self.batches)
        options = {"store": self.folder / "labels.sqlite", "log": log, "table": table, "lane": self.number}
        options |= {"batch": self.batches, "crystals": own.crystals, "mean": own.mean}
        command = [sys.executable, "-c", _COMMAND, *(f"--{name}={value}" for name, value in options.items())]
        paths = os.pathsep.join([str(ROOT / "benchmarks"), str(ROOT / "pipeline")])
        environment = os.environ | {"LODESTONE_WORKERS": str(own.workers), "PYTHONPATH": paths}
        with (self.folder / f"errors_{self.number}").open("ab") as errors:
            return subprocess.Popen(command, env=environment, start_new_session=True, stderr=errors)

    def _torment(self, run: subprocess.Popen[bytes], log: Path, workers: list[int]) -> str:
        """Kill at random moments, until the run has ended; says how."""
        while self.kills:
            if not self._waits(run, log):
                break
            victim = self._random.choice([WORKER, WORKER, RUN, GROUP])
            if victim == WORKER:
                self._kill_worker(run, log, workers)
                continue
            self._note(victim)
            os.killpg(run.pid, signal.SIGKILL) if victim == GROUP else run.kill()
            run.wait()
            return KILLED
        return FINISHED if run.wait() == 0 else GAVE_UP

    def _kill_worker(self, run: subprocess.Popen[bytes], log: Path, workers: list[int]) -> None:
        """Kill a worker that has begun a label, if there is one and it does not end at this moment."""
        alive = sorted(working(log, run.pid))
        with suppress(ProcessLookupError):
            if alive:
                victim = self._random.choice(alive)
                os.kill(victim, signal.SIGKILL)
                workers.append(victim)
                self._note(WORKER)

    def _note(self, victim: str) -> None:
        self.kills -= 1
        self.victims.append(victim)

    def _waits(self, run: subprocess.Popen[bytes], log: Path) -> bool:
        """Wait for the next random moment; whether the run is still there then."""
        if self._random.random() > EARLY:
            while run.poll() is None and not log.stat().st_size:
                time.sleep(0.01)
        with suppress(subprocess.TimeoutExpired):
            run.wait(self._random.uniform(0, 2 * INTERVAL))
        return run.poll() is None

    def _stored(self) -> frozenset[str]:
        path = self.folder / "labels.sqlite"
        if not path.exists():
            return frozenset()
        with closing(sqlite3.connect(path, timeout=30)) as connection, suppress(sqlite3.OperationalError):
            return frozenset(key for (key,) in connection.execute("SELECT key FROM labels"))
        return frozenset()


def lines_of(log: Path) -> list[tuple[str, str, int]]:
    """The log of a run."""
    return [(word, key, int(process)) for word, key, process in map(str.split, log.read_text().splitlines())]


def working(log: Path, session: int) -> set[int]:
    """Workers of a run that have begun a label and are alive."""
    return {process for word, _, process in lines_of(log) if word == "start"} & processes_of(session)


def processes_of(session: int) -> set[int]:
    """Processes of a session that are alive."""
    alive = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError):
            state, _, _, own, *_ = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(own) == session and state not in "ZX":
                alive.add(int(folder.name))
    return alive
