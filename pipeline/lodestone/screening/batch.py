"""Children of one or several families as the networks take them, without a crystal object for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from math import cbrt
from typing import cast

import numpy as np
import torch

from lodestone.config.sections import StructureParams
from lodestone.crystals.chemistry import is_allowed
from lodestone.crystals.compositions import N_ELEMENTS, Elements
from lodestone.crystals.crystal import Crystal
from lodestone.crystals.elements import SYMBOLS
from lodestone.crystals.graph import OrbitGraph, orbit_graph
from lodestone.crystals.soundness import VOLUME_PER_ATOM
from lodestone.discovery.generators.base import Proposal
from lodestone.discovery.generators.substitution import provenance_of, relabel
from lodestone.models.base import ViewDataset
from lodestone.models.composition import CompositionDataset
from lodestone.models.layers import Ragged
from lodestone.models.structure import StructureDataset
from lodestone.screening.child_graphs import child_graphs
from lodestone.screening.families import Children, Family
from lodestone.screening.search import Ground
from lodestone.substitution.charges import is_charge_balanced
from lodestone.substitution.draw import Substitution
from lodestone.substitution.oxidation_states import ANIONS

_ANIONS = np.isin(np.array(SYMBOLS), list(ANIONS))


@dataclass(frozen=True)
class Batch:
    """Children of one family.

    Attributes:
        ground: What is known.
        family: Whose children they are.
        children: Which ones.
    """

    ground: Ground
    family: Family
    children: Children
    _datasets: dict[str, ViewDataset] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.children)

    def subset(self, rows: np.ndarray) -> Batch:
        """Some of them, by rows or by a mask; what views were shown already is not computed again."""
        places = torch.from_numpy(np.arange(len(self))[rows])
        shown = {view: dataset.subset(places) for view, dataset in self._datasets.items()}
        return Batch(self.ground, self.family, self.children.subset(rows), shown)

    def pieces(self, size: int) -> Iterator[Batch]:
        """All of them, at most so many at a time."""
        for start in range(0, len(self), size):
            yield self.subset(np.arange(start, min(start + size, len(self))))

    @cached_property
    def fractions(self) -> np.ndarray:
        """Atomic fractions, shape ``(n, N_ELEMENTS)``."""
        amounts, fractions = self.family.amounts, np.zeros((len(self), N_ELEMENTS))
        rows = np.arange(len(self))
        for column, share in enumerate(amounts / amounts.sum()):
            fractions[rows, self.children.elements[:, column]] = share
        return fractions

    @property
    def systems(self) -> list[Elements]:
        """Chemical systems."""
        return [tuple(row) for row in np.sort(self.children.elements, axis=1).tolist()]

    def obeying(self) -> Batch:
        """Those that the campaign would propose: of its chemistry, dense enough, and charge balanced if it asks so."""
        rules, elements = self.ground.rules, self.children.elements
        good = np.array([is_allowed({SYMBOLS[z] for z in row}, rules.filters) for row in elements], dtype=bool)
        least, most = VOLUME_PER_ATOM
        good &= (self._volumes >= least) & (self._volumes <= most)
        if rules.charge_rule is not None:
            rows = np.flatnonzero(good & _ANIONS[elements].any(axis=1))
            good[rows] = [self._is_balanced(row) for row in elements[rows].tolist()]
        return self.subset(good)

    @property
    def _volumes(self) -> np.ndarray:
        """Volumes per atom that the generator gives them, shape ``(n,)``, Å3."""
        shares, values = self.family.amounts / self.family.amounts.sum(), self.ground.volumes.values
        parents = [self._crystal(parent) for parent in range(len(self.family.parents))]
        now = np.array([crystal.volume / len(crystal) for crystal in parents])
        ratio = (values[self.children.elements] @ shares) / (values[self.family.elements] @ shares)[
            self.children.parent
        ]
        return np.asarray(now[self.children.parent] * ratio)

    def _is_balanced(self, elements: Sequence[int]) -> bool:
        ions = sorted(zip(elements, self.family.amounts.tolist(), strict=True))
        symbols, counts = tuple(SYMBOLS[z] for z, _ in ions), tuple(n for _, n in ions)
        rule = self.ground.rules.charge_rule
        return rule is None or is_charge_balanced(symbols, counts, rule)

    def dataset(self, view: str) -> ViewDataset:
        """As a view takes them, unrelaxed.

        Raises:
            KeyError: For another view than ``composition`` and ``structure``.
        """
        if view not in self._datasets:
            self._datasets[view] = {"composition": self._compositions, "structure": self._structures}[view]()
        return self._datasets[view]

    def _compositions(self) -> ViewDataset:
        order = np.argsort(self.children.elements, axis=1)
        elements = np.take_along_axis(self.children.elements, order, axis=1)
        shares = (self.family.amounts / self.family.amounts.sum()).astype(np.float32)[order]
        return CompositionDataset.restored(
            {f"numbers/{name}": value for name, value in _ragged(elements.astype(np.int64)).tensors().items()}
            | {f"fractions/{name}": value for name, value in _ragged(shares).tensors().items()}
        )

    def _structures(self) -> ViewDataset:
        params = cast("StructureParams", self.ground.ensemble.views["structure"].params)
        graphs: list[OrbitGraph] = [None] * len(self)  # type: ignore[list-item]
        for rows, parent in self._by_parent():
            crystal, found = self._crystal(parent), self._atoms(rows, parent)
            scales = self._scales(found, parent)
            made = child_graphs(crystal, found, scales, cutoff=params.cutoff, neighbors=params.neighbors)
            for row, graph in zip(rows, made, strict=True):
                graphs[row] = graph or orbit_graph(self.crystal(row), params.cutoff, params.neighbors)
        return StructureDataset.of_graphs(graphs, params, [True] * len(self))

    def _by_parent(self) -> list[tuple[np.ndarray, int]]:
        order = np.argsort(self.children.parent, kind="stable")
        groups = groupby(order.tolist(), key=lambda row: int(self.children.parent[row]))
        return [(np.array(list(rows)), parent) for parent, rows in groups]

    def _crystal(self, parent: int) -> Crystal:
        return self.ground.crystals[self.family.parents[parent]]

    def _atoms(self, rows: np.ndarray, parent: int) -> np.ndarray:
        """Atomic numbers of the atoms of children of one parent, shape ``(rows, atoms)``."""
        own = self.family.elements[parent]
        column = np.argmax(self._crystal(parent).atomic_numbers[:, None] == own[None, :], axis=1)
        return self.children.elements[rows][:, column]

    def _scales(self, atoms: np.ndarray, parent: int) -> np.ndarray:
        """Lengths of children over those of their parent, as the generator scales them; their atoms as above."""
        values = self.ground.volumes.values
        before = values[self._crystal(parent).atomic_numbers].sum()
        return np.array([cbrt(float(one)) for one in values[atoms].sum(axis=1) / before])

    def crystal(self, row: int) -> Crystal:
        """One child, as the generator `substitution` proposes it."""
        parent = self._crystal(int(self.children.parent[row]))
        return self.ground.volumes.rescale(parent, parent.with_elements(dict(self._replaced(row))))

    def proposals(self) -> list[tuple[str, Proposal]]:
        """All of them as the generator `substitution` proposes them, with its name."""
        table = self.ground.state.crystals
        names, labels = table["material_id"].to_list(), table["decorated_prototype"].to_list()
        return [("substitution", self._proposal(row, names, labels)) for row in range(len(self))]

    def _proposal(self, row: int, names: Sequence[str], labels: Sequence[str]) -> Proposal:
        place = int(self.family.parents[self.children.parent[row]])
        made = Substitution(place, self._replaced(row), float(self.children.probability[row]))
        label = relabel(labels[place], made.replacement)
        return Proposal(self.crystal(row), label, made.probability, provenance_of(names[place], made))

    def _replaced(self, row: int) -> tuple[tuple[int, int], ...]:
        own, new = self.family.elements[self.children.parent[row]], self.children.elements[row]
        return tuple((int(a), int(b)) for a, b in sorted(zip(own, new, strict=True)) if a != b)


def _ragged(rows: np.ndarray) -> Ragged:
    """Rows of one length as pieces."""
    sizes = torch.full((len(rows),), rows.shape[1], dtype=torch.long)
    values = torch.from_numpy(np.ascontiguousarray(rows).reshape(-1))
    return Ragged.restored({"values": values, "sizes": sizes, "starts": torch.cumsum(sizes, 0) - sizes})
