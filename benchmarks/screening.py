"""How many candidates a second `lodestone screen` judges, in how much memory, as their number grows.

    python benchmarks/screening.py --campaign . --counts 10000 100000 1000000

Each number is a search of its own in a fresh folder, by the command itself, from its start to its table. In the same
run, CHGNet's `predict_structure` judges some of the same candidates one by one, as a user would without the command.
Writes `screening.json`, `table.md` and `screening.svg`. The default campaign has a million candidates, and more
than nine with `--least 0.00001 --parents 0.5`.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from options import ROOT, one_thread

one_thread()

import polars as pl  # noqa: E402

from lodestone.crystals.encoding import decode  # noqa: E402
from lodestone.runtime.parallel import n_workers  # noqa: E402
from lodestone.substitution.draw import LEAST_PROBABILITY, MOST_ABOVE_HULL  # noqa: E402
from lodestone.tables.files import write_atomically, write_json  # noqa: E402
from screening_plot import draw  # noqa: E402

PEERS = 100  # candidates that CHGNet judges
KEPT = 10_000  # candidates at most, as the command keeps by default


def main() -> None:
    """Search, count, draw, and print the table."""
    asked = _arguments()
    found = [_searched(asked, count) for count in asked.counts]
    table = pl.read_parquet(_folder(asked, asked.counts[0]) / "candidates.parquet")
    peer = _peer(table.head(PEERS))
    content = {"searches": found, "chgnet_per_second": peer, "n_chgnet": min(PEERS, len(table))}
    write_json(content | {"processes": n_workers()}, asked.out / "screening.json")
    text = "\n".join(_lines(found, peer, content["n_chgnet"])) + "\n"
    write_atomically(asked.out / "table.md", lambda path: path.write_text(text, encoding="utf-8"))
    draw(found, asked.out / "screening.svg")
    print(text)


def _lines(found: Sequence[Mapping[str, Any]], peer: float, n_peer: int) -> Iterator[str]:
    yield (
        "| candidates | seconds | a second | after the sample, a second | over CHGNet one by one | "
        "peak memory, GiB | reached all networks |"
    )
    yield "| --- " * 7 + "|"
    for one in found:
        yield (
            f"| {one['candidates']:,} | {one['seconds']:,.0f} | {one['rate']:,.0f} | {one['steady_rate']:,.0f} | "
            f"{one['rate'] / peer:,.0f} | {one['memory_gib']:.2f} | {one['judged'] / one['candidates']:.1%} |"
        )
    recall = found[-1]["cascade"]["recall"]
    low, high = 100 * recall["low"], 100 * recall["high"]
    yield ""
    yield f"Recall of the cascade {100 * recall['rate']:.1f} % [{low:.1f}, {high:.1f}], n = {recall['n']}."
    yield f"CHGNet: {peer:.1f} a second, n = {n_peer}; {n_workers()} processes."


def _searched(asked: argparse.Namespace, count: int) -> dict[str, Any]:
    folder = _folder(asked, count)
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-m", "lodestone", "screen", "--campaign", str(asked.campaign), "--count", str(count)]
    command += ["--keep", str(min(max(100, count // 100), KEPT)), "--out", str(folder)]
    command += ["--least", str(asked.least), "--parents", str(asked.parents)]
    began, peak = time.perf_counter(), [0.0]
    with subprocess.Popen(command) as process:
        threading.Thread(target=_watch, args=(process.pid, peak), daemon=True).start()
        if process.wait():
            raise SystemExit("the search failed: see above")
    content: dict[str, Any] = json.loads((folder / "screening.json").read_text())
    seconds = time.perf_counter() - began
    screening = content["seconds"] - content["seconds_of_sample"]
    content |= {"seconds": seconds, "rate": content["candidates"] / seconds, "memory_gib": peak[0]}
    content["steady_rate"] = content["candidates"] / screening
    return content


def _watch(pid: int, peak: list[float]) -> None:
    """Keep the largest sum of memory that a process and its descendants had at one time, GiB."""
    while True:
        sizes = [_resident(child) for child in _family(pid)]
        peak[0] = max(peak[0], sum(sizes) / 2**30)
        time.sleep(0.5)


def _family(pid: int) -> list[int]:
    children = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            children.append((int(path.parent.name), int(path.read_text().rsplit(")", 1)[1].split()[1])))
        except (OSError, IndexError):  # it ended meanwhile
            continue
    found, waiting = [pid], [pid]
    while waiting:
        parent = waiting.pop()
        own = [child for child, its in children if its == parent]
        found, waiting = found + own, waiting + own
    return found


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:
        return 0


def _peer(table: pl.DataFrame) -> float:
    """Candidates that CHGNet judges a second, energies alone, one by one."""
    from chgnet.model import CHGNet

    model, structures = CHGNet.load(verbose=False, use_device="cpu"), [one.to_pymatgen() for one in decode(table)]
    model.predict_structure(structures[0], task="e")
    began = time.perf_counter()
    for structure in structures:
        model.predict_structure(structure, task="e")
    return len(structures) / (time.perf_counter() - began)


def _folder(asked: argparse.Namespace, count: int) -> Path:
    return Path(asked.out / f"screened_{count}")


def _arguments() -> argparse.Namespace:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--campaign", type=Path, default=ROOT, help="folder of a finished campaign")
    made.add_argument("--counts", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    made.add_argument("--least", type=float, default=LEAST_PROBABILITY, help="as of `lodestone screen`")
    made.add_argument("--parents", type=float, default=MOST_ABOVE_HULL, help="likewise; more candidates with both")
    made.add_argument("--out", type=Path, default=ROOT / ".bench" / "screening", help="folder for results")
    return made.parse_args()


if __name__ == "__main__":
    main()
