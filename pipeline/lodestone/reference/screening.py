"""Which decorations are worth a relaxation: networks trained on the reference set predict their distance to its hull.

The composition view judges all formulas, which is cheap; all views judge every decoration of the best of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from operator import itemgetter

import numpy as np
import polars as pl

from lodestone.crystals.compositions import atomic_fractions
from lodestone.crystals.crystal import Crystal
from lodestone.crystals.elements import ATOMIC_NUMBERS
from lodestone.crystals.soundness import why_unsound
from lodestone.ensemble.ensemble import Ensemble
from lodestone.models.inference import predict_members
from lodestone.reference.build import initial_crystal
from lodestone.reference.decorations import Decoration
from lodestone.reference.enumeration import Formula, formula_of
from lodestone.reference.prototypes import all_prototypes
from lodestone.reference.quotas import Quotas, most_of_element
from lodestone.reference.start import StartVolumes
from lodestone.runtime.chunks import chunks
from lodestone.runtime.executor import run_all
from lodestone.runtime.progress import track
from lodestone.stability.hull import ConvexHull

Decorations = Callable[[], Iterable[Decoration]]
_COMPOSITION = "composition"
_CHUNK = 2_000  # crystals predicted at once
_CROWDING = 3.0  # largest number of decorations of an element over that if all elements were used alike
_ALL = "all"
_SCHEMA = {
    "aflow_prototype": pl.String,
    "decoration": pl.String,
    "formula": pl.String,
    "chemsys": pl.String,
    "volume": pl.Float64,
    "energy_above_hull_pred": pl.Float64,
}


@dataclass(frozen=True)
class Screened:
    """What a screening saw.

    Attributes:
        table: Decorations that all views judged: prototype, decoration, formula, chemical system, volume of the cell at
            the start (Å3) and predicted distance to the hull (eV/atom).
        decorations: How many were enumerated.
        formulas: How many formulas they have.
    """

    table: pl.DataFrame
    decorations: int
    formulas: int


def screen(
    decorations: Decorations, known: pl.DataFrame, ensemble: Ensemble, hull: ConvexHull, most: int = 100_000
) -> Screened:
    """Predict how far decorations lie from the hull.

    Args:
        decorations: Called twice; gives the decorations that were not tried.
        known: The reference set, from which start volumes are learned.
        ensemble: Networks trained on it.
        hull: Its hull.
        most: About how many decorations all views judge: those of the formulas that the composition view puts lowest,
            none of which may crowd out the others: an element is there three times as often as if all were used
            alike, at most.
    """
    prototypes = all_prototypes()
    counts: Counter[Formula] = Counter(formula_of(prototypes[label], elements) for label, elements in decorations())
    chosen = _lowest_formulas(counts, ensemble, hull, most)
    kept = (item for item in decorations() if formula_of(prototypes[item[0]], item[1]) in chosen)
    judge = _Judge(StartVolumes.fit(known), ensemble, hull)
    tasks = {f"{number:09d}": chunk for number, chunk in enumerate(chunks(kept, _CHUNK))}
    done = run_all(judge, tasks, preload=("lodestone.reference.screening",))
    bar = track(done, total=len(tasks), title=f"screening, {_CHUNK:,} decorations each")
    tables = [table for _, table in sorted(bar, key=itemgetter(0))]
    return Screened(pl.concat([pl.DataFrame(schema=_SCHEMA), *tables]), counts.total(), len(counts))


def _lowest_formulas(counts: Counter[Formula], ensemble: Ensemble, hull: ConvexHull, most: int) -> set[Formula]:
    """The formulas with the lowest predicted distance to the hull; each number of elements gets an equal share."""
    by_size = {size: [formula for formula in counts if len(formula) == size] for size in sorted({*map(len, counts)})}
    share = most // max(len(by_size), 1)
    return {x for some in by_size.values() for x in _lowest(some, counts, ensemble, hull, share)}


def _lowest(
    formulas: list[Formula], counts: Counter[Formula], ensemble: Ensemble, hull: ConvexHull, most: int
) -> list[Formula]:
    """The lowest of some formulas that together have so many decorations."""
    distances = np.concatenate([_by_composition(chunk, ensemble, hull) for chunk in chunks(formulas, _CHUNK)])
    quotas, lowest, n_elements = Quotas(), [], len({symbol for formula in formulas for symbol, _ in formula})
    for formula in (formulas[row] for row in np.argsort(distances, kind="stable")):
        share = most_of_element(most, len(formula), n_elements, _CROWDING)
        kinds: dict[Hashable, float] = {_ALL: most, **{symbol: share for symbol, _ in formula}}
        if quotas.admit(kinds, counts[formula]):
            quotas.take(kinds, counts[formula])
            lowest.append(formula)
    return lowest


def _by_composition(formulas: list[Formula], ensemble: Ensemble, hull: ConvexHull) -> np.ndarray:
    """Predicted distance of each formula to the hull, shape ``(n,)``, eV/atom; all alike without such a view."""
    crystals = [_without_structure(formula) for formula in formulas]
    if _COMPOSITION not in ensemble.views:
        return np.zeros(len(formulas))
    energies = predict_members(ensemble.views[_COMPOSITION], crystals).mean(axis=0)
    return np.asarray(energies - hull.hull_energies(atomic_fractions([c.atomic_numbers for c in crystals])))


def _without_structure(formula: Formula) -> Crystal:
    numbers = [ATOMIC_NUMBERS[symbol] for symbol, amount in formula for _ in range(amount)]
    return Crystal(np.eye(3) * len(numbers), np.array(numbers), np.zeros((len(numbers), 3)))


@dataclass(frozen=True)
class _Judge:
    """What a process needs to predict how far decorations lie from the hull."""

    volumes: StartVolumes
    ensemble: Ensemble
    hull: ConvexHull

    def __call__(self, decorations: list[Decoration]) -> pl.DataFrame:
        pairs = [(item, start_crystal(item, self.volumes)) for item in decorations]
        sound = [(item, crystal) for item, crystal in pairs if why_unsound(crystal) is None]
        if not sound:
            return pl.DataFrame(schema=_SCHEMA)
        crystals = [crystal for _, crystal in sound]
        floor = self.hull.hull_energies(atomic_fractions([crystal.atomic_numbers for crystal in crystals]))
        distances = self.ensemble.predict(crystals, "unrelaxed").mean - floor
        prototypes = all_prototypes()
        rows = [
            (label, "-".join(elements), _text(formula_of(prototypes[label], elements)), "-".join(sorted(elements)))
            for (label, elements), _ in sound
        ]
        numbers = [(crystal.volume, float(d)) for crystal, d in zip(crystals, distances, strict=True)]
        return pl.DataFrame([(*a, *b) for a, b in zip(rows, numbers, strict=True)], schema=_SCHEMA, orient="row")


def start_crystal(item: Decoration, volumes: StartVolumes) -> Crystal:
    """A decorated prototype at its learned volume; at the guessed one where an element is new."""
    label, elements = item
    prototype = all_prototypes()[label]
    crystal = prototype.decorate(elements)
    volume = volumes.volume(label, crystal)
    return initial_crystal(prototype, elements) if volume is None else crystal.scaled_to(volume)


def _text(formula: Formula) -> str:
    return "".join(f"{symbol}{amount}" for symbol, amount in formula)
