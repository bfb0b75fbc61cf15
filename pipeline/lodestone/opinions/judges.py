"""The oracles that give second opinions, chosen by name or by a file with the section of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from lodestone.config.load import read_content
from lodestone.config.params import Params
from lodestone.config.registry import ORACLES
from lodestone.config.sections import OracleParams
from lodestone.crystals.crystal import Crystal
from lodestone.errors import LodestoneError
from lodestone.handover.energies import NOT_STATED, Energies
from lodestone.oracles.base import STATIC_SUFFIX, Label, Oracle
from lodestone.oracles.pool import label_all
from lodestone.oracles.registry import make_oracle
from lodestone.oracles.store import LabelStore
from lodestone.vasp.functionals import named_functionals

DEFAULT = ("sevennet", "chgnet-r2scan", "sevennet-mf-0-r2scan", "diep")
# Weights that are not the default of their oracle.
_VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "sevennet-0": {"name": "sevennet", "model": "SevenNet-0"},
    "sevennet-mf-0-pbe": {"name": "sevennet", "model": "SevenNet-MF-0", "modality": "PBE"},
    "sevennet-mf-0-r2scan": {"name": "sevennet", "model": "SevenNet-MF-0", "modality": "R2SCAN"},
}
# Only the last two change a label of a crystal that is not relaxed.
_USUAL = {
    "fmax": 0.05, "max_steps": 100, "max_volume_change": 2.0, "min_distance_ratio": 0.5, "min_energy_per_atom": -15.0,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Judge:
    """An oracle that gives second opinions.

    Attributes:
        name: Its label method, without the mark that nothing is relaxed.
        functional: What its energies stand for.
        oracle: It, for crystals as they are.
    """

    name: str
    functional: str
    oracle: Oracle

    @classmethod
    def of(cls, settings: OracleParams) -> Judge:
        """From the section of an oracle.

        Raises:
            LodestoneError: If it cannot label crystals as they are.
        """
        try:
            oracle = make_oracle(settings).static()
        except LodestoneError as error:
            remedy = "choose an oracle that can: a potential, or `ase`"
            problem = f"the oracle {settings.name} gives no second opinion: it cannot label crystals as they are"
            raise LodestoneError(problem, remedy) from error
        name = oracle.name.removesuffix(STATIC_SUFFIX)
        return cls(name=name, functional=_functional(name, oracle), oracle=oracle)

    def label(self, crystals: Sequence[Crystal], store: LabelStore) -> list[Label]:
        """Energies of crystals as they are; see :func:`lodestone.oracles.pool.label_all`."""
        return label_all(self.oracle, crystals, store, f"labelling by {self.name}")

    def facts(self) -> dict[str, Any]:
        """Identity, caveat and functional.

        Raises:
            LodestoneError: If a package that the oracle needs is not installed.
        """
        return self.oracle.facts() | {"functional": self.functional}


def chosen(words: Sequence[str] | None, campaign: str) -> list[Judge]:
    """The judges of a command line.

    Args:
        words: Names of oracles, and YAML files with the section `oracle` of one; ``None`` for the default, less the
            campaign's own.
        campaign: Label method of the campaign.

    Raises:
        LodestoneError: If one is unknown, not installed, stands twice, or is the campaign's own.
    """
    every = [Judge.of(settings_of(word)) for word in (DEFAULT if words is None else words)]
    judges = [judge for judge in every if words is not None or judge.name != campaign]
    names = [judge.name for judge in judges]
    if campaign in names:
        problem = f"{campaign} is the campaign's own oracle, whose opinion of its finds is no second one"
        raise LodestoneError(problem, f"choose another: {', '.join(_known())}")
    for name in names:
        if names.count(name) > 1:
            raise LodestoneError(f"the oracle {name} stands twice among those that are asked", "name each once")
    for judge in judges:
        judge.facts()  # whoever is not installed says so before anything is computed
    return judges


def judges_of(params: Params) -> list[Judge]:
    """Those of the parameters of a campaign; see :func:`chosen`."""
    return chosen(params.opinions.oracles, make_oracle(params.oracle).name.partition("//")[0])


def settings_of(word: str) -> OracleParams:
    """The settings of an oracle.

    Args:
        word: Its name, or a YAML file with its section `oracle`.

    Raises:
        LodestoneError: If it is unknown, or needs settings that are not stated.
    """
    is_file = word not in _known() and (Path(word).suffix in (".yaml", ".yml") or Path(word).is_file())
    section = _section(Path(word)) if is_file else _named(word)
    try:
        settings = ORACLES.choice("name", section)
    except ValueError as error:
        remedy = "correct it" if is_file else "state them in a YAML file with its section `oracle`, and name the file"
        raise LodestoneError(f"{word}: {_said(error)}", remedy) from error
    if not isinstance(settings, OracleParams):
        raise LodestoneError(f"{word}: the section oracle names no oracle", "give it a `name`")
    return settings


def _section(path: Path) -> Any:
    content = read_content(path)
    if not isinstance(content, dict) or set(content) != {"oracle"}:
        remedy = "it is written as in params.yaml: `oracle:`, and under it name and settings"
        raise LodestoneError(f"{path} is not one section `oracle`", remedy)
    return content["oracle"]


def _named(name: str) -> dict[str, Any]:
    """The section of an oracle that is given by its name: what it must be given has the usual values."""
    if name not in _known():
        close = get_close_matches(name, _known(), n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise LodestoneError(f"there is no oracle {name!r}", f"{hint}there are: {', '.join(_known())}, or a YAML file")
    section = dict(_VARIANTS.get(name, {"name": name}))
    fields = ORACLES[section["name"]].settings.model_fields
    return section | {key: value for key, value in _USUAL.items() if key in fields and fields[key].is_required()}


def _known() -> list[str]:
    return sorted({*ORACLES.names(), *_VARIANTS})


def _said(error: ValueError) -> str:
    """What a model of pydantic says, in one line."""
    faults: list[Any] = getattr(error, "errors", list)()
    told = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults[:5]]
    return "; ".join(told) or str(error)


def _functional(name: str, oracle: Oracle) -> str:
    """As the settings state it, or as the name of the method implies."""
    stated = getattr(oracle.settings, "functional", None)
    implied = Energies.of("oracle", {"name": name, "caveat": oracle.caveat}, {}).functional
    return "/".join(sorted(named_functionals(str(stated or implied)))) or NOT_STATED
