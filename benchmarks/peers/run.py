"""`make bench-peers`: train ours and its peers on the same crystals for the same seconds, then compare.

Writes ``table.md``, ``table.csv`` and ``mae_against_seconds.svg``; results that are there already are kept.
"""

import argparse
import os
import sys
from pathlib import Path

sys.path[:1] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "pipeline")]

from lodestone.errors import LodestoneError  # noqa: E402
from options import parser  # noqa: E402
from peers.ensemble import average  # noqa: E402
from peers.plot import write_plot  # noqa: E402
from peers.runs import Run, complete, make_run  # noqa: E402
from peers.settings import SETTINGS  # noqa: E402
from peers.split import Split, digest, draw_split, read_source, write_parts  # noqa: E402
from peers.table import as_markdown, make_table, write_both  # noqa: E402

_VIEWS = ("ours-composition", "ours-structure")


def main() -> None:
    """Run the benchmark as the command line says."""
    options = _options()
    try:
        _bench(options)
    except LodestoneError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped; runs that are finished are kept, the same command goes on from here")


def _bench(options: argparse.Namespace) -> None:
    split = draw_split(read_source(options.data), max(options.sizes), options.seed)
    write_parts(split, options.sizes, options.out / "data")
    runs = [
        make_run(model, size, options.seconds, options.seed, data=digest(split, size), folder=options.out)
        for size in sorted(set(options.sizes))
        for model in dict.fromkeys(options.models)
    ]
    open_runs = [run for run in runs if options.again or run.read() is None]
    there = len(runs) - len(open_runs)
    print(f"{len(runs)} runs, {there} there already; {options.jobs} at once, {options.seconds:g} s each", flush=True)
    failed = {}
    for count, (run, fault) in enumerate(complete(open_runs, options.jobs), 1):
        print(f"  {count}/{len(open_runs)} {run.name}: {fault or _told(run)}", flush=True)
        failed |= {run.name: fault} if fault else {}
    _report(runs, split, options.out)
    if failed:
        raise LodestoneError(f"{len(failed)} runs failed: {', '.join(failed)}", "read their logs, then run again")


def _report(runs: list[Run], split: Split, out: Path) -> None:
    results = [result for run in runs if (result := run.read()) is not None]
    true = [part["formation_energy_per_atom"].to_numpy() for part in (split.validation, split.test)]
    found = {(result["key"]["model"], result["key"]["size"]): result for result in results}
    for size in sorted({size for _, size in found}):
        views = [found.get((view, size)) for view in _VIEWS]
        if all(views):
            results.append(average(*views, *true))
    if not results:
        return
    table = make_table(results, split.test)
    write_both(table, out)
    write_plot(results, out / "mae_against_seconds.svg")
    print(as_markdown(table))
    print(f"written: {out}/table.md, table.csv, mae_against_seconds.svg")


def _told(run: Run) -> str:
    result = run.read()
    assert result is not None
    last = result["curve"][-1]
    return f"test MAE {last['test_mae']:.4f} eV/atom after {last['seconds']:.0f} s, {result['epochs']:.1f} epochs"


def _options() -> argparse.Namespace:
    found = parser(__doc__, "peers")
    add = found.add_argument
    add("--sizes", type=int, nargs="+", default=[2000, 6000], help="training crystals")
    add("--seconds", type=float, default=300.0, help="budget of each run, CPU time of one thread")
    add("--models", nargs="+", choices=SETTINGS, default=list(SETTINGS), metavar="MODEL", help=", ".join(SETTINGS))
    add("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="runs at once")
    add("--seed", type=int, default=0, help="of the split, the weights and the batches")
    add("--again", action="store_true", help="compute runs again that are there already")
    options = found.parse_args()
    if min(options.sizes) < 1 or options.seconds <= 0 or options.jobs < 1:
        found.error("--sizes, --seconds and --jobs must be positive")
    return options


if __name__ == "__main__":
    main()
