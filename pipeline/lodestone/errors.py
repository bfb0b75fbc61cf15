"""The one exception type that users are meant to read."""

from typing import Self


class LodestoneError(Exception):
    """A fault with a known cause: says what is wrong and what to do about it.

    Args:
        problem: What is wrong; names the file, row or key.
        remedy: What the user can do about it.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}\n  -> {remedy}")
        self.problem = problem
        self.remedy = remedy

    def __reduce__(self) -> tuple[type[Self], tuple[str, str]]:
        """Pickled by its two parts: raised in a worker process, it arrives as itself."""
        return type(self), (self.problem, self.remedy)
