"""The ``options`` of protocol ``rest``: any system that answers HTTP calls with JSON, whatever its dialect.

Texts in ``path``, ``params``, ``headers``, ``form`` and ``body`` are templates. In braces stands one of

==================  ===============================================================================================
``{since}``         where the window begins; ``{since:%d/%m/%Y %H:%M:%S}`` writes it in Vietnamese wall time,
                    ``{since:utc:%Y-%m-%dT%H:%M:%SZ}`` in UTC, ``{since:ms}`` as epoch milliseconds (``s``: seconds);
                    alone: ISO 8601
``{until}``         where it ends, exclusive, rounded up to what the format can tell apart; ``{until:last:…}`` writes
                    the last day or second inside it instead
``{page}``          the page number, ``{offset}`` the first record's number, ``{end}`` the one behind the last,
                    ``{size}`` the records per page, ``{cursor}`` the token for the next page (on the first call it is
                    empty, and a parameter that is nothing else is left out)
``{ids}``           open-list: the dossiers of this call (a list when it is a whole value, else with commas between)
``{id}``            open-list with one per call, details and acknowledgements: the one dossier or message
``{session}``       the session of ``auth: {kind: session}``
``{login}``         the connection's login, ``{password}`` its password, ``{extra.NAME}`` a key of its extra
==================  ===============================================================================================

A JSON body keeps the type of a value that is one placeholder and nothing else: ``size: "{size}"`` sends a number.
Values in a ``path`` are escaped. ``{{`` writes a brace.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from connectors.catalog_models import Part, Pull, PullStyle, inconsistent
from connectors.options.auth import Auth, NoAuth
from connectors.options.paths import (
    JsonBody,
    Parameter,
    Text,
    TextPath,
    TimeFormat,
    ValuePath,
    XRoadClient,
    XRoadService,
    ZoneName,
)
from connectors.templates import DOSSIERS, EXTRA, PAGING, SECRETS, TIMES, names_in


class Request(Part):
    """One call. At most one of ``form`` and ``body``."""

    method: Literal["GET", "POST", "PUT"] = "GET"
    path: TextPath
    params: Mapping[str, Parameter] = Field(default_factory=dict)
    headers: Mapping[str, Text] = Field(default_factory=dict)
    form: Mapping[str, Text] | None = None
    body: JsonBody = None
    """A JSON value; texts inside are templates."""
    absent_status: tuple[Annotated[int, Field(ge=400, le=499)], ...] = ()
    """HTTP statuses that mean that the system does not know the dossier asked for (``[404]``): no error, it just tells
    nothing about it."""

    @property
    def names(self) -> frozenset[str]:
        """The placeholders in it."""
        return names_in([self.path, self.params, self.headers, self.form or {}, self.body])

    @model_validator(mode="after")
    def _one_body(self) -> "Request":
        if self.form is not None and self.body is not None:
            raise inconsistent("form", "a call has a form or a body, not both")
        return self


class Success(Part):
    """How the system says in its answer that all is well, beside the HTTP status."""

    at: ValuePath
    """Where it stands; a missing value counts as ``null``."""
    values: tuple[str | int | bool | None, ...] = Field(min_length=1, alias="is")
    """The values that mean success, each with its own type: ``[0, "0", "00"]``."""
    message: ValuePath | None = None
    """Where the reason of a refusal stands. It is compared with ``absent``, and never repeated: it may be about
    persons."""
    expired: tuple[str | int, ...] = ()
    """The values that mean that the session has ended: sign in again, once."""
    absent: tuple[str | int, ...] = ()
    """The values (or messages) that mean that the system does not know the dossier asked for: no error, it just tells
    nothing about it."""


class Embedded(Part):
    """Text in a record that is itself a document, and is replaced by what it says before the mapping sees it.

    XML becomes a dict of its root's children by local name: see ``connectors/xml_text.py``.
    """

    at: ValuePath
    """Where in the record; lists on the way are walked through."""
    format: Literal["json", "xml"]
    optional: bool = True
    """``false``: a text that is no such document becomes ``null``, so that a mapping that needs it sets the record
    aside. Else the text stays as it is."""


class Answer(Part):
    """Where things stand in an answer."""

    records: ValuePath = ""
    """The list of records; a single object counts as a list of one."""
    total: ValuePath | None = None
    """How many records there are in all, where the system tells; then a listing that ends early is an error."""
    success: Success | None = None
    embedded: tuple[Embedded, ...] = ()
    key: ValuePath | None = None
    """In a record: what identifies it. Pages are known by it, details and acknowledgements are asked for with it."""
    changed: ValuePath | None = None
    """In a record: the time of its last change. ``newest-first`` needs it. With ``changed-since`` the cursor is the
    newest one seen; without it, the end of the window, and then ``safety_lag`` and ``overlap`` must cover what the
    system's clock is behind ours."""
    changed_format: TimeFormat = "iso"
    """How that is written: a strptime format, ``iso`` (a zone is not needed), ``ms`` or ``s`` (epoch)."""
    changed_zone: ZoneName = "Asia/Ho_Chi_Minh"
    """The zone of times that name none."""
    oldest_first: bool = False
    """``changed-since``: the listing is sorted by ``changed``, oldest first. Then each next page is asked for from the
    last change on, so that nothing slips between two pages when records move, and the cursor moves page by page.
    ``{since}`` must be inclusive over there."""
    strict: bool = False
    """Refuse answers in which a key stands twice in one object (else the last one counts), or a whole number has more
    than 64 bits (else it loses digits). Parsing takes three times as long then: a sixth of the speed of reading and
    mapping together."""


