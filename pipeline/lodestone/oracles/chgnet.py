"""CHGNet 0.3.0 (Deng et al., Nat. Mach. Intell. 5, 1031 (2023)) as an oracle."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from lodestone.config.registry import ORACLES
from lodestone.oracles.device import make_ready, named_device
from lodestone.oracles.potential import Potential, RelaxationSettings
from lodestone.oracles.relaxation import Results

if TYPE_CHECKING:
    from ase import Atoms

    from lodestone.oracles.calculators.chgnet import OneDerivative

WIDTH = 64  # crystals that a process relaxes at once on a GPU


class CHGNetSettings(RelaxationSettings):
    """How CHGNet relaxes a crystal, and which results are refused."""


@ORACLES.register("chgnet-0.3.0", settings=CHGNetSettings)
class CHGNetOracle(Potential):
    """Relaxes cell and positions with CHGNet.

    Runs on the CPU, one crystal per core, unless ``LODESTONE_DEVICE`` names another device (``auto`` does not), so that
    labels do not depend on whether a machine has a GPU. There each core prepares many crystals, which are relaxed in
    lockstep.

    Attributes:
        weights: Which of those that the package ships, by the name that it gives them.
    """

    weights = "0.3.0"
    packages = ("ase", "chgnet", "numpy", "pymatgen", "torch")
    modules = (*Potential.modules, "lodestone.oracles.calculators.chgnet")
    caveat = (
        "Energies are predictions of CHGNet 0.3.0, a machine-learned interatomic potential, not DFT calculations and "
        "not measurements; they already include the MP2020 corrections."
    )

    @property
    def included_corrections(self) -> str | None:
        """Those of the energies that it has learned."""
        return "MP2020"

    @property
    def width(self) -> int:
        """One on a core, which gains nothing from several."""
        return 1 if named_device() == "cpu" else WIDTH

    @property
    def at_once(self) -> int:
        """Crystals of a call: on a GPU several times as many as are relaxed in lockstep."""
        return 1 if named_device() == "cpu" else 4 * WIDTH

    def evaluate(self, many: Sequence[Atoms], *, derivatives: bool = True) -> list[Results]:
        """Results of several crystals; see :class:`lodestone.oracles.potential.Potential`."""
        return _network(named_device(), self.weights).evaluate(many, derivatives=derivatives)


@lru_cache(maxsize=2)  # a chain has two
def _network(device: str, weights: str) -> OneDerivative:
    """A model, loaded once per process, on one thread so that labels do not depend on the number of cores."""
    from chgnet.model import CHGNet

    from lodestone.oracles.calculators.chgnet import OneDerivative

    make_ready(device)
    model = CHGNet.load(model_name=weights, use_device=device, verbose=False)
    return OneDerivative(model, device)
