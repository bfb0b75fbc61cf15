"""The default campaign under several seeds: what its figures are, and how far chance moves them.

Each seed is a campaign in a folder of its own below `.bench/seeds`, run as a user runs it; a run that was broken off
goes on where it was, and a finished one is not run again. The bounds of the accuracy gate follow from mean and standard
deviation: a run with another seed keeps them in 99 of 100 cases (Student's prediction interval, on the side that would
be a loss; on both for the coverage). Of errors and hit rates a deviation of at least 2 % of the mean is assumed, of
coverages one of 0.005, which is what 4,000 test crystals leave open.

    python benchmarks/seeds.py --seeds 20 21 22 23 24 --write

prints the table, and writes it to `.bench/seeds/table.md` and the bounds to `docs/accuracy.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import yaml

from lodestone.oracles.store import default_path
from lodestone.release.gate import BOUNDS_FILE, figures
from options import ROOT

NEEDED = (".dvc", ".dvcignore", ".gitignore", "dvc.yaml", "pipeline", "stages", "reference", "requirements.lock")
CONFIDENCE = 0.99
LEAST_SPREAD = 0.02  # of a figure over its mean: a few seeds may agree more closely than more of them would
LEAST_SPREAD_OF_COVERAGE = 0.005
SIDES = {"hit_rate_random": (), "coverage": ("low", "high"), "hit_rate": ("low",), "test_mae": ("high",)}


def main() -> None:
    """Run what is missing, then print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[20, 21, 22, 23, 24])
    parser.add_argument("--params", type=Path, default=ROOT / "params.yaml", help="the campaign (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=ROOT / ".bench" / "seeds", help="folder of the campaigns")
    parser.add_argument("--write", action="store_true", help=f"write {BOUNDS_FILE}")
    arguments = parser.parse_args()
    campaigns = {seed: run(seed, arguments.params, arguments.out) for seed in arguments.seeds}
    content = {"seeds": arguments.seeds, "confidence": CONFIDENCE, "figures": bounds(list(campaigns.values()))}
    text = "\n".join(table(content["figures"], campaigns))
    print(text)
    (arguments.out / "table.md").write_text(text + "\n")
    if arguments.write:
        (ROOT / BOUNDS_FILE).write_text(json.dumps(content, indent=2) + "\n")


def run(seed: int, params: Path, out: Path) -> dict[str, float]:
    """The figures of one campaign; its figures are kept, so that a later call finds them."""
    folder, kept = out.resolve() / f"seed_{seed}", out / f"seed_{seed}.json"
    if kept.exists():
        return dict(json.loads(kept.read_text()))
    if not (folder / ".git").exists():
        begin(folder, seed, params)
    environment = {
        "PYTHONPATH": str(folder / "pipeline"),
        "LODESTONE_LABELS": str(labels(out)),
        "DVC_SITE_CACHE_DIR": str(folder / ".dvc" / "site"),
    }
    with (out / f"seed_{seed}.log").open("a") as log:
        command = [sys.executable, "-m", "lodestone", "discover"]
        subprocess.run(command, cwd=folder, env=os.environ | environment, stdout=log, stderr=log, check=True)
    values = figures(folder / "metrics")
    kept.write_text(json.dumps(values, indent=2))
    return values


def begin(folder: Path, seed: int, params: Path) -> None:
    """The repository's code with these parameters, in a git repository of its own, as DVC wants it."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *NEEDED]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in names:
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    content = yaml.safe_load(params.read_text()) | {"seed": seed}
    (folder / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    git = ["git", "-c", "user.name=seeds", "-c", "user.email=seeds@example.org"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", f"Seed {seed}"]):
        subprocess.run([*git, *command], cwd=folder, check=True)


def labels(out: Path) -> Path:
    """The label store of all seeds, at first a copy of the repository's: no crystal is relaxed twice."""
    path = out.resolve() / "labels.sqlite"
    if not path.exists() and (ROOT / default_path()).exists():
        shutil.copyfile(ROOT / default_path(), path)
    return path


def bounds(campaigns: Sequence[dict[str, float]]) -> dict[str, dict[str, Any]]:
    """Mean, standard deviation and bounds of each figure."""
    from scipy.stats import t

    n, result = len(campaigns), {}
    for name in campaigns[0]:
        values = [one[name] for one in campaigns]
        sides = next(sides for start, sides in SIDES.items() if name.startswith(start))
        if not sides:
            continue
        least = LEAST_SPREAD_OF_COVERAGE if name.startswith("coverage") else LEAST_SPREAD * mean(values)
        spread = max(stdev(values), least) if n > 1 else float("nan")
        tail = (1 - CONFIDENCE) / len(sides)
        away = float(t.ppf(1 - tail, n - 1)) * spread * (1 + 1 / n) ** 0.5
        highest = float("inf") if name.startswith("test_mae") else 1.0  # a rate cannot exceed 1
        result[name] = {
            "mean": mean(values),
            "std": stdev(values) if n > 1 else float("nan"),
            "n": n,
            "low": max(0.0, mean(values) - away) if "low" in sides else None,
            "high": min(highest, mean(values) + away) if "high" in sides else None,
        }
    return result


def table(bounds_by_figure: dict[str, dict[str, Any]], campaigns: dict[int, dict[str, float]]) -> Iterator[str]:
    """Markdown: one line per figure."""
    seeds = " | ".join(f"seed {seed}" for seed in campaigns)
    yield f"| figure | mean | std | lowest | highest | bounds of the gate | {seeds} |"
    yield "|---|" + "---:|" * (5 + len(campaigns))
    for name in next(iter(campaigns.values())):
        values = [one[name] for one in campaigns.values()]
        spread = stdev(values) if len(values) > 1 else float("nan")
        bound = bounds_by_figure.get(name, {})
        low, high = ("" if bound.get(side) is None else f"{bound[side]:.4f}" for side in ("low", "high"))
        cells = " | ".join(f"{value:.4f}" for value in values)
        span = f"{min(values):.4f} | {max(values):.4f}"
        yield f"| {name} | {mean(values):.4f} | {spread:.4f} | {span} | {low} to {high} | {cells} |"


if __name__ == "__main__":
    main()
