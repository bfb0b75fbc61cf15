"""CHGNet 0.3.0 (Deng et al., Nat. Mach. Intell. 5, 1031 (2023)) as an oracle."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from pydantic import Field

from lodestone.config.registry import ORACLES
from lodestone.config.sections import Count, OracleParams, Positive
from lodestone.crystals.crystal import Crystal
from lodestone.errors import LodestoneError
from lodestone.oracles import sanity
from lodestone.oracles.base import Label, Oracle
from lodestone.oracles.relaxation import relax_all

if TYPE_CHECKING:
    from lodestone.oracles.calculators.chgnet import OneDerivative

WIDTH = 64  # crystals that a process relaxes at once on a GPU


class CHGNetSettings(OracleParams):
    """How CHGNet relaxes a crystal, and which results are refused."""

    fmax: Positive = Field(description="largest residual force, eV/Å")
    max_steps: Count = Field(description="steps after which a relaxation counts as failed")
    max_volume_change: float = Field(gt=1, description="largest ratio of volumes before and after")
    min_distance_ratio: Positive = Field(description="shortest distance over the sum of covalent radii")
    min_energy_per_atom: float = Field(description="lower energies are artifacts, eV/atom")


@ORACLES.register("chgnet-0.3.0", settings=CHGNetSettings)
class CHGNetOracle(Oracle):
    """Relaxes cell and positions with CHGNet, BFGS and the Frechet cell filter of ASE.

    Runs on the CPU, one crystal per core, unless ``LODESTONE_DEVICE`` names another device (``auto`` does not), so that
    labels do not depend on whether a machine has a GPU. There each core prepares many crystals, which are relaxed in
    lockstep.
    """

    settings: CHGNetSettings
    packages = ("ase", "chgnet", "numpy", "pymatgen", "torch")
    modules = ("ase.filters", "ase.optimize", "lodestone.oracles.calculators.chgnet")
    caveat = (
        "Energies are predictions of CHGNet 0.3.0, a machine-learned interatomic potential, not DFT calculations and "
        "not measurements; they already include the MP2020 corrections."
    )

    @property
    def included_corrections(self) -> str:
        """Those of the energies that it has learned."""
        return "MP2020"

    @property
    def at_once(self) -> int:
        """Crystals of a call: on a GPU several times as many as are relaxed in lockstep."""
        return 1 if _device() == "cpu" else 4 * WIDTH

    def static(self) -> StaticCHGNetOracle:
        """CHGNet's energies of crystals as they are."""
        return StaticCHGNetOracle(self.settings)

    def label(self, crystals: Sequence[Crystal]) -> Iterator[tuple[int, Label]]:
        """Relax crystals, on a GPU many at once; see :class:`lodestone.oracles.base.Oracle`."""
        limits = self.settings.model_dump(include={"max_volume_change", "min_distance_ratio", "min_energy_per_atom"})
        evaluate, fault = _network(_device()).evaluate, partial(sanity.fault, **limits)
        width = 1 if _device() == "cpu" else WIDTH
        fmax, max_steps = self.settings.fmax, self.settings.max_steps
        yield from relax_all(crystals, evaluate, fault, fmax=fmax, max_steps=max_steps, width=width)


class StaticCHGNetOracle(CHGNetOracle):
    """Energies by CHGNet of crystals as they are: never below what :class:`CHGNetOracle` relaxes them to."""

    @property
    def name(self) -> str:
        """That of the oracle that relaxes, marked, so that the two share no label."""
        return f"{super().name}-static"

    def label_settings(self) -> dict[str, Any]:
        """What does not concern a relaxation."""
        kept = ("min_distance_ratio", "min_energy_per_atom")
        return {name: value for name, value in super().label_settings().items() if name in kept}

    def label(self, crystals: Sequence[Crystal]) -> Iterator[tuple[int, Label]]:
        """One energy for each crystal; see :class:`lodestone.oracles.base.Oracle`."""
        limits = self.label_settings()
        for index, crystal in enumerate(crystals):
            atoms = crystal.to_ase()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                [results] = _network(_device()).evaluate([atoms], derivatives=False)
            energy = results["energy"] / len(atoms)
            reason = sanity.fault(crystal, crystal, energy, **limits)
            yield index, Label("ok", energy, crystal) if reason is None else Label(reason)


def _device() -> str:
    """``$LODESTONE_DEVICE``; the CPU if that is unset or ``auto``."""
    device = os.environ.get("LODESTONE_DEVICE", "")
    return "cpu" if device in ("", "auto") else device


@lru_cache(maxsize=1)
def _network(device: str) -> OneDerivative:
    """The model, loaded once per process, on one thread so that labels do not depend on the number of cores."""
    import torch
    from chgnet.model import CHGNet

    from lodestone.oracles.calculators.chgnet import OneDerivative

    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not available.get(device):
        raise LodestoneError(
            f"LODESTONE_DEVICE is {device!r}, which this machine or this build of torch does not have",
            f"set it to one of {', '.join(name for name, present in available.items() if present)}, or unset it",
        )
    if device == "cpu":
        torch.set_num_threads(1)
    model = CHGNet.load(model_name="0.3.0", use_device=device, verbose=False)
    return OneDerivative(model, device)
