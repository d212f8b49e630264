"""What is archived of a page, so that its records can be read again without the system.

A page of one answer is archived as that answer came. One that several answers make is archived as a *bundle*, a JSON
object of media type ``BUNDLE``:

============  ===================================================================================================
``listed``    the answers that list the page's items, as they came
``items``     the items themselves, where no answer stands for just these: the rest of a list whose answer is
              archived with the page before
``told``      what the system told of each item when it was asked for it alone, in the order of the items, as it
              came; ``null`` where it told nothing. With neither ``listed`` nor ``items``: what it told of single
              dossiers that no list brought up
``problems``  why it told nothing, in the same order, where that is known
============  ===================================================================================================
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from connectors import json_text
from connectors.errors import BrokenAnswer
from connectors.http import Head

BUNDLE = "application/vnd.hosync.answers+json"
JSON = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A bundle, read; answers are values now. What it does not hold is ``None``."""

    listed: Sequence[Any] | None = None
    items: Sequence[Any] | None = None
    told: Sequence[Any] | None = None
    problems: Sequence[str | None] | None = None


def bundled(
    *,
    listed: Sequence[bytes] | None = None,
    items: Sequence[Any] | None = None,
    told: Sequence[bytes | None] | None = None,
    problems: Sequence[str | None] = (),
) -> bytes:
    """The bytes of a bundle. Answers are JSON as it came, without a byte order mark."""
    document: dict[str, Any] = {}
    if listed is not None:
        document["listed"] = [orjson.Fragment(answer) for answer in listed]
    if items is not None:
        document["items"] = items
    if told is not None:
        document["told"] = [None if answer is None else orjson.Fragment(answer) for answer in told]
    if any(problems):
        document["problems"] = problems
    return orjson.dumps(document)


def bundle(system: str, raw: bytes) -> Bundle:
    """A bundle from its bytes. Raises ``BrokenAnswer`` for anything else."""
    found = document(system, raw)
    if not isinstance(found, dict) or not found.keys() <= set(Bundle.__slots__):
        raise unreadable(system, "it is no bundle of answers")
    return Bundle(**found)


def document(system: str, raw: bytes) -> Any:
    """An archived JSON answer as a value. Raises ``BrokenAnswer``."""
    try:
        return json_text.loads(raw)
    except json_text.NotJson as error:
        problem = f"it is not valid JSON: {error}"
    raise unreadable(system, problem)


def head(system: str, media_type: str = JSON) -> Head:
    """Stands for the answer that an archived page came in, wherever parsing wants to name one."""
    return Head(system=system, where="the archived page", status=200, headers={"content-type": media_type})


def unreadable(system: str, problem: str) -> BrokenAnswer:
    """The error for a page that today's catalog entry does not fit."""
    return BrokenAnswer(
        system,
        f"an archived page cannot be read again: {problem}",
        "If the catalog entry describes the system otherwise than when the page was stored, look only at newer pages",
    )
