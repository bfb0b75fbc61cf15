"""What is asked: the body of a request as queries, within limits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request

from lodestone.errors import LodestoneError
from lodestone.prediction.inputs import MOST_SITES, Queries, Query, Unread, checked, distinct, formula_query, is_formula
from lodestone.schemas import INPUT_STRUCTURES
from lodestone.serving.faults import Fault
from lodestone.snapshot.files.objects import crystal_of
from lodestone.snapshot.structures import UnreadableStructureError

_JSON, _CIF = "application/json", "chemical/x-cif"
_KEYS = ("crystals", "input_structure")
_LONGEST_NAME = 200


@dataclass(frozen=True)
class Limits:
    """How much one request may ask for.

    Attributes:
        megabytes: Of its body, in 10⁶ bytes.
        crystals: In it.
        sites: Atoms in the cell of a crystal.
        seconds: Until the body must have come.
    """

    megabytes: int = 16
    crystals: int = 1000
    sites: int = MOST_SITES
    seconds: float = 30.0


@dataclass(frozen=True)
class Question:
    """The crystals of one request.

    Attributes:
        queries: What can be predicted, and what cannot.
        input_structure: ``relaxed`` or ``unrelaxed``, of all of them.
    """

    queries: Queries
    input_structure: str = "relaxed"


async def body_of(request: Request, limits: Limits) -> bytes:
    """The body of a request.

    Raises:
        Fault: If it is too large or too slow (413, 408).
    """
    most = limits.megabytes * 10**6
    too_large = Fault(413, f"the request is larger than {limits.megabytes} MB; send fewer crystals at a time")
    declared = request.headers.get("content-length", "0")
    if not declared.isdigit() or int(declared) > most:
        raise too_large
    content = bytearray()
    try:
        async with asyncio.timeout(limits.seconds):
            async for piece in request.stream():
                content += piece
                if len(content) > most:
                    raise too_large
    except TimeoutError:
        raise Fault(408, f"the request did not come within {limits.seconds:g} s") from None
    return bytes(content)


def read_question(content: bytes, media_type: str, limits: Limits) -> Question:
    """What a body asks.

    Args:
        content: JSON with a list ``crystals``, or one CIF.
        media_type: Header ``Content-Type``.
        limits: How much it may ask for.

    Raises:
        Fault: If it is no such thing (400, 415, 422), or asks for too much (413). Crystals that cannot be read are no
            fault as long as there are others.
    """
    kind = media_type.partition(";")[0].strip().lower()
    if kind not in (_JSON, _CIF):
        raise Fault(415, f"content-type must be {_JSON} or {_CIF}")
    try:
        text = content.decode("utf-8-sig")
        asked = {"crystals": [text]} if kind == _CIF else json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Fault(400, f"the body is no {'UTF-8 text' if kind == _CIF else 'JSON'}: {_line(error)}") from None
    return _question(asked, limits)


def _question(asked: Any, limits: Limits) -> Question:
    if not isinstance(asked, Mapping) or not isinstance(asked.get("crystals"), list) or not asked["crystals"]:
        raise Fault(422, 'the body needs a list "crystals" with a CIF, POSCAR, structure or formula at least')
    if unknown := [key for key in asked if key not in _KEYS]:
        raise Fault(422, f"{unknown[0][:_LONGEST_NAME]!r} is no key of a request; {' and '.join(_KEYS)} are")
    structure, crystals = asked.get("input_structure", "relaxed"), asked["crystals"]
    if structure not in INPUT_STRUCTURES:
        raise Fault(422, f"input_structure must be {' or '.join(INPUT_STRUCTURES)}")
    if len(crystals) > limits.crystals:
        raise Fault(413, f"{len(crystals):,} crystals are more than {limits.crystals:,}; ask several times")
    queries = Queries()
    for place, crystal in enumerate(crystals):
        queries += _query(crystal, place, limits.sites)
    return Question(distinct(queries), structure)


def _query(content: Any, place: int, most_sites: int) -> Queries:
    """One crystal: itself, or a row with its name."""
    row = content if isinstance(content, Mapping) else {}
    given = str(row.get("material_id") or "")[:_LONGEST_NAME]
    content = row.get("structure") or row.get("formula") or content
    name = given or f"crystal {place}"
    try:
        if isinstance(content, str) and is_formula(content.strip()):
            formula = formula_query(content.strip())
            return Queries([replace(formula, name=given or formula.name)])
        return checked(Query(name, f"crystal {place}", crystal_of(content)), most_sites)
    except LodestoneError as error:
        return Queries(unread=[Unread(name, error.problem)])
    except UnreadableStructureError as error:
        return Queries(unread=[Unread(name, str(error))])


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