class NoPaging(Part):
    """One call brings everything."""

    kind: Literal["none"] = "none"


class PageNumber(Part):
    """``{page}`` counts up until the total is reached, a page is shorter than ``{size}``, or ``last`` says so."""

    kind: Literal["page"]
    first: int = Field(default=1, ge=0, le=1)
    last: ValuePath | None = None
    """A boolean: whether this is the last page."""


class Offset(Part):
    """``{offset}`` (and ``{end}``) count up by the records received until the total is reached, or a page is short."""

    kind: Literal["offset"]
    first: int = Field(default=0, ge=0, le=1)


class CursorToken(Part):
    """The answer holds a token for the next page (``{cursor}``, empty on the first call); none at the end."""

    kind: Literal["cursor"]
    at: ValuePath
    more: ValuePath | None = None
    """A boolean: whether there is a next page, for systems that give a token with the last one too."""


class LinkHeader(Part):
    """The header ``Link: <…>; rel="next"`` names the next page; it must stay on the same host."""

    kind: Literal["link-header"]
    query_only: bool = False
    """Take only the query of the link and keep the path: for systems behind a gateway or an X-Road security server,
    whose links name the address behind it."""


class NextUrl(Part):
    """The answer holds the URL of the next page, whole or from the path on; it must stay on the same host."""

    kind: Literal["next-url"]
    at: ValuePath
    query_only: bool = False
    """As in ``link-header``."""


Paging = Annotated[NoPaging | PageNumber | Offset | CursorToken | LinkHeader | NextUrl, Field(discriminator="kind")]


class Detail(Part):
    """A second call per record, for what the listing leaves out. A record is then ``{"list": …, "detail": …}``.

    ``detail`` is ``null`` when the system lists a dossier and then does not tell about it.
    """

    request: Request
    record: ValuePath = ""
    """Where the detail stands in the answer; a list counts by its first item."""
    key: ValuePath | None = None
    """In the detail: what identifies it. A detail about another dossier than asked for counts as none."""
    success: Success | None = None
    embedded: tuple[Embedded, ...] = ()


class Refresh(Request):
    """How one dossier is asked for. Its answer is read as ``detail``, or as ``answer`` when there is none."""

    record: ValuePath | None = None
    """Where the dossier stands, when that is not as in the other answers; a list counts by its first item."""


class Acknowledge(Request):
    """Tells the system that message ``{id}`` has arrived. May be sent again after an unclear outcome."""

    success: Success | None = None


class XRoadRest(Part):
    """The calls go to our X-Road security server (REST message protocol 1): it adds ``/r1/…`` and the headers.

    The connection's extra may hold ``client``, ``service`` and ``user_id``, and then comes first. Its ``sso_url`` is
    asked for tokens directly; without it, the service is, through the security server.
    """

    client: XRoadClient
    service: XRoadService
    user_id: str | None = None


