"""Does a campaign on a group's own DFT energies choose better than chance what to compute next?

All entries of one chemical system of the Materials Project are split at random by formula: some are the snapshot, on
the scale of the source, the others are hidden. What is hidden is the pool of candidates, at a guessed volume; their
atoms stand where DFT has put them, which no screening would know. The campaign waits for what it has chosen, and gets
the entries by `lodestone candidates` and `lodestone labels import`, round after round, until it ends. It goes on where
it was stopped.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import yaml

from lodestone.crystals.json_text import to_json
from lodestone.ensemble.metrics import wilson_proportion
from lodestone.snapshot.files.entries import entry_parts
from lodestone.substitution.volumes import AtomicVolumes
from options import parser

KIND = {"label_method": "dft-pbe", "correction_scheme": "MP2020"}
WAITS = 75
VISIBLE, POOL, ANSWERS = "visible.json", "pool.parquet", "answers.json"


def main() -> None:
    arguments = parser(__doc__, "batch_loop")
    arguments.add_argument("--system", default="Fe-Li-O-P")
    arguments.add_argument("--hidden", type=float, default=0.4, help="share of the formulas")
    arguments.add_argument("--max-sites", type=int, default=30)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--budget", type=int, default=12, help="for each round, and as many at random")
    arguments.add_argument("--seed", type=int, default=20)
    options = arguments.parse_args()
    folder = options.out / f"{options.system}-{options.seed}"
    if not (folder / VISIBLE).exists():
        prepare(folder, options)
    while (code := lodestone(folder, "discover")) == WAITS:
        answer(folder)
    assert code == 0, f"`lodestone discover` ended with code {code}"
    report(folder, options)


def prepare(folder: Path, options: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    lodestone(folder.parent, "init", str(folder))
    params = yaml.safe_load((folder / "params.yaml").read_text())
    (folder / "params.yaml").write_text(yaml.safe_dump(changed(params, options), sort_keys=False))
    with gzip.open(options.data / f"mp_entries_{options.system}.json.gz") as stream:
        entries = [entry for entry in json.load(stream) if len(entry["structure"]["sites"]) <= options.max_sites]
    formulas = [formula_of(entry) for entry in entries]
    compounds = sorted({formula for formula in formulas if "-" in formula})
    drawn = np.random.default_rng(options.seed).random(len(compounds)) < options.hidden
    hidden = {formula for formula, is_hidden in zip(compounds, drawn, strict=True) if is_hidden}
    visible = [entry for entry, formula in zip(entries, formulas, strict=True) if formula not in hidden]
    pool = [entry for entry, formula in zip(entries, formulas, strict=True) if formula in hidden]
    volumes = AtomicVolumes.fit([entry_parts(entry)[0] for entry in visible])
    crystals = [entry_parts(entry)[0] for entry in pool]
    guessed = [crystal.scaled_to(volumes.values[crystal.atomic_numbers].sum()) for crystal in crystals]
    names = [entry["entry_id"] for entry in pool]
    pl.DataFrame({"material_id": names, "initial_structure": [to_json(crystal) for crystal in guessed]}).write_parquet(
        folder / POOL
    )
    (folder / ANSWERS).write_text(json.dumps(dict(zip(names, pool, strict=True))))
    (folder / VISIBLE).write_text(json.dumps(visible))


def formula_of(entry: dict[str, Any]) -> str:
    """Elements with their shares."""
    total = sum(entry["composition"].values())
    return "-".join(f"{symbol}{amount / total:.4f}" for symbol, amount in sorted(entry["composition"].items()))


def changed(params: dict[str, Any], options: Any) -> dict[str, Any]:
    limits = {"max_sites": options.max_sites, "max_elements": 6, "max_per_chemsys": options.budget}
    rounds = range(options.rounds)
    size = {"budget": options.budget, "random_baseline": options.budget}
    return params | {
        "seed": options.seed,
        "snapshot": {"source": "file", "path": VISIBLE, **KIND},
        "validate": params["validate"] | {"on_bad_rows": "quarantine"},
        "label": {"scale": "source"},
        "oracle": {"name": "external", **KIND},
        "discovery": params["discovery"]
        | limits
        | {"generators": [{"name": "pool", "path": POOL}], "charge_balance": "off"},
        "rounds": {f"round_{k}": {"next": f"round_{k + 1}", **size} for k in rounds},
    }


def answer(folder: Path) -> None:
    """What the cluster would do with all that waits."""
    names = list(yaml.safe_load((folder / "params.yaml").read_text())["rounds"])
    name = [one for one in names if (folder / "data" / "rounds" / one / "candidates.parquet").exists()][-1]
    lodestone(folder, "candidates", "--round", name, "--out", name)
    answers = json.loads((folder / ANSWERS).read_text())
    waiting = pl.read_csv(folder / name / "candidates.csv").select("material_id", "provenance")
    results = [
        answers[json.loads(provenance)["candidate"]] | {"entry_id": candidate}
        for candidate, provenance in waiting.iter_rows()
    ]
    (folder / name / "results.json").write_text(json.dumps(results))
    assert lodestone(folder, "labels", "import", f"{name}/results.json") == 0


def lodestone(folder: Path, *arguments: str) -> int:
    return subprocess.run([sys.executable, "-m", "lodestone", *arguments], cwd=folder, check=False).returncode


def report(folder: Path, options: Any) -> None:
    print(f"\n{options.system}: {len(json.loads((folder / VISIBLE).read_text()))} entries shown, ", end="")
    print(f"{len(pl.read_parquet(folder / POOL))} hidden\n\n| round | test MAE, eV/atom | chosen | at random |")
    print("| --- | --- | --- | --- |")
    rates: dict[str, list[Any]] = {"model": [], "random": []}
    for k in range(options.rounds):
        metrics = folder / "metrics" / f"round_{k}"
        hits = json.loads((metrics / "active_learning.json").read_text())["hit_rate"]
        test = json.loads((metrics / "ensemble.json").read_text())["test"]["ensemble"]
        for who, all_rounds in rates.items():
            all_rounds.append(hits[who])
        print(f"| {k} | {test['mae']:.3f} (n = {test['n']}) | {as_text(hits['model'])} | {as_text(hits['random'])} |")
    total = {
        who: wilson_proportion(sum(rate["hits"] for rate in every), sum(rate["n"] for rate in every))
        for who, every in rates.items()
    }
    print(f"| all | | {as_text(total['model'])} | {as_text(total['random'])} |")


def as_text(rate: dict[str, Any]) -> str:
    if not rate["n"]:
        return "none"
    return f"{rate['hits']} of {rate['n']}, {rate['rate']:.0%} [{rate['low']:.0%}, {rate['high']:.0%}]"


if __name__ == "__main__":
    main()
