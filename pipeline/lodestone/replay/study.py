"""All seeds and policies of a replay; what is finished is kept, so that a run that was stopped goes on."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lodestone.config.params import Params
from lodestone.config.registry import ORACLES
from lodestone.replay.campaign import Limits, Run, refuse_limits, run_campaign
from lodestone.replay.learner import Beginning, PoolLearner
from lodestone.replay.likelihood import likeliest_substitutions
from lodestone.replay.policies import Policy
from lodestone.replay.preparation import Inputs, Prepared, prepare
from lodestone.replay.scales import refuse_mixed_scales
from lodestone.replay.tables import Pool, read_known, read_pool
from lodestone.replay.thinning import thinned
from lodestone.runtime.progress import track
from lodestone.runtime.seeds import child_generator, child_seed
from lodestone.tables.files import read_json, write_json
from lodestone.training.checkpoints import CHECKPOINTS_VARIABLE

SEEN = 120_000  # crystals that each network is shown before the first round
_FORMAT = 1


@dataclass(frozen=True)
class Study:
    """What is asked for.

    Attributes:
        known: Table of known crystals.
        pool: Table of candidates with hidden labels.
        prevalence: Largest share of stable crystals in the pool.
        limits: Budget and rounds.
        seeds: How many times everything that is random is drawn.
        policies: By name.
        params: Networks, aggregation and acquisition, as of a campaign.
        out: Folder for results and networks.
        seen: Crystals that each network is shown before the first round.
        starts: Ensembles that are trained before the first round; seeds take them in turn.
    """

    known: Path
    pool: Path
    prevalence: float
    limits: Limits
    seeds: int
    policies: Mapping[str, Policy]
    params: Params
    out: Path
    seen: int = SEEN
    starts: int = 1

    @property
    def views(self) -> list[str]:
        """Views that some policy trains, in the order of the parameters."""
        return [view for view in self.params.views if any(view in one.views for one in self.policies.values())]


@dataclass(frozen=True)
class Outcome:
    """What a study has found.

    Attributes:
        runs: One for each policy and seed.
        facts: Sizes of what was replayed.
    """

    runs: list[Run]
    facts: dict[str, Any]


def replay(study: Study) -> Outcome:
    """Replay a campaign for every policy and seed.

    Raises:
        LodestoneError: If a table cannot be used, or the budget cannot be spent.
    """
    known = read_known(study.known)
    pool = read_pool(study.pool, known)
    refuse_mixed_scales(study.known, study.pool)
    pool = replace(pool, table=pool.table.with_columns(weight=pl.Series(likeliest_substitutions(pool.table, known))))
    kept = [_kept(pool, study, seed) for seed in range(study.seeds)]
    for rows in kept:
        refuse_limits(study.limits, len(rows))
    facts = {"n_known": len(known), "n_pool_whole": len(pool), "n_stable_whole": pool.n_stable}
    return Outcome(list(_runs(study, known, pool, kept)), facts)


class _Beginnings:
    """Networks before the first round, prepared when the first policy asks for them; seeds take them in turn."""

    def __init__(self, study: Study, known: pl.DataFrame, pool: Pool) -> None:
        self._study, self._known, self._pool = study, known, pool
        self._last: Beginning | None = None

    def of(self, seed: int) -> Beginning:
        """Those of a seed; where the last seed had the same, what they say is not computed again."""
        number = seed % self._study.starts
        if self._last is None or self._last.number != number:
            self._last = Beginning(*self._inputs, self._pool.table, self._study.out / "networks", number)
        return self._last

    @cached_property
    def _inputs(self) -> tuple[Prepared, Inputs]:
        """The known crystals ready for training, and the pool as networks see it."""
        prepared = prepare(self._known, self._study.params, self._study.views, seen=self._study.seen)
        views = {name: view.params for name, view in prepared.views.items()}
        return prepared, Inputs.of(self._pool.initial, views, unrelaxed=True)


def _runs(study: Study, known: pl.DataFrame, pool: Pool, kept: list[np.ndarray]) -> Iterator[Run]:
    """Finished runs from their files, and the others as they are made."""
    os.environ.setdefault(CHECKPOINTS_VARIABLE, str(study.out / "checkpoints"))
    oracle = ORACLES.make("replay", ORACLES.settings("replay", {"name": "replay", "tables": [study.pool]}))
    beginnings, digest = _Beginnings(study, known, pool), _digest(study)
    order = sorted(range(len(kept)), key=lambda seed: seed % study.starts)  # networks are read once
    tasks = [(seed, name) for seed in order for name in study.policies]
    for seed, name in track(tasks, len(tasks), "campaigns replayed"):
        path = study.out / "runs" / f"{name}-{seed}.json"
        run = _finished(path, digest)
        if run is None:
            policy, rows, own = study.policies[name], kept[seed], child_seed(seed, "replay")
            learner = PoolLearner(policy, beginnings.of(seed), rows, seed) if policy.views else None
            run = run_campaign(name, policy, pool.of(rows), oracle, learner, limits=study.limits, seed=own)
            write_json({"format": _FORMAT, "digest": digest, "run": run.as_dict()}, path)
        yield run


def _kept(pool: Pool, study: Study, seed: int) -> np.ndarray:
    return thinned(pool.stable, study.prevalence, child_generator(seed, "replay", "prevalence"))


def _finished(path: Path, digest: str) -> Run | None:
    """A run that was made before, of the same tables and parameters."""
    if not path.is_file():
        return None
    content = read_json(path)
    same = content.get("format") == _FORMAT and content.get("digest") == digest
    return Run.from_dict(content["run"]) if same else None


def _digest(study: Study) -> str:
    """Of all that decides a run but for policy and seed."""
    digest = blake2b(repr((asdict(study.limits), study.prevalence, study.seen, study.starts)).encode(), digest_size=16)
    digest.update(study.params.model_dump_json().encode())
    for path in (study.known, study.pool):
        digest.update(path.read_bytes())
    return digest.hexdigest()