class RestOptions(Part):
    """An HTTP/JSON system."""

    auth: Auth = NoAuth()
    request: Request
    """The listing, or with ``open-list`` the question about some dossiers."""
    more_requests: tuple[Request, ...] = ()
    """Further listings of the same records, read one after the other: a system that can only be asked by date of
    receipt, of release and of return needs all three to show every change."""
    paging: Paging = NoPaging()
    answer: Answer = Answer()
    detail: Detail | None = None
    refresh: Refresh | None = None
    """``window`` with ``refresh_open``: how one dossier is asked for."""
    acknowledge: Acknowledge | None = None
    """``queue``: sent only after the message is stored."""
    xroad: XRoadRest | None = None

    @model_validator(mode="after")
    def _consistent(self) -> "RestOptions":
        session = SECRETS if self.auth.kind == "session" else SECRETS - {"session"}
        for number, listing in enumerate((self.request, *self.more_requests)):
            where = ("request",) if number == 0 else ("more_requests", str(number - 1))
            _only(listing, session | TIMES | PAGING | DOSSIERS, where)
            self._paged(listing, where)
        for name, single in (("refresh", self.refresh), ("acknowledge", self.acknowledge)):
            _only(single, session | {"id"}, (name,))
        _only(self.detail.request if self.detail else None, session | {"id"}, ("detail", "request"))
        if (self.detail or self.acknowledge) and not self.answer.key:
            raise inconsistent("answer", "details and acknowledgements are asked for with its 'key'")
        if self.answer.oldest_first and (not self.answer.changed or self.more_requests):
            raise inconsistent("answer", "oldest_first", "it needs 'changed', and a single listing")
        return self

    def _paged(self, listing: Request, where: tuple[str, ...]) -> None:
        kind = self.paging.kind
        needed = _NEEDED.get(kind)
        if needed and needed not in listing.names:
            raise inconsistent(*where, f"paging '{kind}' needs '{{{needed}}}' in it")
        for name in sorted(listing.names & set(_COUNTED_BY) - {needed}):
            if _COUNTED_BY[name] != kind:
                raise inconsistent(*where, f"'{{{name}}}' belongs to paging '{_COUNTED_BY[name]}', not to '{kind}'")

    def misfits(self, pull: Pull) -> Iterator[tuple[tuple[str, ...], str]]:
        """What does not go together with the way the system is pulled: the key to blame, and what it should be."""
        style, answer = pull.style, self.answer
        yield from self._window_misfits(style)
        yield from self._question_misfits(pull)
        if style is PullStyle.QUEUE and self.acknowledge is None:
            yield ("acknowledge",), "style 'queue' needs it, or the same messages come for ever"
        if style is not PullStyle.QUEUE and self.acknowledge is not None:
            yield ("acknowledge",), f"style '{style}' acknowledges nothing"
        if style is PullStyle.NEWEST_FIRST and (not answer.changed or self.more_requests):
            yield ("answer",), "style 'newest-first' needs 'changed', and a single listing"
        if pull.refresh_open and self.refresh is None:
            yield ("refresh",), "pull.refresh_open needs it: how is one dossier asked for?"
        moving = style in (PullStyle.CHANGED_SINCE, PullStyle.SNAPSHOT) and self.paging.kind in ("page", "offset")
        if moving and not answer.oldest_first and not (answer.total and answer.key):
            seen = "records move between numbered pages while they are read: give 'total' and 'key', so that it is seen"
            yield ("answer",), f"{seen}, or 'oldest_first'"

    def _window_misfits(self, style: PullStyle) -> Iterator[tuple[tuple[str, ...], str]]:
        for number, listing in enumerate((self.request, *self.more_requests)):
            at = ("more_requests",) if number else ("request",)
            if style in (PullStyle.CHANGED_SINCE, PullStyle.WINDOW):
                if "since" not in listing.names:
                    yield at, f"style '{style}' needs '{{since}}' in it"
            elif style is not PullStyle.NEWEST_FIRST and listing.names & TIMES:
                yield at, f"style '{style}' has no window: leave out '{{since}}' and '{{until}}'"

    def _question_misfits(self, pull: Pull) -> Iterator[tuple[tuple[str, ...], str]]:
        names, style = self.request.names, pull.style
        if style is not PullStyle.OPEN_LIST:
            if names & DOSSIERS:
                yield ("request",), f"style '{style}' lists, and asks for no single dossiers: leave out the ids"
        elif not names & DOSSIERS:
            yield ("request",), "style 'open-list' needs '{ids}' in it, or '{id}' with one dossier per call"
        elif pull.open_list and pull.open_list.per_call > 1 and "id" in names:
            yield ("request",), "'{id}' is one dossier, yet pull.open_list.per_call is more: use '{ids}'"


_NEEDED = {"page": "page", "offset": "offset", "cursor": "cursor"}
_COUNTED_BY = {"page": "page", "offset": "offset", "end": "offset", "cursor": "cursor"}


def _only(request: Request | None, allowed: frozenset[str], where: tuple[str, ...]) -> None:
    """Raise for a placeholder that has no value in such a call."""
    names = request.names if request else frozenset()
    for name in sorted(name for name in names - allowed if not name.startswith(EXTRA)):
        raise inconsistent(*where, f"'{{{name}}}' has no value in this call")
