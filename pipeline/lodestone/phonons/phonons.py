"""Phonons of all discoveries, on all cores, and how many are dynamically stable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from lodestone.config.sections import OracleParams
from lodestone.crystals.crystal import Crystal
from lodestone.crystals.encoding import decode
from lodestone.ensemble.metrics import wilson_proportion
from lodestone.errors import LodestoneError
from lodestone.handover.campaign import Finished
from lodestone.oracles.base import WORKER_DIED
from lodestone.oracles.chain import ChainSettings
from lodestone.oracles.potential import Potential
from lodestone.oracles.registry import make_oracle
from lodestone.phonons.settings import PhononSettings
from lodestone.phonons.store import VerdictStore, verdict_key
from lodestone.phonons.verdicts import Verdict, not_computed, verdict
from lodestone.runtime.executor import run_each
from lodestone.runtime.parallel import WorkerDiedError
from lodestone.runtime.progress import track

_KEPT = ("material_id", "formula_pretty", "chemsys", "round", "acquired_by", "energy_above_hull_start")
_WHO = ("model", "random")
_TITLE = "computing phonons"


def potential_of(settings: OracleParams) -> Potential:
    """The potential of an oracle; of a chain, that of its judge.

    Raises:
        LodestoneError: If the oracle has none.
    """
    oracle = make_oracle(settings.judge if isinstance(settings, ChainSettings) else settings)
    if not isinstance(oracle, Potential):
        problem = f"the oracle {settings.name} gives no forces, and there are no phonons without"
        raise LodestoneError(problem, "name a potential: `--oracle chgnet-0.3.0`, or a YAML file with its section")
    return oracle


def phonopy_version() -> str:
    """Version of phonopy.

    Raises:
        LodestoneError: If it is not installed.
    """
    try:
        return version("phonopy")
    except PackageNotFoundError as error:
        problem = "phonons need the package phonopy, which is not installed"
        raise LodestoneError(problem, "pip install 'lodestone-materials[phonons]'") from error


def phonons(
    campaign: Finished, oracle: Potential, settings: PhononSettings, store: VerdictStore, most: int | None = None
) -> dict[str, Any]:
    """Compute the phonons of discoveries, smallest cells first.

    Args:
        campaign: A finished campaign, with the discoveries.
        oracle: Whose forces.
        settings: How phonons are computed, and what counts as stable.
        store: Where each verdict is kept as soon as it exists.
        most: At most so many discoveries.

    Returns:
        The content of ``phonons.json``.

    Raises:
        LodestoneError: If phonopy or a package of the oracle is not installed.
    """
    table = campaign.discoveries.sort("nsites", "material_id").head(most or campaign.discoveries.height)
    verdicts = verdicts_of(decode(table), oracle, settings, store)
    rows = [
        {name: row[name] for name in _KEPT} | one
        for row, one in zip(table.iter_rows(named=True), verdicts, strict=True)
    ]
    return {
        "campaign": campaign.method,
        "oracle": oracle.facts(),
        "versions": dict(oracle.versions) | {"phonopy": phonopy_version()},
        "settings": asdict(settings),
        "n_discoveries": campaign.discoveries.height,
        "n_finds": len(rows),
        **summary(rows),
        "finds": rows,
    }


def verdicts_of(
    crystals: Sequence[Crystal], oracle: Potential, settings: PhononSettings, store: VerdictStore
) -> list[Verdict]:
    """The verdict on each of some crystals, in their order; see :func:`phonons`."""
    phonopy = phonopy_version()
    keys = [verdict_key(crystal, oracle, settings, phonopy) for crystal in crystals]
    found = _verdicts(dict(zip(keys, crystals, strict=True)), oracle, settings, store)
    return [found[key] for key in keys]


def summary(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How many are stable, of those whose phonons could be computed, with Wilson intervals.

    Args:
        rows: As in ``finds`` of ``phonons.json``.
    """
    computed = [row for row in rows if row["is_computed"]]
    followed = [row["followed"] for row in computed if row["followed"]]
    lower = [one for one in followed if (one["gained"] or 0.0) > 0.0 and one["is_computed"]]
    return {
        "stable": _share(computed, True),
        "stable_by": {who: _share([row for row in computed if row["acquired_by"] == who], True) for who in _WHO},
        "unstable": _share(computed, False),
        "undecided": _share(computed, None),
        "n_not_computed": len(rows) - len(computed),
        "n_followed": len(followed),
        "stable_after_following": _share(lower, True),
    }


def _share(rows: Sequence[Mapping[str, Any]], word: bool | None) -> dict[str, Any]:
    return wilson_proportion(sum(row["is_stable"] is word for row in rows), len(rows))


def _verdicts(
    crystals: Mapping[str, Crystal], oracle: Potential, settings: PhononSettings, store: VerdictStore
) -> dict[str, Verdict]:
    """Of each crystal, by its key; what the store has is not computed again."""
    stored = {key: store.get(key) for key in crystals}
    found = {key: one for key, one in stored.items() if one is not None}
    missing = {key: crystal for key, crystal in crystals.items() if key not in found}
    for key, one in track(_fresh(missing, oracle, settings), total=len(missing), title=_TITLE):
        if one is None:  # the machine is at fault, perhaps; the next run tries again
            found[key] = not_computed(WORKER_DIED)
            continue
        store.put(key, one)
        found[key] = one
    return found


def _fresh(
    crystals: Mapping[str, Crystal], oracle: Potential, settings: PhononSettings
) -> Iterator[tuple[str, Verdict | None]]:
    """Verdicts as they arrive; ``None`` where the process died."""
    task = partial(_task, oracle=oracle, settings=settings)
    if oracle.one_process:
        yield from ((key, task(crystal)) for key, crystal in crystals.items())
        return
    for outcome in run_each(task, crystals, (type(oracle).__module__, *oracle.modules, "phonopy")):
        yield outcome.key, None if isinstance(outcome.error, WorkerDiedError) else outcome.result()


def _task(crystal: Crystal, oracle: Potential, settings: PhononSettings) -> Verdict:
    return verdict(crystal, oracle, settings)
