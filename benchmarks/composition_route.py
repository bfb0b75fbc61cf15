"""From a composition alone to a crystal: how often is the ground state found, and how often is something new stable?

    python benchmarks/composition_route.py --campaign . --count 100 --keep 3 --attempts 60

Reads a round of a finished campaign. Stable compounds are drawn from its test crystals, whose formulas its networks
have not seen; all crystals of these formulas are taken from what is known, and the generator `composition` makes
structures for the formulas. The ensemble ranks those of each, the oracle relaxes the first few, and a compound is found
where one lies at most so much above its ground state. The others count as missed, also where nothing could be made or
relaxed. Relaxations go by rank, and end for a composition that is found: the counts are those of relaxing all, for
less. Then the generator has a round of its own; a hit is on or below the hull of what is known.
Brackets are 95 % Wilson intervals. Labels are kept in the label store of the working directory.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from options import campaign_parser, one_thread

one_thread()

import numpy as np  # noqa: E402
import polars as pl  # noqa: E402

from lodestone.config.load import load_params  # noqa: E402
from lodestone.config.params import Params  # noqa: E402
from lodestone.config.rounds import RoundParams  # noqa: E402
from lodestone.crystals.crystal import Crystal  # noqa: E402
from lodestone.crystals.encoding import decode  # noqa: E402
from lodestone.curation.difference import Difference  # noqa: E402
from lodestone.discovery.generators.base import Known, Proposal, Unbuilt  # noqa: E402
from lodestone.discovery.generators.composition import CompositionRoute, CompositionRouteParams  # noqa: E402
from lodestone.discovery.round import choose_candidates, verify_choice  # noqa: E402
from lodestone.discovery.state import RoundState  # noqa: E402
from lodestone.ensemble.ensemble import Ensemble, load_ensemble  # noqa: E402
from lodestone.ensemble.pieces import predict_in_pieces  # noqa: E402
from lodestone.oracles.base import Label  # noqa: E402
from lodestone.oracles.pool import label_all  # noqa: E402
from lodestone.oracles.registry import make_oracle  # noqa: E402
from lodestone.oracles.store import LabelStore, default_path  # noqa: E402
from lodestone.runtime.seeds import child_generator  # noqa: E402
from lodestone.structure_prediction.formulas import Formula  # noqa: E402
from lodestone.tables.files import read_json, read_table  # noqa: E402
from lodestone.tables.layout import Layout  # noqa: E402
from shares import share_of  # noqa: E402

Labeller = Callable[[Sequence[Crystal]], Sequence[Label]]


@dataclass
class Case:
    """One composition that is asked for.

    Attributes:
        formula: All that the generator is told.
        target: Energy that a crystal must not exceed, eV/atom.
        ranked: Structures for it, the lowest prediction first.
        found_by: The proposal that relaxed to the target, and its rank from 1.
        seconds: Spent by the oracle.
    """

    formula: Formula
    target: float
    ranked: list[Proposal] = field(default_factory=list)
    found_by: tuple[Proposal, int] | None = None
    seconds: float = 0.0


def main() -> None:
    """Print the figures."""
    asked = _arguments()
    layout, params = Layout(asked.campaign / "data"), load_params(asked.params)
    files = layout.round(asked.round)
    more = read_table(layout.references), read_table(layout.phases)
    state = RoundState(read_table(files.crystals), read_table(files.attempts), *more)
    ensemble = load_ensemble(files.folder)
    with LabelStore(default_path()) as store:
        label = partial(label_all, make_oracle(params.oracle), store=store, title="relaxing")
        for line in (*held_out(state, ensemble, params, label, asked), "", *new(state, ensemble, params, label, asked)):
            print(line, flush=True)


def held_out(
    state: RoundState, ensemble: Ensemble, params: Params, label: Labeller, asked: argparse.Namespace
) -> Iterator[str]:
    """Known ground states, asked for by composition."""
    drawn = ground_states(state.crystals, asked.count, asked.sites, child_generator(asked.seed, "held out"))
    cases = [
        Case(Formula.of(crystal.atomic_numbers), energy + asked.within)
        for crystal, energy in zip(decode(drawn), drawn["energy_per_atom"], strict=True)
    ]
    rest = state.crystals.filter(~pl.col("formula_pretty").is_in(drawn["formula_pretty"].implode()))
    known = Known(
        rest, frozenset(state.references["element"]), params.discovery.max_sites, params.discovery.max_elements
    )
    rng, formulas = child_generator(asked.seed, "structures"), [case.formula for case in cases]
    unbuilt = rank(cases, CompositionRoute(_settings(asked)).structures(formulas, known, rng), ensemble)
    relax(cases, label, asked.keep)
    proposed = sum(
        any(one.label == true for one in case.ranked)
        for case, true in zip(cases, drawn["decorated_prototype"], strict=True)
    )
    yield f"{len(cases)} ground states of at most {asked.sites} sites; {unbuilt} structures could not be made."
    yield f"- prototype of the ground state among the structures: {share_of(proposed, len(cases))}"
    for k in range(1, asked.keep + 1):
        n_found = sum(case.found_by is not None and case.found_by[1] <= k for case in cases)
        yield f"- within {1000 * asked.within:.0f} meV/atom after {k} relaxed: {share_of(n_found, len(cases))}"
    yield from _told(cases)


def new(
    state: RoundState, ensemble: Ensemble, params: Params, label: Labeller, asked: argparse.Namespace
) -> Iterator[str]:
    """Formulas that the generator chooses, in a round of its own."""
    section = params.discovery.model_copy(update={"generators": (_settings(asked),), "max_proposals": 10**6})
    budget = RoundParams(next="after", budget=asked.attempts, random_baseline=asked.baseline)
    params = params.model_copy(update={"discovery": section, "rounds": {asked.round: budget}})
    difference = Difference.from_dict(read_json(Layout(asked.campaign / "data").difference))
    choice = choose_candidates(asked.round, state, ensemble, params, difference)
    table = verify_choice(asked.round, state, choice, params, label, difference=difference).verifications
    n_formulas, counts = choice.candidates["formula_pretty"].n_unique(), choice.counts
    unbuilt = counts.get("n_unbuilt", 0) + counts.get("n_out_of_time", 0)
    yield f"{len(choice.candidates)} structures of {n_formulas} new formulas; {unbuilt} could not be made."
    for how in ("model", "random"):
        chosen = table.filter(pl.col("acquired_by") == how)
        stable = chosen.filter("is_stable")
        tried, hits = (rows["formula_pretty"].n_unique() for rows in (chosen, stable))
        yield f"- chosen by {how}, formulas with a crystal on or below the hull: {share_of(hits, tried)}"
        yield f"- of the structures that were relaxed: {share_of(len(stable), len(chosen))}"


def ground_states(crystals: pl.DataFrame, count: int, sites: int, rng: np.random.Generator) -> pl.DataFrame:
    """Stable binary and ternary test crystals, at random."""
    stable = crystals.filter(
        pl.col("split") == "test",
        pl.col("energy_above_hull") <= 0,
        pl.col("nsites") <= sites,
        pl.col("chemsys").str.count_matches("-", literal=True).is_in([1, 2]),
    ).sort("material_id")
    return stable[rng.permutation(len(stable))[:count].tolist()]


def rank(cases: Sequence[Case], proposals: Iterator[Proposal | Unbuilt], ensemble: Ensemble) -> int:
    """Give each case its structures, those predicted lowest first, each once; the number that could not be made."""
    by_formula = {case.formula: case for case in cases}
    items = list(proposals)
    unlike = {one.label: one for one in reversed(items) if isinstance(one, Proposal)}
    structures = [unlike[label] for label in sorted(unlike)]
    energies = predict_in_pieces(ensemble, [one.crystal for one in structures], "unrelaxed").mean
    for place in np.argsort(energies, kind="stable").tolist():
        by_formula[Formula.of(structures[place].crystal.atomic_numbers)].ranked.append(structures[place])
    return sum(isinstance(one, Unbuilt) for one in items)


def relax(cases: Sequence[Case], label: Labeller, keep: int) -> None:
    """Relax structures by rank, until a case is found or has no more."""
    for place in range(keep):
        open_cases = [case for case in cases if case.found_by is None and len(case.ranked) > place]
        labels = label([case.ranked[place].crystal for case in open_cases])
        for case, one in zip(open_cases, labels, strict=True):
            case.seconds += one.seconds
            if one.energy_per_atom is not None and one.energy_per_atom <= case.target:
                case.found_by = case.ranked[place], place + 1


def _told(cases: Sequence[Case]) -> Iterator[str]:
    found = [case.found_by[0] for case in cases if case.found_by]
    routes = Counter("a known prototype" if "parent" in one.provenance else "a random structure" for one in found)
    yield f"- found from {', '.join(f'{way}: {n}' for way, n in sorted(routes.items())) or 'none'}"
    yield f"- structures per composition: {np.mean([len(case.ranked) for case in cases] or [0]):.1f}"
    yield f"- seconds of the oracle: {sum(case.seconds for case in cases):,.0f}"


def _settings(asked: argparse.Namespace) -> CompositionRouteParams:
    settings = {"prototypes": asked.prototypes, "random_structures": asked.random, "compositions": asked.compositions}
    return CompositionRouteParams(name="composition", formulas=asked.formulas, **settings)


def _arguments() -> argparse.Namespace:
    parser, usual = campaign_parser(__doc__), CompositionRouteParams(name="composition")
    parser.add_argument("--count", type=int, default=100, help="ground states that are asked for")
    parser.add_argument("--sites", type=int, default=10, help="of the ground states, at most")
    parser.add_argument("--within", type=float, default=0.02, help="of the ground state, eV/atom")
    parser.add_argument("--attempts", type=int, default=60, help="new structures that are relaxed, by the ensemble")
    parser.add_argument("--baseline", type=int, default=20, help="others, at random")
    parser.add_argument("--compositions", type=int, default=usual.compositions, help="new formulas that get structures")
    parser.add_argument("--formulas", type=int, default=usual.formulas, help="of so many")
    parser.add_argument(
        "--prototypes", type=int, default=usual.prototypes, help="structures of a composition by known prototypes"
    )
    parser.add_argument(
        "--random", type=int, default=usual.random_structures, help="random structures of a composition"
    )
    parser.add_argument("--keep", type=int, default=3, help="structures of a composition that are relaxed")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
