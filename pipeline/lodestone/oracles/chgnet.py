"""CHGNet 0.3.0 (Deng et al., Nat. Mach. Intell. 5, 1031 (2023)) as an oracle.

Its energies already include the MP2020 corrections, so they are comparable with each other and with nothing else.
"""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from lodestone.config.registry import ORACLES
from lodestone.config.sections import RelaxationParams
from lodestone.crystals.crystal import Crystal
from lodestone.oracles import sanity
from lodestone.oracles.base import Label, RelaxationSettings


@dataclass(frozen=True)
class CHGNetOracle:
    """Relaxes cell and positions with CHGNet, BFGS and the Frechet cell filter of ASE."""

    settings: RelaxationSettings = field(default_factory=RelaxationSettings)
    name: str = "chgnet-0.3.0"

    def label(self, crystal: Crystal) -> Label:
        """Relax one crystal; see :class:`lodestone.oracles.base.Oracle`."""
        began = time.perf_counter()
        status, energy, relaxed, n_steps = _relax(crystal, self.settings)
        return Label(status, energy, relaxed, n_steps, time.perf_counter() - began)


def _relax(crystal: Crystal, settings: RelaxationSettings) -> tuple[str, float | None, Crystal | None, int]:
    from ase.filters import FrechetCellFilter
    from ase.optimize import BFGS

    atoms = crystal.to_ase()
    atoms.calc = _calculator()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        optimizer = BFGS(FrechetCellFilter(atoms), logfile=None)  # type: ignore[arg-type]  # a filter acts as Atoms
        converged = False
        try:
            for done in optimizer.irun(fmax=settings.fmax, steps=settings.max_steps):
                energy = atoms.get_potential_energy() / len(atoms)
                current = Crystal.from_ase(atoms)
                reason = sanity.fault(crystal, current, energy, settings)
                if reason is not None:
                    return reason, None, None, optimizer.nsteps
                converged = bool(done)
        except (ValueError, RuntimeError, np.linalg.LinAlgError) as error:
            return f"failed: {type(error).__name__}: {error}"[:200], None, None, optimizer.nsteps
    if not converged:
        return "not_converged", None, None, optimizer.nsteps
    return "ok", float(energy), current, optimizer.nsteps


@ORACLES.register("chgnet-0.3.0", settings=RelaxationParams)
def make_chgnet(params: RelaxationParams) -> CHGNetOracle:
    """CHGNet 0.3.0; its model is loaded on first use."""
    return CHGNetOracle(RelaxationSettings(**params.model_dump(exclude={"name"})))


@lru_cache(maxsize=1)
def _calculator() -> Any:
    """The model, loaded once per process; one thread, so that labels do not depend on the number of cores."""
    import torch
    from chgnet.model import CHGNet
    from chgnet.model.dynamics import CHGNetCalculator

    torch.set_num_threads(1)
    model = CHGNet.load(model_name="0.3.0", use_device="cpu", verbose=False)
    return CHGNetCalculator(model, use_device="cpu")
