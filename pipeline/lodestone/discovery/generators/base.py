"""What a generator is: known crystals in, proposals out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import polars as pl

from lodestone.crystals.compositions import elements_of
from lodestone.crystals.crystal import Crystal
from lodestone.crystals.symmetry import symmetry_of
from lodestone.substitution.charges import ChargeRule

JudgeFormulas = Callable[[Sequence[Crystal]], np.ndarray]


@dataclass(frozen=True)
class Proposal:
    """A candidate before screening.

    Attributes:
        crystal: Unrelaxed.
        label: Decorated prototype, which identifies a candidate (:mod:`lodestone.crystals.symmetry`).
        weight: How likely the generator considers it; comparable only among proposals of one generator.
        provenance: Where it comes from, in the generator's own terms, e.g. ``{"parent": "mp-1"}``.
    """

    crystal: Crystal
    label: str
    weight: float = 1.0
    provenance: Mapping[str, str | int | float] = field(default_factory=dict)

    @classmethod
    def of(cls, crystal: Crystal, weight: float = 1.0, **provenance: str | int | float) -> Proposal:
        """A proposal labelled by a symmetry search, for generators that do not know the label."""
        return cls(crystal, symmetry_of(crystal).decorated, weight, provenance)

    @property
    def provenance_text(self) -> str:
        """The provenance as stored in tables: JSON with sorted keys."""
        return json.dumps(self.provenance, sort_keys=True, allow_nan=False, ensure_ascii=False)


@dataclass(frozen=True)
class Unbuilt:
    """A structure that a generator tried to make, in vain; it is counted.

    Attributes:
        out_of_time: Whether it took too long; otherwise there was an error.
    """

    out_of_time: bool = False


@dataclass(frozen=True)
class Known:
    """What a generator starts from.

    The caller enforces the limits (:mod:`lodestone.discovery.proposals`) for all generators alike. A generator may read
    them to waste fewer ideas.

    Attributes:
        crystals: Known crystals (contract :class:`lodestone.schemas.Crystals`).
        elements: Elements that candidates may contain: those with a reference energy.
        max_sites: Maximum number of sites in the cell.
        max_elements: Maximum number of elements in a candidate.
        incomplete: Chemical systems, as ``Cl-Na``, whose hull lacks phases; propose in them and their subsystems first.
        charge_rule: Rule by which compounds with anions must be neutral; ``None`` if they need not be.
        judge_formulas: Predicts how far formulas lie above the hull, eV/atom, from crystals of which it reads only the
            elements and their numbers; ``None`` where no network is at hand. The random baseline of a round leaves out
            the proposals of a generator that asks.
    """

    crystals: pl.DataFrame
    elements: frozenset[str]
    max_sites: int
    max_elements: int
    incomplete: frozenset[str] = frozenset()
    charge_rule: ChargeRule | None = None
    judge_formulas: JudgeFormulas | None = None

    def incomplete_numbers(self) -> list[np.ndarray]:
        """The systems of :attr:`incomplete` as atomic numbers, in the order of their names."""
        return [np.array(elements_of(name)) for name in sorted(self.incomplete)]


class Generator(Protocol):
    """A source of candidates, registered in a file of its own.

    Proposals that are known, tried, repeated, outside the chemistry of the snapshot, too large or not charge balanced
    are dropped afterwards. It may stop after any number of proposals, but must stop.

    Examples:
        Every known crystal, stretched. A generator with settings passes their model to ``register``.

        >>> import numpy as np, polars as pl
        >>> from lodestone.config.discovery import GeneratorParams
        >>> from lodestone.config.registry import GENERATORS
        >>> from lodestone.crystals.encoding import decode, describe
        >>> @GENERATORS.register("stretched", settings=GeneratorParams)
        ... class Stretched:
        ...     def __init__(self, settings):
        ...         self.settings = settings
        ...     def propose(self, known, rng, limit):
        ...         for name, crystal in zip(known.crystals["material_id"], decode(known.crystals)):
        ...             yield Proposal.of(crystal.scaled_to(rng.uniform(1, 2) * crystal.volume), parent=name)
        >>> salt = Crystal(4.0 * np.eye(3), [55, 17], [[0, 0, 0], [0.5, 0.5, 0.5]])
        >>> crystals = describe([salt]).with_columns(material_id=pl.lit("mp-1"))
        >>> known = Known(crystals, frozenset({"Cs", "Cl"}), max_sites=8, max_elements=2)
        >>> (proposal,) = Stretched(GeneratorParams(name="stretched")).propose(known, np.random.default_rng(0), 10)
        >>> proposal.label, proposal.provenance_text
        ('cP2_221_Cl=1:m-3m_Cs=1:m-3m', '{"parent": "mp-1"}')
    """

    def propose(self, known: Known, rng: np.random.Generator, limit: int) -> Iterator[Proposal | Unbuilt]:
        """Yield candidates, better ones earlier on average.

        Args:
            known: What to start from.
            rng: Source of all randomness.
            limit: Maximum number of proposals kept; dropped ones do not count.
        """
        ...
