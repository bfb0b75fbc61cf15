"""DFT by GPAW (Mortensen et al., J. Chem. Phys. 160, 092503 (2024)) as an oracle: PBE in plane waves, small cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from lodestone.config.registry import ORACLES
from lodestone.config.sections import Count, Positive
from lodestone.errors import LodestoneError
from lodestone.oracles.base import TOO_LARGE, RejectedError, installed_versions
from lodestone.oracles.calculators.arguments import digest
from lodestone.oracles.calculators.imported import results_of
from lodestone.oracles.potential import Potential, RelaxationSettings
from lodestone.oracles.relaxation import Results

if TYPE_CHECKING:
    from ase import Atoms

_REMEDY = (
    "apt-get install g++ libxc-dev libopenblas-dev (or what your system calls them), then "
    "CC=g++ pip install 'lodestone-materials[gpaw]'"
)
_OF_THE_ENERGIES = {"cutoff", "kpoint_density", "smearing", "spin", "symmetry_tolerance"}


class GPAWSettings(RelaxationSettings):
    """How the equations of PBE are solved, how a crystal is relaxed, and which results are refused."""

    cutoff: float = Field(
        700.0,
        ge=200,
        description="of the plane waves, eV: at 520 the stress of MgO is 0.09 eV/Å3 off, and its energy 0.15 eV/atom",
    )
    kpoint_density: Positive = Field(
        4.0, description="k-points for each 1/Å of a reciprocal vector; 4 are the 64 Å3 of the Materials Project"
    )
    smearing: Positive = Field(
        0.05, description="width of the Fermi-Dirac distribution, eV; energies are extrapolated to none"
    )
    spin: Literal["none", "collinear"] = Field(
        "none",
        description="collinear: moments are free, and start parallel with those of the free atoms; twice as long",
    )
    symmetry_tolerance: float = Field(
        1e-3, ge=0, description="by which the point group that saves k-points is found, relative; 0: it is not used"
    )
    max_iterations: Count = Field(100, description="steps after which a density counts as not self-consistent")
    max_atoms: Count = Field(8, description="larger cells are rejected before anything is computed, and not stored")
    min_energy_per_atom: float = Field(
        -20.0, description="lower energies are artifacts, eV/atom; zero are spherical atoms without spin"
    )


@ORACLES.register("gpaw", settings=GPAWSettings)
class GPAWOracle(Potential):
    """Relaxes cell and positions by the forces and stresses of GPAW, in one process without MPI."""

    settings: GPAWSettings
    packages = ("ase", "gpaw", "gpaw-data", "numpy", "scipy")
    modules = (*Potential.modules, "gpaw")
    extra = "gpaw"

    @property
    def method(self) -> str:
        """Code, functional, and a hash of what the energies depend on: those of two cutoffs meet on no hull."""
        return f"gpaw-pbe-{digest(self.settings.model_dump(mode='json', include=_OF_THE_ENERGIES))}"

    @property
    def caveat(self) -> str:
        """What was solved, and what was left out."""
        kept = self.settings
        moments = {
            "none": "without spin, so that those of magnetic crystals are too high",
            "collinear": "with collinear spins that started parallel, so that other magnetic orders may lie lower",
        }
        return (
            f"Energies are DFT calculations for the functional PBE by GPAW (plane waves up to {kept.cutoff:g} eV, "
            f"{kept.kpoint_density:g} k-points for each 1/Å, {moments[kept.spin]}); they include no U, no dispersion "
            "and no corrections, and are not measurements."
        )

    @property
    def correction_scheme(self) -> str:
        """None."""
        return "none"

    @property
    def included_corrections(self) -> str | None:
        """None: the rules of correction schemes were fitted to energies of another code, in part with a U."""
        return None

    @cached_property
    def versions(self) -> Mapping[str, str]:
        """Versions of its packages; that of gpaw-data is that of the PAW setups.

        Raises:
            LodestoneError: If one is not installed.
        """
        return installed_versions(self.packages, self.settings.name, _REMEDY)

    def label_settings(self) -> dict[str, Any]:
        """All but the largest cell: what is too large is not stored, and what is not does not depend on it."""
        return {name: value for name, value in super().label_settings().items() if name != "max_atoms"}

    def evaluate(self, many: Sequence[Atoms], *, derivatives: bool = True) -> list[Results]:
        """Results of several crystals, one by one, without corrections; see :class:`Potential`.

        Raises:
            RejectedError: If one is too large, has an element without a setup, or does not become self-consistent.
        """
        for atoms in many:
            self._refuse(atoms)
        return [self._results(atoms, derivatives) for atoms in many]

    def _refuse(self, atoms: Atoms) -> None:
        if len(atoms) > self.settings.max_atoms:
            raise RejectedError(f"{TOO_LARGE}: {len(atoms)} atoms, at most {self.settings.max_atoms}")
        missing = sorted({symbol for symbol in atoms.symbols if not (_setups() / f"{symbol}.PBE.gz").exists()})
        if missing:
            raise RejectedError(f"no_setup: {', '.join(missing)}")

    def _results(self, atoms: Atoms, derivatives: bool) -> Results:
        from ase.data import ground_state_magnetic_moments
        from gpaw import ConvergenceError

        started = atoms.copy()
        if self.settings.spin == "collinear":
            started.set_initial_magnetic_moments(ground_state_magnetic_moments[atoms.numbers])
        try:
            return results_of(_calculator(self.settings), started, derivatives=derivatives)
        except ConvergenceError as error:
            problem = f"scf_not_converged: no self-consistent density after {self.settings.max_iterations} steps"
            raise RejectedError(problem) from error


def _calculator(settings: GPAWSettings) -> Any:
    """A new one for each state: none shares a density or plane waves with the last, so each has the full cutoff."""
    from gpaw import GPAW, PW, FermiDirac

    tolerance = settings.symmetry_tolerance
    return GPAW(
        mode=PW(settings.cutoff),
        xc="PBE",
        kpts={"density": settings.kpoint_density, "gamma": True},
        occupations=FermiDirac(settings.smearing),
        symmetry={"tolerance": tolerance} if tolerance else {"point_group": False},
        spinpol=settings.spin == "collinear",
        maxiter=settings.max_iterations,
        txt=None,
    )


def _setups() -> Path:
    """The folder of the PAW setups that the package gpaw-data ships.

    Raises:
        LodestoneError: If GPAW reads others, whose version nobody would know.
    """
    import gpaw
    import gpaw_data

    ours = Path(gpaw_data.__file__).parent / "setups"
    first = next((Path(path) for path in gpaw.setup_paths), None)
    if first is None or first.resolve() != ours.resolve():
        raise LodestoneError(
            f"GPAW takes its setups from {first}, not from the package gpaw-data", "unset GPAW_SETUP_PATH"
        )
    return ours
