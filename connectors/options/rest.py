"""The ``options`` of protocol ``rest``: any system that answers HTTP calls with JSON, whatever its dialect.

Texts in ``path``, ``params``, ``headers``, ``form`` and ``body`` are templates. In braces stands one of

==================  ===============================================================================================
``{since}``         where the window begins; ``{since:%d/%m/%Y %H:%M:%S}`` writes it in Vietnamese wall time,
                    ``{since:utc:%Y-%m-%dT%H:%M:%SZ}`` in UTC, ``{since:ms}`` as epoch milliseconds; alone: ISO 8601
``{until}``         where it ends, exclusive; ``{until:last:…}`` writes the last day or second inside it instead
``{page}``          the page number, ``{offset}`` the first record's number, ``{end}`` the one behind the last,
                    ``{size}`` the records per page, ``{cursor}`` the token for the next page
``{ids}``           open-list: the dossiers of this call (a list when it is a whole value, else with commas between)
``{id}``            open-list with one per call, details and acknowledgements: the one dossier or message
``{session}``       the session of ``auth: {kind: session}``
``{login}``         the connection's login, ``{password}`` its password, ``{extra.NAME}`` a key of its extra
==================  ===============================================================================================

A JSON body keeps the type of a value that is one placeholder and nothing else: ``size: "{size}"`` sends a number.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from connectors.catalog_models import Part
from connectors.options.auth import Auth, NoAuth
from connectors.options.paths import UrlPath, ValuePath, XRoadClient, XRoadService


class Request(Part):
    """One call. At most one of ``form`` and ``body``."""

    method: Literal["GET", "POST", "PUT"] = "GET"
    path: UrlPath
    params: Mapping[str, str | int] = Field(default_factory=dict)
    headers: Mapping[str, str] = Field(default_factory=dict)
    form: Mapping[str, str] | None = None
    body: Any = None
    """A JSON value; texts inside are templates."""


class Success(Part):
    """How the system says in its answer that all is well, beside the HTTP status."""

    at: ValuePath
    values: tuple[str | int | bool | None, ...] = Field(min_length=1, alias="is")
    """The values that mean success, each with its own type: ``[0, "0", "00"]``."""
    message: ValuePath | None = None
    """Where the reason of a refusal stands."""
    expired: tuple[str | int, ...] = ()
    """The values that mean that the session has ended: sign in again, once."""


class Embedded(Part):
    """Text in a record that is itself a document, and is replaced by what it says before the mapping sees it."""

    at: ValuePath
    format: Literal["json", "xml"]
    optional: bool = True
    """``false``: a record whose text is not such a document is set aside. Else the text stays as it is."""


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
    """In a record: the time of its last change. ``newest-first`` needs it; elsewhere it holds the cursor back."""
    changed_format: str = "iso"
    """How that is written: a strptime format, ``iso`` (a zone is not needed), ``ms`` or ``s`` (epoch)."""
    changed_zone: str = "Asia/Ho_Chi_Minh"
    """The zone of times that name none."""


class NoPaging(Part):
    """One call brings everything."""

    kind: Literal["none"] = "none"


class PageNumber(Part):
    """``{page}`` counts up, until a page has fewer records than ``{size}`` or ``last`` says so."""

    kind: Literal["page"]
    first: int = Field(default=1, ge=0, le=1)
    last: ValuePath | None = None
    """A boolean: whether this is the last page."""


class Offset(Part):
    """``{offset}`` (and ``{end}``) count up by ``{size}`` until the total is reached, or a page is short."""

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


class NextUrl(Part):
    """The answer holds the URL of the next page, whole or from the path on; it must stay on the same host."""

    kind: Literal["next-url"]
    at: ValuePath


Paging = Annotated[NoPaging | PageNumber | Offset | CursorToken | LinkHeader | NextUrl, Field(discriminator="kind")]


class Detail(Part):
    """A second call per record, for what the listing leaves out. A record is then ``{"list": …, "detail": …}``."""

    request: Request
    record: ValuePath = ""
    """Where the detail stands in the answer; a list counts by its first item."""
    success: Success | None = None
    embedded: tuple[Embedded, ...] = ()


class XRoadRest(Part):
    """The calls go to our X-Road security server (REST message protocol 1): it adds ``/r1/…`` and the headers."""

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
    refresh: Request | None = None
    """``window`` with ``refresh_open``: how one dossier is asked for; the answer is read as ``detail``, or as
    ``answer`` when there is none."""
    acknowledge: Request | None = None
    """``queue``: tells the system that message ``{id}`` has arrived. Sent only after it is stored."""
    xroad: XRoadRest | None = None
