"""The runs of the benchmark: which there are, which are done already, and the processes that do the others."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from lodestone.errors import LodestoneError
from lodestone.tables.files import read_json, write_json
from options import ONE_THREAD, ROOT
from peers.settings import Ours, as_json, settings_of

PROTOCOL = 1  # raise it when a change of the driver makes old results another experiment
_OUR_CODE = ("crystals", "substitution", "models", "training", "ensemble")


@dataclass(frozen=True)
class Run:
    """One model trained on one size.

    Attributes:
        key: Everything its result depends on: model, size, seconds, seed, settings, versions, data.
        folder: Where results, logs and packed data are.
    """

    key: dict[str, Any]
    folder: Path

    name = property(lambda self: f"{self.key['model']}-{self.key['size']}-{self.key['seconds']:g}s")
    result = property(lambda self: self.folder / "results" / f"{self.name}.json")
    log = property(lambda self: self.folder / "logs" / f"{self.name}.log")
    task = property(lambda self: self.folder / "tasks" / f"{self.name}.json")

    def read(self) -> dict[str, Any] | None:
        """Its result, or ``None`` if there is none with this very key."""
        if not self.result.is_file():
            return None
        result = read_json(self.result)
        return result if isinstance(result, dict) and result.get("key") == self.key else None


def make_run(model: str, size: int, seconds: float, seed: int, *, data: str, folder: Path) -> Run:
    """The run of a model; ``data`` names the crystals (:func:`peers.split.digest`).

    Raises:
        LodestoneError: If there is no such model, or its package is not installed.
    """
    settings = settings_of(model)
    key = {"model": model, "size": size, "seconds": seconds, "seed": seed, "data": data, "protocol": PROTOCOL}
    code = _our_code() if isinstance(settings, Ours) else _version(settings.package)
    return Run({**key, "settings": as_json(settings), "code": code}, folder)


def complete(runs: list[Run], jobs: int) -> Iterator[tuple[Run, str]]:
    """Do the runs, so many at once, the large ones first.

    Yields:
        Each run as it ends, with what went wrong, or nothing.
    """
    ordered = sorted(runs, key=lambda run: -run.key["size"])
    with ThreadPoolExecutor(jobs) as pool:
        futures = {pool.submit(_do, run): run for run in ordered}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _do(run: Run) -> str:
    """Run the worker; the last line it said if it failed."""
    write_json({"key": run.key, "data": str(run.folder / "data"), "result": str(run.result)}, run.task)
    run.log.parent.mkdir(parents=True, exist_ok=True)
    paths = os.pathsep.join([str(ROOT / "benchmarks"), str(ROOT)])
    with run.log.open("w") as log:
        done = subprocess.run(
            [sys.executable, "-m", "peers.worker", str(run.task)],
            env={**os.environ, **ONE_THREAD, "PYTHONPATH": paths},
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode == 0:
        return ""
    said = run.log.read_text().strip().splitlines() or ["it said nothing: it may have been killed for lack of memory"]
    return f"exit {done.returncode}: {said[-1]} (log: {run.log})"


def _version(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError as error:
        raise LodestoneError(
            f"the package {package} is not installed", "run `make bench-peers`, which installs the peers in .venv-peers"
        ) from error


def _our_code() -> str:
    """Digest of the library's modules that make our networks: other code is another model."""
    sources = sorted(path for room in _OUR_CODE for path in (ROOT / "pipeline" / "lodestone" / room).glob("*.py"))
    return hashlib.blake2b(b"".join(path.read_bytes() for path in sources), digest_size=8).hexdigest()
