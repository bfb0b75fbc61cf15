"""Why a run of VASP gives no energy."""

from __future__ import annotations

from typing import ClassVar


class UnreadableRunError(ValueError):
    """A run that is damaged, cut short, or without an energy; says why, to follow the name of the file.

    Attributes:
        kind: What is wrong, in one word.
    """

    kind: ClassVar[str] = "unreadable"

    @property
    def details(self) -> str:
        """What else there is to say."""
        return str(self)


class NotConvergedError(UnreadableRunError):
    """A run that has ended without convergence.

    Args:
        which: ``electrons`` or ``ions``.
    """

    kind = "not_converged"

    def __init__(self, which: str) -> None:
        super().__init__(f"is not converged ({which}): continue the run, or leave it out")
        self._which = which

    @property
    def details(self) -> str:
        """What has not converged."""
        return self._which


class MisfitError(UnreadableRunError):
    """A run of another functional than it should be, or that a correction scheme is not for."""

    kind = "does_not_fit"


class FailedError(UnreadableRunError):
    """A run that custodian has given up; says why."""

    kind = "vasp_failed"
