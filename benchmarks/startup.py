"""What it costs to start: every stage, a worker, and the tiny campaign of the tests. CPU seconds, user and system.

`--campaign` runs the tiny campaign, too (a minute or two); `--before FOLDER` likewise of another checkout, in the
environment `.venv` of that folder, at the same time.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from options import ROOT

STAGES = ("snapshot", "validate", "label", "split", "train", "ensemble", "active_learning", "report", "publish")
WITH_NETWORKS = ("train", "ensemble", "active_learning")
_SET_CHILD_SUBREAPER = 36
# Starts workers of the kind that trains, the first of which waits for the server to import what they need.
WORKERS = """
import time
from lodestone.runtime.workers import Worker

def start():
    began = time.perf_counter()
    worker = Worker(abs, ["lodestone.training.fit", "lodestone.models.structure", "torch._dynamo"])
    worker.send(-1)
    assert worker.reply().value == 1
    seconds = time.perf_counter() - began
    worker.dismiss()
    return seconds

if __name__ == "__main__":
    print(start(), min(start() for _ in range(5)))
"""
CAMPAIGN = """
import dataclasses, pathlib, sys, tempfile
sys.path[:0] = [sys.argv[1] + "/tests", sys.argv[1] + "/tests/end_to_end"]
import tiny_campaign
with tempfile.TemporaryDirectory() as folder:
    campaign = tiny_campaign.make_campaign(pathlib.Path(folder) / "campaign", rounds=2)
    outcome = dataclasses.replace(campaign, workers=2).discover()
    sys.exit(outcome.err if outcome.code else 0)
"""


def main() -> None:
    """Print one table; ratios are to a bare `import torch`, or to the campaign of the other checkout."""
    arguments = _arguments()
    _adopt_orphans()
    print(f"{'start':<44}{'CPU s':>8}{'ratio':>8}")
    torch = _shortest(["-c", "import torch"])
    _row("import torch", torch, torch)
    for stage in STAGES:
        views = "import lodestone.models.composition, lodestone.models.structure" if stage in WITH_NETWORKS else ""
        code = f"import runpy; runpy.run_path({str(ROOT / 'stages' / stage)!r} + '.py', run_name='stage')\n{views}"
        _row(f"stages/{stage}.py", _shortest(["-c", code]), torch)
    first, others = map(
        float, subprocess.run([sys.executable, "-c", WORKERS], capture_output=True, check=True).stdout.split()
    )
    print(f"{'a worker, wall clock':<44}{others:>8.2f}   (the first, with the server: {first:.2f})")
    if arguments.campaign or arguments.before:
        _campaigns(arguments.before)


def _campaigns(before: Path | None) -> None:
    theirs = _cpu([before / ".venv" / "bin" / "python", "-c", CAMPAIGN, before]) if before else None
    ours = _cpu([sys.executable, "-c", CAMPAIGN, ROOT])
    if theirs is not None:
        _row(f"tiny campaign of {before}", theirs, theirs)
    _row("tiny campaign", ours, ours if theirs is None else theirs)


def _row(work: str, seconds: float, other: float) -> None:
    print(f"{work:<44}{seconds:>8.2f}{seconds / other:>8.2f}", flush=True)


def _shortest(arguments: Sequence[str], repeats: int = 3) -> float:
    return min(_cpu([sys.executable, *arguments]) for _ in range(repeats))


def _cpu(command: Sequence[str | Path]) -> float:
    """CPU seconds of a command and of all that it starts, servers that outlive it included."""
    before = _of_children()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if command[0] == sys.executable:
        environment["PYTHONPATH"] = str(ROOT / "pipeline")
    subprocess.run(command, env=environment, check=True)
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return _of_children() - before


def _of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _adopt_orphans() -> None:
    """Become the parent of processes whose parent ends, so that their time is counted; on Linux only."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--campaign", action="store_true", help="run the tiny campaign")
    parser.add_argument("--before", type=Path, help="run it and that of another checkout")
    return parser.parse_args()


if __name__ == "__main__":
    main()
