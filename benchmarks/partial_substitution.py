"""What partial substitution adds to the substitution of whole elements: how many candidates, how new, how good.

    python benchmarks/partial_substitution.py --campaign . --relax 20 --random 5

Reads the state and the ensemble of a round of a finished campaign. From a few parents both generators propose all they
can, and what the rules leave is counted, up to so many times the count of whole substitution. Then each draws from all
parents as in a round; the table has its rate, and the share whose prototype no known crystal has. With `--relax`, the
ensemble chooses from these and the oracle judges; brackets are 95 % Wilson intervals. Labels are kept in the label
store of the working directory, so a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

from options import campaign_parser, one_thread

one_thread()

import polars as pl  # noqa: E402

from lodestone.config.load import load_params  # noqa: E402
from lodestone.config.params import Params  # noqa: E402
from lodestone.config.registry import GENERATORS  # noqa: E402
from lodestone.config.rounds import RoundParams  # noqa: E402
from lodestone.crystals.symmetry import symmetry_of  # noqa: E402
from lodestone.discovery.generators.base import Known  # noqa: E402
from lodestone.discovery.proposals import Proposals, Rules, collect, propose  # noqa: E402
from lodestone.discovery.round import choose_candidates, verify_choice  # noqa: E402
from lodestone.discovery.state import RoundState  # noqa: E402
from lodestone.ensemble.ensemble import load_ensemble  # noqa: E402
from lodestone.oracles.pool import label_all  # noqa: E402
from lodestone.oracles.registry import make_oracle  # noqa: E402
from lodestone.oracles.store import LabelStore, default_path  # noqa: E402
from lodestone.runtime.seeds import child_generator  # noqa: E402
from lodestone.substitution.charges import charge_rule  # noqa: E402
from lodestone.tables.files import read_table  # noqa: E402
from lodestone.tables.layout import Layout  # noqa: E402
from shares import share_of  # noqa: E402

WHOLE, PARTIAL = "substitution", "partial_substitution"


def main() -> None:
    """Print the tables."""
    asked = _arguments()
    layout, params = Layout(asked.campaign / "data"), load_params(asked.params)
    files = layout.round(asked.round)
    state = RoundState(read_table(files.crystals), read_table(files.attempts), read_table(layout.references))
    for line in (*from_the_same_parents(state, params, asked), "", *as_drawn(state, params, asked)):
        print(line, flush=True)
    if asked.relax:
        for line in ("", *judged(state, params, asked)):
            print(line, flush=True)


def from_the_same_parents(state: RoundState, params: Params, asked: argparse.Namespace) -> Iterator[str]:
    """All candidates of some parents by each generator, after the rules."""
    rng = child_generator(asked.seed, "partial substitution", "parents")
    highest = 0.1  # eV/atom, as the generators have it
    near = state.crystals.filter(
        pl.col("energy_above_hull") <= highest,
        pl.col("nsites") <= params.discovery.max_sites,
        pl.col("chemsys").str.count_matches("-", literal=True).is_between(1, params.discovery.max_elements - 2),
    ).sort("material_id")
    parents = near[rng.permutation(len(near))[: asked.parents].tolist()]
    whole, seconds = _timed(lambda: _all_of(parents, WHOLE, state, params, 10**6))
    most = asked.times * max(len(whole.items), 1)
    part, longer = _timed(lambda: _all_of(parents, PARTIAL, state, params, most))
    ratio, at_least = len(part.items) / max(len(whole.items), 1), "at least " if len(part.items) == most else ""
    yield f"All candidates of {len(parents)} of {len(near):,} parents, after the rules:"
    yield ""
    yield "| generator | candidates | per second of one core |"
    yield "|---|---:|---:|"
    yield f"| {WHOLE} | {len(whole.items):,} | {len(whole.items) / seconds:,.0f} |"
    yield f"| {PARTIAL} | {at_least}{len(part.items):,} ({ratio:.1f} times) | {len(part.items) / longer:,.0f} |"


def _all_of(parents: pl.DataFrame, name: str, state: RoundState, params: Params, limit: int) -> Proposals:
    section, elements = params.discovery, frozenset(state.references["element"])
    rule = charge_rule(section.charge_balance)
    limits = {"max_sites": section.max_sites, "max_elements": section.max_elements, "charge_rule": rule}
    changes = {"orderings_per_substitution": 10**6} if name == PARTIAL else {}
    generator = GENERATORS.make(name, GENERATORS.settings(name, {"name": name} | changes))
    known = frozenset(state.crystals["decorated_prototype"])
    rules = Rules(known=known, tried=frozenset(), elements=elements, filters=params.snapshot.filters, **limits)
    rng = child_generator(params.seed, name, "all")
    return collect({name: generator.propose(Known(parents, elements, **limits), rng, limit)}, rules, limit)


def as_drawn(state: RoundState, params: Params, asked: argparse.Namespace) -> Iterator[str]:
    """Candidates as a round has them."""
    known = frozenset(state.crystals["prototype"])
    yield f"{asked.proposals} candidates of each, drawn as in a round:"
    yield ""
    yield "| generator | seconds of one core | dropped by the rules | prototype not among the known |"
    yield "|---|---:|---:|---:|"
    for name in (WHOLE, PARTIAL):
        section = _with(params, name, asked).discovery
        drawn, seconds = _timed(partial(propose, asked.round, state, section, params.snapshot.filters, params.seed))
        new = sum(symmetry_of(one.crystal).prototype not in known for _, one in drawn.items)
        share = share_of(new, len(drawn.items))
        yield f"| {name} | {seconds:.1f} | {sum(drawn.dropped.values())} | {share} |"


def judged(state: RoundState, params: Params, asked: argparse.Namespace) -> Iterator[str]:
    """What the oracle says of those that the ensemble chooses, and of some at random."""
    ensemble = load_ensemble(Layout(asked.campaign / "data").round(asked.round).folder)
    known = frozenset(state.crystals["prototype"])
    yield "| generator | chosen by | verified | new | hits | hits in a prototype not among the known |"
    yield "|---|---|---:|---:|---:|---:|"
    for name in (WHOLE, PARTIAL):
        section = _with(params, name, asked)
        choice = choose_candidates(asked.round, state, ensemble, section)
        with LabelStore(default_path()) as store:
            label = partial(label_all, make_oracle(params.oracle), store=store, title=f"verifying {name}")
            table = verify_choice(asked.round, state, choice, section, label).verifications
        for how in ("model", "random"):
            yield _judged(name, how, table.filter(pl.col("acquired_by") == how), known)


def _judged(name: str, how: str, table: pl.DataFrame, known: frozenset[str]) -> str:
    hits = table.filter("is_stable")
    novel = int((~hits["prototype"].is_in(sorted(known))).sum())
    shares = " | ".join(share_of(count, len(table)) for count in (len(hits), novel))
    return f"| {name} | {how} | {len(table)} | {int(table['is_new'].sum())} | {shares} |"


def _with(params: Params, name: str, asked: argparse.Namespace) -> Params:
    """The parameters with one generator."""
    changes = {"generators": (GENERATORS.settings(name, {"name": name}),), "max_proposals": asked.proposals}
    budget = RoundParams(next="after", budget=max(asked.relax, 1), random_baseline=asked.random)
    discovery = params.discovery.model_copy(update=changes)
    return params.model_copy(update={"discovery": discovery, "rounds": {asked.round: budget}})


def _timed(work: Any) -> tuple[Any, float]:
    start = time.process_time()
    return work(), time.process_time() - start


def _arguments() -> argparse.Namespace:
    parser = campaign_parser(__doc__)
    parser.add_argument("--parents", type=int, default=10, help="whose candidates are all counted")
    parser.add_argument("--times", type=int, default=20, help="as many times the count of whole substitution, at most")
    parser.add_argument("--proposals", type=int, default=500, help="candidates drawn by each generator")
    parser.add_argument("--relax", type=int, default=0, help="chosen by the ensemble, for each generator")
    parser.add_argument("--random", type=int, default=0, help="chosen at random, likewise")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
