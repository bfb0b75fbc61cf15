"""The interface of oracles: crystals in, labels out as they arrive (see docs/how-to/add-an-oracle.md)."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from lodestone.config.sections import OracleParams
from lodestone.crystals.crystal import Crystal
from lodestone.errors import LodestoneError

OUT_OF_MEMORY = "out_of_memory"
WORKER_DIED = "worker_died"
TIMED_OUT = "timed_out"
TOO_LARGE = "too_large"
STATIC_SUFFIX = "-static"  # ends the label method of crystals that are not relaxed, so that the two share no label


class RejectedError(Exception):
    """A crystal that an oracle rejects; its text becomes the status, as ``reason`` or ``reason: details``."""


@dataclass(frozen=True)
class Label:
    """An oracle's result for one crystal.

    Attributes:
        status: ``"ok"``, or why there is no result, as ``reason`` or ``reason: details``.
        energy_per_atom: Total energy of the relaxed crystal, eV/atom; ``None`` unless ok.
        crystal: The relaxed crystal; ``None`` unless ok.
        n_steps: Relaxation steps taken.
        seconds: Wall-clock time, measured by the pool; not in any versioned table.

    Raises:
        ValueError: If the label is ok but lacks a finite energy or a crystal.
    """

    status: str
    energy_per_atom: float | None = None
    crystal: Crystal | None = None
    n_steps: int = 0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        has_energy = self.energy_per_atom is not None and math.isfinite(self.energy_per_atom)
        if self.ok and not (has_energy and self.crystal is not None):
            raise ValueError(f"a label that is ok needs a finite energy and a crystal, not {self.energy_per_atom}")

    @property
    def ok(self) -> bool:
        """Whether the relaxation ended in a sound crystal."""
        return self.status == "ok"

    @property
    def needs_another_try(self) -> bool:
        """Whether memory ran out, so that the crystal may succeed alone."""
        return self.status in (OUT_OF_MEMORY, WORKER_DIED)

    @property
    def is_passing(self) -> bool:
        """Whether a limit of the machine or of the settings is at fault, not the crystal; never stored."""
        return self.needs_another_try or self.status.split(":")[0] in (TIMED_OUT, TOO_LARGE)


class Oracle(ABC):
    """A source of labels.

    An oracle is small and picklable: it is sent to worker processes and loads its model when it first labels. Any
    exception becomes a label with the reason, except a :class:`~lodestone.errors.LodestoneError`, which stops the
    campaign: raise one if the installation is at fault.

    Args:
        settings: Instance of the settings model it was registered with.

    Attributes:
        settings: The same.
        packages: Distributions that determine its numbers; another version gives another label.
        modules: Modules it imports when it first labels; imported once for all worker processes.
        extra: Extra of this package that installs them; empty if they are always there.
        caveat: Sentences that the report prints about its labels.
        at_once: Crystals of one call, if each core makes calls of its own.
        one_process: Whether it labels all crystals in one call in the stage's own process, as suits a cluster.
            Otherwise each core labels ``at_once`` crystals at a time in a single-threaded process.

    Examples:
        >>> import numpy as np
        >>> class SoftSpheres(Oracle):
        ...     caveat = "Energies are a joke."
        ...
        ...     def label(self, crystals):
        ...         for index, crystal in enumerate(crystals):
        ...             yield index, Label("ok", -1.0 / len(crystal), crystal)
        >>> oracle = SoftSpheres(OracleParams(name="soft-spheres"))
        >>> iron = Crystal(np.eye(3) * 2.0, [26], [[0, 0, 0]])
        >>> for index, label in oracle.label([iron]):
        ...     print(index, label.status, label.energy_per_atom)
        0 ok -1.0
        >>> oracle.facts()
        {'name': 'soft-spheres', 'settings': {}, 'versions': {}, 'caveat': 'Energies are a joke.'}
    """

    packages: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    extra: str = ""

    def __init__(self, settings: OracleParams) -> None:
        self.settings = settings

    @abstractmethod
    def label(self, crystals: Sequence[Crystal]) -> Iterator[tuple[int, Label]]:
        """Label crystals.

        Args:
            crystals: Any number; ``at_once`` at most, unless ``one_process``.

        Yields:
            Index of a crystal and its label, in any order, as soon as it is known. Missing ones count as failed.
        """

    @property
    @abstractmethod
    def caveat(self) -> str:
        """Limitations of its labels, in whole sentences; a class attribute is enough."""

    def static(self) -> Oracle:
        """The same oracle for crystals that stay as they are: energies without a relaxation, as labels of their own.

        Raises:
            LodestoneError: If it has none; an oracle that has overrides this.
        """
        raise LodestoneError(f"the oracle {self.name} relaxes every crystal", "let it: `lodestone audit --relax`")

    @property
    def name(self) -> str:
        """Name and version, as in ``label_method``."""
        return self.settings.name

    @property
    def correction_scheme(self) -> str | None:
        """Corrections of its energies, as in ``correction_scheme`` of a snapshot; ``None``: its name says it all."""
        return None

    @property
    def included_corrections(self) -> str | None:
        """Correction scheme that its energies follow, for the rules of `label.difference`; ``None``: not known."""
        return self.correction_scheme

    @property
    def at_once(self) -> int:
        """Crystals of one call on each core; see the class."""
        return 1

    @property
    def one_process(self) -> bool:
        """Whether one process labels all crystals; see the class."""
        return False

    @cached_property
    def versions(self) -> Mapping[str, str]:
        """Version of each of its packages. Builds for different processors (``2.13.0+cpu``) count as the same.

        Raises:
            LodestoneError: If one is not installed.
        """
        remedy = f"pip install 'lodestone-materials[{self.extra}]'" if self.extra else None
        return installed_versions(self.packages, self.settings.name, remedy)

    def label_settings(self) -> dict[str, Any]:
        """Settings that change a label; an oracle leaves out its settings that do not (a queue, a host)."""
        return self.settings.model_dump(mode="json", exclude={"name", "max_seconds"})

    def facts(self) -> dict[str, Any]:
        """Identity and caveat, for the report."""
        return {**self.identity(), "caveat": self.caveat}

    def identity(self) -> dict[str, Any]:
        """Everything about the oracle that changes a label."""
        return {"name": self.name, "settings": self.label_settings(), "versions": dict(self.versions)}


def installed_versions(packages: Iterable[str], oracle: str, remedy: str | None = None) -> dict[str, str]:
    """Version of each package that an oracle needs, without what tells builds apart.

    Args:
        packages: Their names.
        oracle: Who needs them.
        remedy: How they are installed; by default each by its name.

    Raises:
        LodestoneError: If one is not installed.
    """
    try:
        return {package: version(package).split("+")[0] for package in sorted(packages)}
    except PackageNotFoundError as error:
        raise LodestoneError(
            f"the oracle {oracle} needs the package {error.name}, which is not installed",
            remedy or f"pip install {error.name}",
        ) from error


Labeller = Callable[[Sequence[Crystal]], list[Label]]
