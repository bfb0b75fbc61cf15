"""A whole search: units in a fixed order, wherever the environment says, with what is done kept on disk."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from lodestone.errors import LodestoneError
from lodestone.runtime.executor import run_each
from lodestone.runtime.progress import progress_bar
from lodestone.runtime.seeds import child_generator
from lodestone.schemas import Candidates
from lodestone.screening.cascade import Cascade
from lodestone.screening.families import Family, families
from lodestone.screening.on_ground import OnGround
from lodestone.screening.sampling import measured_cascade
from lodestone.screening.search import Ground, Search, ground_of
from lodestone.screening.unit import Found, Unit, best, run_unit
from lodestone.tables.files import read_json, write_json, write_table

UNIT = 400  # parents
_COUNTED = ("children", "candidates", "judged")


def run_search(search: Search, out: Path) -> dict[str, Any]:
    """Screen all children of a campaign's crystals, or so many; go on where an earlier run stopped.

    Args:
        search: What is searched.
        out: Folder: ``candidates.parquet`` (contract :class:`lodestone.schemas.Candidates`), ``screening.json``, and
            ``parts``, what each unit has found.

    Returns:
        The content of ``screening.json``: counts, the cascade with its measured recall, seconds, and those before the
        first unit.

    Raises:
        LodestoneError: If the campaign is not finished, nothing can be proposed, or the folder holds another search.
    """
    ground, started = ground_of(search), time.monotonic()
    _refuse_other(search, ground, out)
    ordered = ordered_families(ground, search)
    cascade, measured = measured_cascade(ground, ordered, search, out / "cascade.json")
    prepared = time.monotonic()
    units = _units(search, ordered, cascade, out / "parts")
    done = _screened(units, OnGround.of(run_unit, search, ground), search.count)
    found = merged(units[: len(done)], search.keep)
    write_table(found, out / "candidates.parquet", Candidates)
    content: dict[str, Any] = {name: sum(counts[name] for counts in done) for name in _COUNTED}
    content |= {"units": len(done), "of_units": len(units), "kept": len(found), "cascade": measured}
    content |= {"families": len(ordered), "seconds": round(time.monotonic() - started, 1)}
    content |= {"seconds_of_sample": round(prepared - started, 1)}
    write_json(content, out / "screening.json")
    return content


def ordered_families(ground: Ground, search: Search) -> list[Family]:
    """Families in random order, so that the first so many candidates are a fair part of all.

    Raises:
        LodestoneError: If no known crystal may have children.
    """
    tried = ground.state.attempts["decorated_prototype"].to_list()
    labels = ground.state.crystals["decorated_prototype"].to_list()
    found = families(labels, ground.parents(search), tried)
    if not found:
        raise LodestoneError(
            f"no known crystal lies within {search.parents:g} eV/atom of the hull and within the limits on sites and "
            "elements",
            "raise --parents, or discovery.max_sites and max_elements",
        )
    order = child_generator(search.seed, "screening", "order").permutation(len(found))
    return [found[index] for index in order]


def merged(units: Sequence[Unit], keep: int) -> pl.DataFrame:
    """The best candidates of some units; never more than twice what is kept are in memory."""
    found: pl.DataFrame | None = None
    for unit in units:
        if unit.path.is_file():
            part = pl.read_parquet(unit.path)
            found = part if found is None else best(pl.concat([found, part]), keep)
    if found is None:
        raise LodestoneError("no candidate passed the screening", "lower --least, or raise --parents")
    return best(found, keep)


def _units(search: Search, ordered: Sequence[Family], cascade: Cascade, folder: Path) -> list[Unit]:
    """Families in turn, until a unit has enough parents."""
    groups: list[list[Family]] = [[]]
    for family in ordered:
        if sum(len(one.parents) for one in groups[-1]) >= UNIT:
            groups.append([])
        groups[-1].append(family)
    return [Unit(search, group, cascade, folder / f"{number:05d}.parquet") for number, group in enumerate(groups)]


def _screened(units: Sequence[Unit], run: OnGround[Unit, Found], count: int | None) -> list[dict[str, int]]:
    """Counts of the units, in order, up to that in which the number of candidates is reached.

    Raises:
        LodestoneError: What one of them raised.
    """
    done = {unit.path.stem: read_json(unit.counts_path) for unit in units if unit.counts_path.is_file()}
    missing = {unit.path.stem: unit for unit in units if unit.path.stem not in done}
    if (enough := _first_enough(units, done, count)) is not None:
        return enough
    bar = progress_bar(count or len(units), "candidates screened" if count else "units screened")
    with bar:
        bar.update(sum(one["candidates"] for one in done.values()) if count else len(done))
        for outcome in run_each(run, missing, preload=("lodestone.screening.unit",)):
            done[outcome.key] = _kept(missing[outcome.key], outcome.result())
            bar.update(done[outcome.key]["candidates"] if count else 1)
            if (enough := _first_enough(units, done, count)) is not None:
                return enough
    return [done[unit.path.stem] for unit in units]


def _kept(unit: Unit, found: Found) -> dict[str, int]:
    """Counts of a unit, once its file is written."""
    if found.best is not None:
        write_table(found.best, unit.path)
    write_json(found.counts, unit.counts_path)  # last: it says that the unit is done
    return found.counts


def _first_enough(
    units: Sequence[Unit], done: Mapping[str, dict[str, int]], count: int | None
) -> list[dict[str, int]] | None:
    """Counts of the first units that have so many candidates, if all of them are done."""
    if count is None:
        return None
    total, first = 0, []
    for counts in _done_in_order(units, done):
        first.append(counts)
        total += counts["candidates"]
        if total >= count:
            return first
    return None


def _done_in_order(units: Sequence[Unit], done: Mapping[str, dict[str, int]]) -> Iterator[dict[str, int]]:
    for unit in units:
        if unit.path.stem not in done:
            return
        yield done[unit.path.stem]


def _refuse_other(search: Search, ground: Ground, out: Path) -> None:
    """See to it that a folder holds one search.

    Raises:
        LodestoneError: If it holds another one.
    """
    asked = {name: str(value) for name, value in asdict(search).items() if name != "count"}
    asked |= {"crystals": str(len(ground.state.crystals)), "rules": repr(ground.params.discovery)}
    path = out / "search.json"
    if not path.is_file():
        write_json(asked, path)
    before = read_json(path)
    changed = sorted(name for name in asked if before.get(name) != asked[name])
    if changed:
        raise LodestoneError(f"{out} holds another search: {', '.join(changed)} changed", "choose another --out")
