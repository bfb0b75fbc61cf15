"""What an oracle is: settings in, one verdict per crystal out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

from lodestone.crystals.crystal import Crystal


@dataclass(frozen=True)
class Label:
    """What an oracle said about one crystal.

    Attributes:
        status: ``"ok"`` or the reason why the result is refused.
        energy_per_atom: Total energy of the relaxed crystal, eV/atom; ``None`` unless ok.
        crystal: The relaxed crystal; ``None`` unless ok.
        n_steps: Relaxation steps taken.
        seconds: Wall-clock time; kept out of every versioned table.
    """

    status: str
    energy_per_atom: float | None
    crystal: Crystal | None
    n_steps: int
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether the relaxation ended in a crystal that can be believed."""
        return self.status == "ok"


@dataclass(frozen=True)
class RelaxationSettings:
    """Settings that change a label, and therefore its key in the store.

    Attributes:
        fmax: Largest residual force component norm, eV/Å.
        max_steps: Steps after which the relaxation counts as not converged.
        max_volume_change: Largest allowed ratio of volumes before and after, either way.
        min_distance_ratio: Smallest distance over the sum of covalent radii of two atoms.
        min_energy_per_atom: Energies below this are artefacts of the potential, eV/atom.
    """

    fmax: float = 0.05
    max_steps: int = 100
    max_volume_change: float = 2.0
    min_distance_ratio: float = 0.5
    min_energy_per_atom: float = -15.0

    def as_dict(self) -> dict[str, float | int]:
        """Settings as plain numbers."""
        return asdict(self)


class Oracle(Protocol):
    """A source of labels. Instances are small and picklable; models load on first use."""

    @property
    def name(self) -> str:
        """Name and version, as it stands in ``label_method``."""
        ...

    @property
    def settings(self) -> RelaxationSettings:
        """Settings that change a label."""
        ...

    def label(self, crystal: Crystal) -> Label:
        """Relax one crystal and return its energy, or the reason why there is none."""
        ...


Labeller = Callable[[Sequence[Crystal]], list[Label]]
