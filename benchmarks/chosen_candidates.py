"""How stable the choice of candidates is where bits are not: other kernels, and for comparison another seed.

The first round of the default campaign runs up to its choice (networks of fewer epochs, no oracle), once on this
processor, once each as other processors would run it, and once with another seed for the networks alone. The table has
the share of the chosen candidates in common with the first run, how far its predicted distances to the hull are moved,
and how many of them change sides of the threshold.

    python benchmarks/chosen_candidates.py --epochs 6
"""

from __future__ import annotations

import argparse
import json
import os
import runpy
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from options import ROOT
from reproducible_kernels import HASWELL, NEHALEM

RUNS: dict[str, dict[str, str]] = {
    "this processor": {},
    "acting Haswell": HASWELL,
    "acting Nehalem": NEHALEM,
    "other networks": {},
}
ROUND = "round_0"


def main() -> None:
    """Run what is missing, and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=6, help="of both views")
    parser.add_argument("--proposals", type=int, default=3000)
    parser.add_argument("--out", type=Path, default=ROOT / ".bench" / "chosen", help="a folder for each run")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        work()
        return
    runs = {name: run(name, arguments) for name in RUNS}
    for line in table(runs):
        print(line)


def run(name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """The candidates of one run: their predicted distances, and which were chosen."""
    folder = arguments.out.resolve() / name.replace(" ", "_")
    result = folder / "candidates.json"
    if not result.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        params = yaml.safe_load((ROOT / "params.yaml").read_text())
        for view in params["views"]:
            params[view]["epochs"] = arguments.epochs
        params["discovery"]["max_proposals"] = arguments.proposals
        (folder / "params.yaml").write_text(yaml.safe_dump(params))
        (folder / "reference").symlink_to(ROOT / "reference")
        environment = {"PYTHONPATH": str(ROOT / "pipeline"), "OTHER_NETWORKS": str(int(name == "other networks"))}
        command = [sys.executable, __file__, "--worker"]
        subprocess.run(command, cwd=folder, env=os.environ | environment | RUNS[name], check=True)
    return dict(json.loads(result.read_text()))


def work() -> None:
    """The stages up to the ensemble, then the choice, in the working directory."""
    warnings.simplefilter("ignore")
    views = yaml.safe_load(Path("params.yaml").read_text())["views"]
    for name in ("snapshot", "validate", "label", "split"):
        stage(name)
    text = Path("params.yaml").read_text()
    if os.environ["OTHER_NETWORKS"] == "1":  # and equal proposals: the seed is another one while they are trained
        Path("params.yaml").write_text(text.replace("seed: 20", "seed: 21"))
    for view in views:
        stage("train", view, ROUND)
    stage("ensemble", ROUND)
    Path("params.yaml").write_text(text)
    Path("candidates.json").write_text(json.dumps(candidates()))


def stage(name: str, *arguments: str) -> None:
    """Run a stage in this process."""
    sys.argv = [f"{name}.py", *arguments]
    runpy.run_path(str(ROOT / "stages" / f"{name}.py"), run_name="__main__")


def candidates() -> dict[str, Any]:
    """What the stage `active_learning` gives to the oracle."""
    from lodestone.config.load import load_params
    from lodestone.discovery.choice import choose
    from lodestone.discovery.proposals import propose
    from lodestone.discovery.screening import screen
    from lodestone.discovery.state import RoundState
    from lodestone.ensemble.ensemble import load_ensemble
    from lodestone.runtime.seeds import child_generator
    from lodestone.tables.files import read_table
    from lodestone.tables.layout import Layout

    params, layout = load_params(), Layout()
    files = layout.round(ROUND)
    state = RoundState(read_table(files.crystals), read_table(files.attempts), read_table(layout.references))
    proposals = propose(ROUND, state, params.discovery, params.snapshot.filters, params.seed)
    crystals = [proposal.crystal for _, proposal in proposals.items]
    prediction = load_ensemble(files.folder).predict(crystals, "unrelaxed")
    screened = screen(proposals.items, prediction, state.hull(), ROUND)
    draw = child_generator(params.seed, ROUND, "acquire")
    chosen = choose(screened, params.discovery, params.rounds[ROUND], draw)
    columns = ("material_id", "energy_above_hull_pred", "acquired_by")
    return {
        "threshold": params.discovery.threshold,
        "rows": {name: [energy, how] for name, energy, how in chosen.select(columns).iter_rows()},
    }


def table(runs: dict[str, dict[str, Any]]) -> Iterator[str]:
    """One line per run."""
    first = runs["this processor"]
    yield "| run | same candidates | chosen | baseline | moved by, meV/atom: mean | largest | sides changed |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    for name, other in runs.items():
        both = sorted(first["rows"].keys() & other["rows"].keys())
        pairs = [(first["rows"][one][0], other["rows"][one][0]) for one in both]
        moved = [1000 * abs(before - after) for before, after in pairs]
        crossed = sum((before <= first["threshold"]) != (after <= first["threshold"]) for before, after in pairs)
        shares = " | ".join(common(first, other, how) for how in ("model", "random"))
        cells = f"{len(both)} of {len(first['rows'])} | {shares} | {sum(moved) / len(moved):.4f} | {max(moved):.4f}"
        yield f"| {name} | {cells} | {crossed} |"


def common(first: dict[str, Any], other: dict[str, Any], how: str) -> str:
    """How many of those that were chosen in one way were chosen so in both runs."""
    mine, theirs = ({one for one, (_, by) in run["rows"].items() if by == how} for run in (first, other))
    return f"{len(mine & theirs)} of {len(mine)}"


if __name__ == "__main__":
    main()
