"""The sample that the cascade is measured on: a share of the candidates of some families, judged by all networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lodestone.errors import LodestoneError
from lodestone.runtime.executor import run_all
from lodestone.runtime.progress import track
from lodestone.runtime.seeds import child_generator
from lodestone.screening.batch import Batch
from lodestone.screening.cascade import Cascade
from lodestone.screening.families import Children, Family, children_of
from lodestone.screening.on_ground import OnGround
from lodestone.screening.search import Ground, Search
from lodestone.screening.thresholds import Sample, fitted
from lodestone.tables.files import read_json, write_json

SAMPLE = 12_000, 100_000  # candidates, in a small and in a large search
OF_ALL = 0.01  # share of the candidates of a search that are sampled, within these limits
SHARE = 0.05  # of the children of a family that are drawn
_AT_ONCE = 500  # candidates of one task: no process waits for another one
ENOUGH = 1_000  # candidates of a sample; with fewer the search is small, and all networks judge everything
LEAST_BEST = 0.01  # share of the candidates that the cascade must not lose, at least


@dataclass(frozen=True)
class Drawn:
    """Candidates of one family, for another process."""

    family: Family
    children: Children


def measured_cascade(
    ground: Ground, ordered: Sequence[Family], search: Search, path: Path
) -> tuple[Cascade, Mapping[str, Any]]:
    """The cascade and what was measured of it; read again where an earlier run has measured it.

    What it must not lose are twice as many candidates as are kept.

    Args:
        ground: What is known.
        ordered: All families.
        search: What is searched.
        path: JSON file that keeps the result.

    Raises:
        LodestoneError: If there is no candidate.
    """
    if not path.is_file():
        drawn, total = _drawn(ground, ordered, search)
        tasks = {str(number): one for number, one in enumerate(drawn)}
        outcomes = run_all(OnGround.of(sample_of, search, ground), tasks, preload=(__name__,))
        parts = dict(track(outcomes, total=len(tasks), title="measuring the cascade"))
        sample = Sample.joined([parts[key] for key in tasks])
        sample = sample if len(sample.probability) >= ENOUGH else Sample({}, sample.probability)
        best = float(np.clip(2 * search.keep / total, LEAST_BEST, 0.5))
        cascade, measured = fitted(sample, best)
        write_json({"thresholds": dict(cascade.thresholds), "measured": measured}, path)
    content = read_json(path)
    return Cascade(content["thresholds"]), content["measured"] | {"thresholds": content["thresholds"]}


def sample_of(ground: Ground, drawn: Drawn) -> Sample:
    """What steps and ensemble say of candidates."""
    return Sample.of(Batch(ground, drawn.family, drawn.children))


def _drawn(ground: Ground, ordered: Sequence[Family], search: Search) -> tuple[list[Drawn], float]:
    """Candidates of families in random order, until there are enough, and about how many the search has."""
    rng, n_parents = child_generator(search.seed, "screening", "sample"), sum(len(one.parents) for one in ordered)
    drawn, parents, found, total = [], 0, 0, 0.0
    for family in (ordered[index] for index in rng.permutation(len(ordered))):
        children = children_of(family, ground.allowed, ground.table, search.least)
        chosen = np.sort(rng.permutation(len(children))[: round(SHARE * len(children))])
        candidates = Batch(ground, family, children.subset(chosen)).obeying()
        parents, found = parents + len(family.parents), found + len(candidates)
        drawn += [Drawn(family, piece.children) for piece in candidates.pieces(_AT_ONCE)]
        total = min(found / SHARE / parents * n_parents, search.count or np.inf)
        if found >= np.clip(OF_ALL * total, *SAMPLE):
            break
    if not drawn:
        raise LodestoneError(
            "no child of a known crystal is new and obeys the rules of the campaign",
            "lower --least, or see discovery.charge_balance, discovery.elements and snapshot.filters",
        )
    return drawn, total
