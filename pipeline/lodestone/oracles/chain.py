"""Two oracles as one: a cheap one relaxes a crystal, and a strong one gives the energy of what it was relaxed to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field, SerializeAsAny, WithJsonSchema, field_validator

from lodestone.config.registry import ORACLES
from lodestone.config.sections import OracleParams
from lodestone.crystals.crystal import Crystal
from lodestone.errors import LodestoneError
from lodestone.oracles.attempt import reason
from lodestone.oracles.base import Label, Oracle
from lodestone.oracles.registry import make_oracle

Link = Annotated[SerializeAsAny[OracleParams], WithJsonSchema({"type": "object"})]
RELAX, JUDGE = "relax", "judge"


class ChainSettings(OracleParams):
    """Which oracle relaxes, and which one gives the energy."""

    relax: Link = Field(description="section of the oracle that relaxes: its name and its settings")
    judge: Link = Field(
        description="section of the oracle that gives the energies, without relaxing further: its name and its settings"
    )

    @field_validator(RELAX, JUDGE, mode="before")
    @classmethod
    def _by_the_oracle(cls, content: Any) -> Any:
        """By the model of the oracle that is named."""
        return ORACLES.choice("name", content)

    @field_validator(RELAX, JUDGE)
    @classmethod
    def _can_be_linked(cls, link: OracleParams) -> OracleParams:
        if "oracle" not in link.scales:
            raise ValueError(f"{link.name} computes nothing itself, and cannot be part of a chain")
        if link.max_seconds is not None:
            raise ValueError("max_seconds is that of the whole chain: state it there")
        return link


@ORACLES.register("chain", settings=ChainSettings)
class ChainOracle(Oracle):
    """Relaxes by one oracle and judges by another, as E(judge) // relax is written for energies in the literature.

    Raises:
        LodestoneError: If the judge cannot label crystals as they are.
    """

    settings: ChainSettings

    def __init__(self, settings: ChainSettings) -> None:
        super().__init__(settings)
        self._relax, self._strong = make_oracle(settings.relax), make_oracle(settings.judge)
        self._judge = _static(self._strong)
        self.packages = tuple(sorted({*self._relax.packages, *self._judge.packages}))
        self.extra = self._relax.extra or self._judge.extra
        self.modules = tuple(dict.fromkeys([*_modules(self._relax), *_modules(self._judge)]))

    @property
    def name(self) -> str:
        """The judge, whose energies they are, and what relaxed."""
        return f"{self._strong.name}//{self._relax.name}"

    @property
    def caveat(self) -> str:
        """That of the judge, and what relaxed."""
        return (
            f"{self._strong.caveat} The crystals were relaxed by another oracle, {self._relax.name}, and not further: "
            "their energies are not the lowest of the judge."
        )

    @property
    def correction_scheme(self) -> str | None:
        """That of the judge."""
        return self._strong.correction_scheme

    @property
    def included_corrections(self) -> str | None:
        """Those of the judge."""
        return self._strong.included_corrections

    @property
    def at_once(self) -> int:
        """As many as the oracle that relaxes takes."""
        return self._relax.at_once

    @property
    def one_process(self) -> bool:
        """If either needs it."""
        return self._relax.one_process or self._judge.one_process

    def static(self) -> Oracle:
        """The judge's."""
        return self._judge

    def label_settings(self) -> dict[str, Any]:
        """The identities of both."""
        return {RELAX: self._relax.identity(), JUDGE: self._judge.identity()}

    def label(self, crystals: Sequence[Crystal]) -> Iterator[tuple[int, Label]]:
        """Relax each, and judge it; a label that fails says in which of the two."""
        for index, relaxed in _labels(self._relax, crystals):
            judged = self._judged(relaxed.crystal) if relaxed.crystal is not None else _failed(RELAX, relaxed)
            yield index, replace(judged, n_steps=relaxed.n_steps)

    def _judged(self, crystal: Crystal) -> Label:
        label = dict(_labels(self._judge, [crystal])).get(0, Label("failed: the oracle gave no label"))
        return label if label.ok else _failed(JUDGE, label)


def _labels(oracle: Oracle, crystals: Sequence[Crystal]) -> Iterator[tuple[int, Label]]:
    """Labels of crystals; if an oracle raises for one alone, a label that says why."""
    try:
        yield from oracle.label(crystals)
    except LodestoneError:
        raise
    except Exception as error:  # an oracle may raise anything
        if len(crystals) > 1:
            raise  # each is then tried alone
        yield 0, Label(reason(error))


def _failed(step: str, label: Label) -> Label:
    """The same, which says where; a fault of the machine is known by its name and stays as it is."""
    return label if label.is_passing else replace(label, status=f"{step}_{label.status}")


def _static(judge: Oracle) -> Oracle:
    try:
        return judge.static()
    except LodestoneError as error:
        raise LodestoneError(
            f"oracle.judge: {judge.name} cannot label crystals as they are",
            "choose a judge that can, or let it relax, too: as the oracle, without a chain",
        ) from error


def _modules(oracle: Oracle) -> tuple[str, ...]:
    return (type(oracle).__module__, *oracle.modules)
