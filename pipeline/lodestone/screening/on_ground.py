"""Work that needs what a search reads, wherever it is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from lodestone.runtime.executor import chosen_executor
from lodestone.screening.search import Ground, Search, ground_of

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class OnGround(Generic[T, R]):
    """A function of a task, made from one of the ground and the task.

    Attributes:
        function: What is done.
        search: Which campaign processes of this machine read, once each.
        ground: What it reads, for processes of other machines, to which it travels with the function, once each.
    """

    function: Callable[[Ground, T], R]
    search: Search
    ground: Ground | None

    @classmethod
    def of(cls, function: Callable[[Ground, T], R], search: Search, ground: Ground) -> OnGround[T, R]:
        """For the executor that the environment names.

        Raises:
            LodestoneError: If it names none; see :func:`lodestone.runtime.executor.chosen_executor`.
        """
        sent = None if chosen_executor() is None else Ground(ground.params, ground.state, ground.ensemble)
        return cls(function, search, sent)

    def __call__(self, task: T) -> R:
        """Do it."""
        return self.function(self.ground or ground_of(self.search), task)
