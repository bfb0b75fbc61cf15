"""The application: crystals are posted to ``/predict``, and answered as `lodestone predict --json` answers them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import TypeVar

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lodestone.prediction.answers import Answers
from lodestone.prediction.inputs import Queries
from lodestone.prediction.model import StabilityModel
from lodestone.prediction.phases import KnownPhases
from lodestone.prediction.table import prediction_table
from lodestone.prediction.text import as_json
from lodestone.schemas import INPUT_STRUCTURES
from lodestone.serving.access import Access, Guard
from lodestone.serving.batches import Batches
from lodestone.serving.faults import Fault, on_fault
from lodestone.serving.questions import Limits, Question, body_of, read_question

Named = TypeVar("Named", StabilityModel, KnownPhases)


def make_app(model: StabilityModel, phases: KnownPhases | None, access: Access, limits: Limits) -> Starlette:
    """An application of ASGI that predicts.

    Args:
        model: Who predicts.
        phases: What stability is measured against; ``None`` says nothing of it.
        access: Who may ask.
        limits: How much.
    """
    batches = Batches(partial(answer_together, named(model), named(phases) if phases else None))

    async def predict(request: Request) -> Response:
        content = await body_of(request, limits)
        media_type = request.headers.get("content-type", "")
        question = await run_in_threadpool(read_question, content, media_type, limits)
        answers = await batches.ask(question) if question.queries.good else None
        if answers is None or answers.table.is_empty():
            raise _nothing(question.queries if answers is None else Queries(unread=list(answers.unread)))
        return Response(as_json(answers), media_type="application/json")

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    return Starlette(
        routes=[Route("/predict", predict, methods=["POST"]), Route("/health", health)],
        middleware=[Middleware(Guard, access=access)],
        exception_handlers=dict.fromkeys((Fault, HTTPException, ClientDisconnect, Exception), on_fault),
    )


def named(source: Named) -> Named:
    """A model or phases under a name that tells nothing of the folders of this machine, as answers hold it."""
    path = Path(source.name)
    return replace(source, name=path.resolve().name) if path.exists() else source


def answer_together(model: StabilityModel, phases: KnownPhases | None, questions: Sequence[Question]) -> list[Answers]:
    """Answers to several questions: to each what it would have got by itself.

    Args:
        model: Who predicts.
        phases: All phases of the hull, on a scale that the model may be measured against.
        questions: What is asked.
    """
    answers: dict[int, Answers] = {}
    for structure in INPUT_STRUCTURES:
        chosen = [number for number, question in enumerate(questions) if question.input_structure == structure]
        queries = [model.answerable(questions[number].queries) for number in chosen]
        answers |= zip(chosen, _answers(model, phases, queries, structure), strict=True)
    return [answers[number] for number in range(len(questions))]


def _answers(
    model: StabilityModel, phases: KnownPhases | None, queries: Sequence[Queries], structure: str
) -> Iterable[Answers]:
    good = [query for some in queries for query in some.good]
    known = phases.within([query.chemsys for query in good]) if phases else None
    table = prediction_table(model.ensemble, good, known, structure)
    ends = accumulate(len(some.good) for some in queries)
    for some, end in zip(queries, ends, strict=True):
        own = known.within([query.chemsys for query in some.good]) if known else None
        yield Answers(model, own, table.slice(end - len(some.good), len(some.good)), some.unread)


def _nothing(queries: Queries) -> Fault:
    first, more = queries.unread[0], len(queries.unread) - 1
    others = f", and {more:,} more" if more else ""
    unread = [{"name": one.name, "reason": one.reason} for one in queries.unread]
    return Fault(422, f"nothing can be predicted: {first.name}: {first.reason}{others}", not_predicted=unread)
