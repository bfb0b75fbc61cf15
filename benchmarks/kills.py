"""What is lost when verifications are killed, again and again: 100 kills at random moments.

    python benchmarks/kills.py [--kills 100] [--lanes 2] [--workers 2] [--crystals 60] [--mean 0.2] [--seed 0]

Each lane labels batches of crystals by worker processes, all lanes into one label store at once, by an oracle that
takes a random fraction of a second. At random moments a worker, the run, or the run with all its processes is killed by
SIGKILL; a run that ends is started again. In the end the log of every run is held against the store
(`kill_counts.py`), and the tables against those of runs that nobody killed. Linux.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from options import one_thread

one_thread()

from kill_counts import GAVE_UP, appeared, count  # noqa: E402
from kill_lanes import Lane  # noqa: E402
from kill_runs import label_batch  # noqa: E402


def unharmed(lane: Lane, folder: Path) -> list[bytes]:
    """Tables of the lane's batches from a run that nobody kills."""
    own = lane.own
    tables = [folder / f"{lane.number}_{batch}.parquet" for batch in range(lane.batches)]
    for batch, table in enumerate(tables):
        what = {"lane": lane.number, "batch": batch, "crystals": own.crystals, "mean": 0.0}
        label_batch(folder / "labels.sqlite", folder / "log", table, **what)
    return [table.read_bytes() for table in tables]


def tormented(own: argparse.Namespace, folder: Path) -> tuple[list[Lane], dict[str, Any]]:
    """Kill runs in a folder; the lanes, and what the kills have cost."""
    kills = [own.kills // own.lanes + (lane < own.kills % own.lanes) for lane in range(own.lanes)]
    lanes = [Lane(number, n, own, folder) for number, n in enumerate(kills)]
    began = time.monotonic()
    with ThreadPoolExecutor(own.lanes) as pool:
        lanes = list(pool.map(Lane.run, lanes))
    seconds = time.monotonic() - began
    with TemporaryDirectory() as other:
        equal = [
            (folder / f"table_{lane.number}_{batch}.parquet").read_bytes() == table
            for lane in lanes
            for batch, table in enumerate(unharmed(lane, Path(other)))
        ]
    return lanes, facts(lanes, equal) | {"seconds": round(seconds)}


def facts(lanes: Sequence[Lane], equal: Sequence[bool]) -> dict[str, Any]:
    """The figures of all lanes."""
    by_lane = [[count(attempt, lane.own.workers) for attempt in lane.attempts] for lane in lanes]
    counts = [one for some in by_lane for one in some]
    in_flight = [n for one in counts for n in one.in_flight]
    started, kept = (sum(getattr(one, name) for one in counts) for name in ("n_started", "n_kept"))
    return {
        "kills": sum(len(lane.victims) for lane in lanes),
        "victims": dict(Counter(victim for lane in lanes for victim in lane.victims)),
        "starts": len(counts),
        "gave_up": sum(attempt.end == GAVE_UP for lane in lanes for attempt in lane.attempts),
        "crystals": sum(lane.batches * lane.own.crystals for lane in lanes),
        "computed": started,
        "kept": kept,
        "in_flight": sum(in_flight),
        "in_flight_and_stored": sum(len(one.late) for one in counts),
        "most_in_flight": max(in_flight, default=0),
        "kills_without_loss": in_flight.count(0),
        "problems": [*(problem for one in counts for problem in one.problems), *chain(*map(appeared, by_lane))],
        "tables": len(equal),
        "equal_tables": sum(equal),
    }


def are_well(figures: dict[str, Any]) -> bool:
    """Nothing lost, nothing computed twice beyond what was in flight, equal tables."""
    again = figures["in_flight"] - figures["in_flight_and_stored"]
    exact = figures["kept"] == figures["crystals"] == figures["computed"] - again
    return exact and not figures["problems"] and figures["equal_tables"] == figures["tables"] > 0


def main() -> None:
    """Kill, count, print."""
    own = _arguments()
    with TemporaryDirectory() as folder:
        _, figures = tormented(own, Path(folder))
    print(json.dumps(figures, indent=2))
    if not are_well(figures):
        raise SystemExit("the store and the logs do not agree")


def _arguments() -> argparse.Namespace:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--kills", type=int, default=100)
    made.add_argument("--lanes", type=int, default=2, help="runs at once, into one store")
    made.add_argument("--workers", type=int, default=2, help="processes of each run")
    made.add_argument("--crystals", type=int, default=60, help="of a batch")
    made.add_argument("--mean", type=float, default=0.2, help="seconds of a label")
    made.add_argument("--seed", type=int, default=0)
    return made.parse_args()


if __name__ == "__main__":
    main()
