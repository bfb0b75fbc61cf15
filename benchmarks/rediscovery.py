"""Rediscovery in time: what was known before a day proposes and ranks candidates; the years since say which are stable.

    python benchmarks/rediscovery.py --day 2015-01-01

Networks learn from entries of the Materials Project made before the day, and our generator substitutes ions in them. A
candidate is a hit where an entry made since, of a formula that had none before, has its formula and prototype and lies
on the hull of the database of today. Candidates of formulas that were known, or may have been, are left out. Of most
others the database says nothing, so that precision is a lower bound: a candidate without an entry is a miss here, and
may be a discovery. Writes `rediscovery.md` and `rediscovery.json`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from options import ROOT, one_thread, parser

one_thread()

import polars as pl  # noqa: E402

from dated import Dated, Silent, candidates, deal_by_date  # noqa: E402
from lodestone.config.load import load_params  # noqa: E402
from lodestone.config.params import Params  # noqa: E402
from lodestone.config.sections import Filters  # noqa: E402
from lodestone.curation.splits import empty_attempts  # noqa: E402
from lodestone.discovery.proposals import propose  # noqa: E402
from lodestone.discovery.state import RoundState  # noqa: E402
from lodestone.ensemble.metrics import wilson_proportion  # noqa: E402
from lodestone.errors import LodestoneError  # noqa: E402
from lodestone.replay.campaign import Limits, Run, run_campaign  # noqa: E402
from lodestone.replay.learner import Beginning, PoolLearner  # noqa: E402
from lodestone.replay.policies import GREEDY, LIKELIEST, OURS, RANDOM, policies_of  # noqa: E402
from lodestone.replay.preparation import Inputs, prepare  # noqa: E402
from lodestone.replay.tables import ENERGY, Pool, described, on_own_hull  # noqa: E402
from materials_project import crystals_of, read_crystals  # noqa: E402

SHOWN = (OURS, GREEDY, LIKELIEST, RANDOM)


def main() -> None:
    """Deal, propose, rank, count, and write the table."""
    asked = _arguments()
    params = load_params(asked.params)
    limits = {"max_proposals": asked.candidates, "max_sites": asked.max_sites}
    params = params.model_copy(update={"discovery": params.discovery.model_copy(update=limits)})
    dealt = deal_by_date(read_crystals(asked.data).filter(pl.col("nsites") <= asked.max_sites), asked.day)
    known = on_own_hull(_described(dealt.known))
    stable = _described(dealt.later.filter(pl.col("energy_above_hull") <= 0))
    pool = _proposed(known, params, frozenset(stable["decorated_prototype"]), dealt)
    found = ranked(pool, known, params, asked)
    lines = [statement(dealt, pool, len(stable), asked), "", *table(found, asked.budgets, len(stable))]
    asked.out.mkdir(parents=True, exist_ok=True)
    (asked.out / "rediscovery.md").write_text("\n".join(lines) + "\n")
    facts = {run.policy: figures(run, asked.budgets, len(stable)) for run in found}
    (asked.out / "rediscovery.json").write_text(json.dumps({"day": asked.day, "policies": facts}, indent=2) + "\n")
    print("\n".join(lines))


def ranked(pool: Pool, known: pl.DataFrame, params: Params, asked: argparse.Namespace) -> list[Run]:
    """The largest budget spent at once by every policy; networks are trained on what was known."""
    if max(asked.budgets) > len(pool):
        raise LodestoneError(f"there are only {len(pool)} candidates", "lower --budgets or raise --candidates")
    prepared = prepare(known, params, params.views, seen=asked.seen)
    views = {name: view.params for name, view in prepared.views.items()}
    inputs = Inputs.of(pool.initial, views, unrelaxed=True)
    beginning = Beginning(prepared, inputs, pool.table, asked.out / "networks", params.seed)
    limits, every = Limits(max(asked.budgets), 1), pl.Series(range(len(pool))).to_numpy()
    runs = []
    for name in SHOWN:
        policy = policies_of(params)[name]
        learner = PoolLearner(policy, beginning, every, params.seed) if policy.views else None
        runs.append(run_campaign(name, policy, pool, Silent(), learner, limits=limits, seed=params.seed))
    return runs


def figures(run: Run, budgets: list[int], n_stable_since: int) -> dict[str, Any]:
    """Precision by budget with Wilson's intervals, and recall of what could be found and of all that came since."""
    verified = run.verified
    return {
        str(budget): {
            "precision": wilson_proportion(int(verified[:budget].sum()), budget),
            "recall_of_proposed": wilson_proportion(int(verified[:budget].sum()), run.n_stable),
            "recall_of_all": wilson_proportion(int(verified[:budget].sum()), n_stable_since),
        }
        for budget in budgets
    }


def table(runs: list[Run], budgets: list[int], n_stable_since: int) -> Iterator[str]:
    """One line for each policy and budget."""
    yield "| policy | oracle calls | hits | precision (95 %) | recall of hits proposed | recall of all stable since |"
    yield "|---|---:|---:|---:|---:|---:|"
    for run in runs:
        for budget, found in figures(run, budgets, n_stable_since).items():
            rate = found["precision"]
            told = f"{rate['rate']:.1%} ({rate['low']:.1%} to {rate['high']:.1%})"
            recalls = f"{found['recall_of_proposed']['rate']:.1%} | {found['recall_of_all']['rate']:.2%}"
            yield f"| {run.policy} | {budget} | {rate['hits']} | {told} | {recalls} |"


def statement(dealt: Dated, pool: Pool, n_stable_since: int, asked: argparse.Namespace) -> str:
    """What was done, in a sentence."""
    return (
        f"Before {asked.day}: {len(dealt.known):,} entries of at most {asked.max_sites} sites. Since: "
        f"{len(dealt.later):,} of new formulas, {n_stable_since:,} of them stable. {len(pool):,} candidates of new "
        f"formulas, {pool.n_stable} of which are such entries ({pool.n_stable / len(pool):.2%})."
    )


def _described(rows: pl.DataFrame) -> pl.DataFrame:
    rows = rows.sort("material_id")
    return described(crystals_of(rows)).hstack(rows.select("material_id", ENERGY))


def _proposed(known: pl.DataFrame, params: Params, hits: frozenset[str], dealt: Dated) -> Pool:
    """What the generators of a campaign propose, of formulas that were certainly not known."""
    elements = pl.DataFrame({"element": sorted(set(known["chemsys"].str.split("-").explode()))})
    state = RoundState(known, empty_attempts(), elements)
    proposals = propose("rediscovery", state, params.discovery, Filters(), params.seed)
    return candidates(proposals.items, known, hits, dealt.old_formulas)


def _arguments() -> argparse.Namespace:
    made = parser(__doc__, "rediscovery")
    made.add_argument("--day", default="2015-01-01")
    made.add_argument("--candidates", type=int, default=20_000)
    made.add_argument("--budgets", type=int, nargs="+", default=[200, 500, 1000], help="oracle calls")
    made.add_argument("--max-sites", type=int, default=20)
    made.add_argument("--seen", type=int, default=240_000, help="crystals shown to each network")
    made.add_argument("--params", type=Path, default=ROOT / "params.yaml")
    return made.parse_args()


if __name__ == "__main__":
    main()
