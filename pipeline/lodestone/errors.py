"""The one exception type whose message is written for users."""

from typing import Self


class LodestoneError(Exception):
    """An error with a known cause; its message says what is wrong and what to do about it.

    Args:
        problem: What is wrong; names the file, row or key.
        remedy: What the user can do about it.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}\n  -> {remedy}")
        self.problem = problem
        self.remedy = remedy

    def __reduce__(self) -> tuple[type[Self], tuple[str, str]]:
        """Pickle the problem and the remedy, so that an error raised in a worker process arrives intact."""
        return type(self), (self.problem, self.remedy)
