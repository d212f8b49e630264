"""From one page of a listing to the next: pure steps, one function per kind of paging.

A listing must not look complete when it is not: where the system tells a total, fewer records are an error, never a
shorter list; a token or a link that comes a second time leads in a circle.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from requests.utils import parse_header_links

from connectors.errors import BrokenAnswer, ConnectorError, Repeated
from connectors.options.rest import CursorToken, LinkHeader, NextUrl, NoPaging, Offset, PageNumber, Paging
from connectors.rest.calls import Link
from connectors.values import value_at


@dataclass(frozen=True, slots=True)
class Step:
    """One page to ask for: what fills the placeholders, or where a link leads. ``been``: tokens and links so far."""

    values: Mapping[str, Any]
    link: Link | None = None
    been: frozenset[str] = field(default=frozenset(), repr=False)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a page turned out to be. ``arrived``: the records of the listing so far, this page's among them."""

    system: str
    where: str
    document: Any = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    count: int
    arrived: int
    total: int | None

    def broken(self, problem: str, fix: str = "If this stays, tell the owner of the system") -> ConnectorError:
        """The error for a page that contradicts itself."""
        return BrokenAnswer(self.system, f"{self.where}: {problem}", fix)


def first(paging: Paging, size: int) -> Step:
    """Where a listing begins."""
    page = paging.first if isinstance(paging, PageNumber) else 1
    offset = paging.first if isinstance(paging, Offset) else 0
    return Step({"page": page, "offset": offset, "end": offset + size, "size": size, "cursor": ""})


def following(paging: Paging, step: Step, seen: Seen, size: int) -> Step | None:
    """The next page, ``None`` after the last. Raises ``BrokenAnswer`` and ``Repeated``."""
    match paging:
        case NoPaging():
            after = None
        case PageNumber():
            after = _next_number(paging, step, seen, size)
        case Offset():
            after = _next_offset(paging, step, seen, size)
        case CursorToken():
            after = _next_token(paging, step, seen)
        case LinkHeader():
            after = _next_link(step, seen, _link_header(seen), query_only=paging.query_only)
        case NextUrl():
            after = _next_link(step, seen, value_at(seen.document, paging.at), query_only=paging.query_only)
    if after is None and seen.total is not None and seen.arrived < seen.total:
        raise seen.broken(f"the listing ends after {seen.arrived} records, yet {seen.total} are announced")
    return after


def _next_number(paging: PageNumber, step: Step, seen: Seen, size: int) -> Step | None:
    if paging.last is not None:
        last = value_at(seen.document, paging.last)
        if not isinstance(last, bool):
            raise seen.broken(f"'{paging.last}' does not say whether this is the last page")
        if last:
            return None
        if not seen.count:
            raise seen.broken("the page is empty, yet not the last")
    elif _at_end(seen, size):
        return None
    return replace(step, values={**step.values, "page": step.values["page"] + 1})


def _next_offset(paging: Offset, step: Step, seen: Seen, size: int) -> Step | None:
    if _at_end(seen, size):
        return None
    # By what came, not by what was asked for: a system that gives less than asked must not lose the difference.
    offset = paging.first + seen.arrived
    return replace(step, values={**step.values, "offset": offset, "end": offset + size})


def _at_end(seen: Seen, size: int) -> bool:
    """By the total where there is one; an empty page before it is not an end. Else a page that is not full ends it."""
    if seen.total is None:
        return seen.count < size
    return seen.arrived >= seen.total or not seen.count


def _next_token(paging: CursorToken, step: Step, seen: Seen) -> Step | None:
    token = value_at(seen.document, paging.at)
    more = value_at(seen.document, paging.more) if paging.more else None
    if paging.more and not isinstance(more, bool):
        raise seen.broken(f"'{paging.more}' does not say whether there is a next page")
    if more is False or (more is None and token in (None, "")):
        return None
    if isinstance(token, bool) or not isinstance(token, str | int) or token == "":
        raise seen.broken(f"'{paging.at}' holds no token for the next page")
    return replace(step, values={**step.values, "cursor": token}, been=_not_again(step, seen, str(token)))


def _next_link(step: Step, seen: Seen, url: Any, *, query_only: bool) -> Step | None:
    if url is None or url == "":
        return None
    if not isinstance(url, str):
        raise seen.broken("the link to the next page is no text")
    return replace(step, link=Link(url, query_only), been=_not_again(step, seen, url))


def _link_header(seen: Seen) -> str | None:
    links = parse_header_links(seen.headers.get("link", ""))
    return next((link["url"] for link in links if "next" in link.get("rel", "").lower().split()), None)


def _not_again(step: Step, seen: Seen, way: str) -> frozenset[str]:
    if way in step.been:
        raise Repeated(
            seen.system, f"{seen.where}: the way to the next page leads back to an earlier one", "Tell its owner"
        )
    return step.been | {way}
