"""What the parameters of a listing probably mean, and values that fit a name: the same for OpenAPI and WSDL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType

from schemas.states import LABELS_VI, State
from sync.drafting import guesses
from sync.drafting.guesses import Guess, plain
from sync.errors import SyncError

STATE = "state"
MEANINGS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "since": ("updatedsince", "changedsince", "modifiedsince", "since", "updatedfrom", "capnhattu", "tuthoidiem",
                  "tungay", "fromdate"),
        "until": ("updateduntil", "until", "updatedto", "denngay", "denthoidiem", "todate"),
        "page": ("page", "pagenumber", "pageindex", "trang"),
        "size": ("size", "pagesize", "perpage", "limit", "sodong", "sodongmoitrang"),
        "offset": ("offset", "start", "skip"),
        "cursor": ("cursor", "pagetoken", "after", "continuationtoken"),
        "next_cursor": ("nextcursor", "nextpagetoken"),
        "next_url": ("next", "nexturl", "nextlink", "nextpage"),
        "total": ("total", "totalcount", "totalelements", "totalrecords", "tongso"),
    }
)  # fmt: skip


def meaning(name: str) -> str:
    """What a parameter or a field beside the records means; empty when its name says nothing."""
    return next((found for found, names in MEANINGS.items() if plain(name) in names), "")


def since_template(name: str, *, is_day: bool) -> str:
    """``{since}`` or ``{until}``, written as a day or as a moment."""
    return f"{{{name}:%Y-%m-%d}}" if is_day else f"{{{name}}}"


def at(found: Sequence[Guess]) -> dict[str, str]:
    """Where a record has its key and the time of its last change: keys of an entry's ``answer``."""
    known = {guess.field: guess for guess in found}
    answer: dict[str, str] = {}
    if key := known.get("source_id") or known.get("code"):
        answer["key"] = key.path
    if changed := known.get("changed_at"):
        answer["changed"] = changed.path
        if changed.formats[0] != "iso":
            answer["changed_format"] = changed.formats[0]
    return answer


def invented(name: str) -> str:
    """A text that a field of this name may hold; nobody's."""
    text = plain(name)
    if text in guesses.NAMES["code"]:
        return "H12.06-260105-0001"
    if text in guesses.NAMES["procedure_code"]:
        return "1.991202"
    if text in guesses.NAMES["agency_code"]:
        return "H12.06"
    if text in guesses.NAMES[STATE]:
        return LABELS_VI[State.PROCESSING]
    return "mẫu"


def chosen(document: str, names: Sequence[str], operation: str | None) -> int:
    """Which of the operations that list records is meant; raises ``SyncError`` that names them when that is not clear.

    ``names`` is not empty; ``operation`` is what the person said, if anything.
    """
    if operation is None:
        if len(names) == 1:
            return 0
        raise SyncError(
            f"Which operation of {document} lists the dossiers? Those with a list in their answer: {', '.join(names)}.",
            next_step="Say it by --operation.",
        )
    wanted = operation.strip().casefold()
    for index, name in enumerate(names):
        if name.casefold() == wanted:
            return index
    near = get_close_matches(operation, names, n=1)
    raise SyncError(
        f"{document} has no operation '{operation}' that answers with a list of records; those that do: "
        f"{', '.join(names)}.",
        next_step=f"Did you mean --operation '{near[0]}'?" if near else "Say one of them by --operation.",
    )
