"""Compositions as rows of atomic fractions, and the chemical systems they belong to."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, combinations

import numpy as np

from lodestone.crystals.arithmetic import dot
from lodestone.crystals.elements import ATOMIC_NUMBERS, SYMBOLS

N_ELEMENTS = len(SYMBOLS)
SAME_FRACTIONS = 1e-9  # atomic fractions that differ by less are the same

Elements = tuple[int, ...]  # ascending atomic numbers


def elements_of(system: str) -> Elements:
    """Atomic numbers, ascending, of a chemical system by its name, as ``Cl-Na``, in any order."""
    return tuple(sorted({ATOMIC_NUMBERS[symbol] for symbol in system.split("-")}))


def atomic_fractions(atomic_numbers: Sequence[np.ndarray]) -> np.ndarray:
    """Atomic fractions of each crystal.

    Args:
        atomic_numbers: One array of atomic numbers per crystal.

    Returns:
        Shape ``(n, N_ELEMENTS)``, indexed by atomic number; rows sum to 1.
    """
    sizes = np.array([len(numbers) for numbers in atomic_numbers], dtype=np.intp)
    rows = np.repeat(np.arange(len(sizes)), sizes)
    columns = np.concatenate([np.asarray(numbers, dtype=np.intp) for numbers in atomic_numbers]) if len(sizes) else rows
    counts = np.bincount(rows * N_ELEMENTS + columns, minlength=len(sizes) * N_ELEMENTS)
    return counts.reshape(-1, N_ELEMENTS) / sizes[:, None]


def fractions_of_formulas(formulas: Iterable[str]) -> np.ndarray:
    """Atomic fractions of each formula, shape ``(n, N_ELEMENTS)``, indexed by atomic number; equal ones parsed once.

    Raises:
        ValueError: If a formula cannot be read, or names an element that does not exist.
    """
    from pymatgen.core import Composition

    names, inverse = np.unique(np.array(list(formulas), dtype=str), return_inverse=True)
    amounts = np.zeros((len(names), N_ELEMENTS))
    for row, formula in zip(amounts, names, strict=True):
        for symbol, amount in Composition(str(formula)).get_el_amt_dict().items():
            row[ATOMIC_NUMBERS[symbol]] = amount
    return np.asarray((amounts / amounts.sum(axis=1, keepdims=True))[inverse])


def without_zeros(fractions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compositions as lists of the elements they contain.

    Args:
        fractions: Shape ``(n, N_ELEMENTS)``.

    Returns:
        Atomic numbers, ascending, then 0, and atomic fractions of these, both of shape ``(n, most elements)``.

    Raises:
        ValueError: If the shape is different.
    """
    if fractions.shape[1] != N_ELEMENTS:
        raise ValueError(f"compositions have {fractions.shape[1]} columns, not {N_ELEMENTS}")
    rows, columns = np.nonzero(fractions)
    sizes = np.bincount(rows, minlength=len(fractions))
    places = np.arange(len(rows)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    shape = len(fractions), int(sizes.max(initial=1))
    elements, amounts = np.zeros(shape, dtype=np.uint8), np.zeros(shape)
    elements[rows, places], amounts[rows, places] = columns, fractions[rows, columns]
    return elements, amounts


def weighted_sums(fractions: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Sum of atomic fraction times value over the elements of each composition, the same bits on every processor.

    Args:
        fractions: Shape ``(n, N_ELEMENTS)``.
        values: One finite number per element, shape ``(N_ELEMENTS,)``.

    Returns:
        Shape ``(n,)``.
    """
    elements, amounts = without_zeros(fractions)
    return dot(amounts, values[elements])


def chemical_systems(elements: np.ndarray) -> tuple[list[Elements], np.ndarray]:
    """The distinct chemical systems, and the index of the system of each composition.

    Args:
        elements: Atomic numbers as returned by :func:`without_zeros`.
    """
    order = np.lexsort(elements.T)
    first = np.ones(len(order), dtype=bool)
    first[1:] = (elements[order[1:]] != elements[order[:-1]]).any(axis=1)
    numbers = np.empty(len(order), dtype=np.intp)
    numbers[order] = np.cumsum(first) - 1
    distinct = elements[order[first]]
    sizes = np.count_nonzero(distinct, axis=1).tolist()
    return [tuple(row[:size]) for row, size in zip(distinct.tolist(), sizes, strict=True)], numbers


def rows_by_system(systems: list[Elements], numbers: np.ndarray, rows: np.ndarray) -> dict[Elements, np.ndarray]:
    """Group rows of the input of :func:`chemical_systems` by system, keeping their order."""
    order = np.argsort(numbers[rows], kind="stable")
    sizes = np.bincount(numbers[rows], minlength=len(systems))
    groups = np.split(rows[order], np.cumsum(sizes)[:-1]) if systems else []
    return {elements: group for elements, group in zip(systems, groups, strict=True) if len(group)}


def subsystems(elements: Elements) -> Iterator[Elements]:
    """The chemical system and all its subsystems, largest first."""
    return chain.from_iterable(combinations(elements, size) for size in range(len(elements), 0, -1))


def lowest_of_equals(fractions: np.ndarray, energies: np.ndarray) -> np.ndarray:
    """The row with the lowest energy for each composition (the first of a tie), ascending.

    Args:
        fractions: Shape ``(n, N_ELEMENTS)``.
        energies: Shape ``(n,)``.
    """
    direction = np.random.default_rng(0).random(N_ELEMENTS)  # maps each composition to a number to sort by
    names = np.round(weighted_sums(fractions, direction), 9)
    order = np.lexsort((np.arange(len(energies)), energies, names))
    first = np.ones(len(order), dtype=bool)
    alike = 1 + np.flatnonzero(np.diff(names[order]) == 0)
    first[alike] = (np.abs(fractions[order[alike]] - fractions[order[alike - 1]]) > SAME_FRACTIONS).any(axis=1)
    return np.sort(order[first])
