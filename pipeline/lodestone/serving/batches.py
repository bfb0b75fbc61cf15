"""Questions that wait at the same time are answered together: networks take little longer for many than for one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from starlette.concurrency import run_in_threadpool

Asked = TypeVar("Asked")
Given = TypeVar("Given")


class Batches(Generic[Asked, Given]):
    """Answers, one batch at a time; whoever's turn it is answers for all that wait."""

    def __init__(self, answer: Callable[[Sequence[Asked]], Sequence[Given]], most: int = 32) -> None:
        """Prepare.

        Args:
            answer: Gives as many answers as it gets questions, in their order; never runs twice at a time.
            most: Questions in a batch.
        """
        self._answer = answer
        self._most = most
        self._waiting: deque[tuple[Asked, asyncio.Future[Given]]] = deque()
        self._turn = asyncio.Lock()

    async def ask(self, asked: Asked) -> Given:
        """The answer to one question.

        Raises:
            Exception: Whatever the question by itself makes ``answer`` raise; others in its batch are not affected.
        """
        given: asyncio.Future[Given] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, given))
        async with self._turn:
            while not given.done():
                await self._answer_some()
        return given.result()

    async def _answer_some(self) -> None:
        some = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
        outcomes = await run_in_threadpool(self._outcomes, [asked for asked, _ in some])
        for (_, given), outcome in zip(some, outcomes, strict=True):
            if isinstance(outcome, Exception):
                given.set_exception(outcome)
            else:
                given.set_result(outcome)

    def _outcomes(self, asked: Sequence[Asked]) -> list[Given | Exception]:
        try:
            return list(self._answer(asked))
        except Exception as error:
            return [error] if len(asked) == 1 else [outcome for one in asked for outcome in self._outcomes([one])]
