"""The exceptions whose messages are written for users."""

from typing import ClassVar, Self


class LodestoneError(Exception):
    """An error with a known cause; its message says what is wrong and what to do about it.

    Args:
        problem: What is wrong; names the file, row or key.
        remedy: What the user can do about it.

    Attributes:
        exit_code: How a process ends that stops because of it.
        word: How its message begins.
    """

    exit_code: ClassVar[int] = 1
    word: ClassVar[str] = "error"

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}\n  -> {remedy}")
        self.problem = problem
        self.remedy = remedy

    def __reduce__(self) -> tuple[type[Self], tuple[str, str]]:
        """Pickle the problem and the remedy, so that an error raised in a worker process arrives intact."""
        return type(self), (self.problem, self.remedy)


class WaitingError(LodestoneError):
    """No fault: the campaign cannot go on before somebody has done their part, and goes on from there.

    Its exit code is that of ``EX_TEMPFAIL`` in ``sysexits.h``: nothing is wrong, try again later.
    """

    exit_code = 75
    word = "waiting"
