"""The one exception type that users are meant to read."""


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
