"""The ``options`` of protocols ``soap`` and ``soap-jobs``: any system that is described by a WSDL.

The contract (the WSDL snapshot) says how a message is written: SOAP 1.1 or 1.2, document or rpc, literal or encoded,
wrapped or bare, and which type every element has. So a request here is only names and values:

    request: {tuNgay: "{since:%Y-%m-%d}", trang: "{page}", loc: {trangThai: ["1", "2"]}}

Texts in ``request``, ``header`` and ``http_headers`` are templates, as in ``options/rest.py``. In braces stands one of

==================  ===============================================================================================
``{since}``         where the window begins, and ``{until}`` where it ends; how they are written: ``options/rest.py``
``{page}``          the page number; ``{size}`` the records per page (``pull.page_size``)
``{id}``            ``refresh``: the dossier that is asked for, by the system's own id
``{job}``           ``soap-jobs``: the job
``{message}``       a fresh UUID for every attempt
``{login}``         the connection's login, ``{password}`` its password, ``{extra.NAME}`` a key of its extra
==================  ===============================================================================================

A system that stamps ``Z`` on local time is asked in its own way, ``{since:%Y-%m-%dT%H:%M:%SZ}``, and read with
``answer: {z_means: local}``.

**Records** are what the mapping gets: a mapping of local names. Numbers of integer types are integers, booleans are
booleans, everything else is the text as it came, without blanks around it where its type allows none. An element that
may come many times is always a list (empty when there is none), ``xsi:nil`` is ``null``, an empty string ``""``, and a
missing element has no key. Text that does not fit its type stays text, for the mapping to set the record aside.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from connectors.catalog_models import Duration, Part, Pull, PullStyle, inconsistent
from connectors.options.auth import BasicAuth, BearerAuth, NoAuth, OAuth2Auth
from connectors.options.paths import JsonObject, Text, UrlPath, ValuePath, XRoadClient, XRoadService
from connectors.options.rest import NoPaging, Success
from connectors.templates import EXTRA, names_in

_ANYWHERE = frozenset({"login", "password", "message"})
_LISTING = _ANYWHERE | {"since", "until", "page", "size"}


class WsseUsername(Part):
    """WS-Security UsernameToken with the connection's login and password."""

    kind: Literal["wsse-username"]
    password: Literal["text", "digest"] = "digest"
    """``digest``: Base64(SHA-1(nonce + created + password)), with a fresh nonce and the time of each message."""
    timestamp_s: int | None = Field(default=None, ge=1, le=3600)
    """Adds a ``wsu:Timestamp`` that ends after so many seconds."""


class WsseSignature(Part):
    """WS-Security X.509 signature over body and time stamp (RSA-SHA256), with our certificate in the message.

    The connection's extra holds ``sign_cert`` and ``sign_key`` (paths of PEM files), ``sign_key_password`` when the
    key has one, and ``server_sign_cert`` for ``verify_answer``.
    """

    kind: Literal["wsse-signature"]
    username: Literal["none", "text", "digest"] = "none"
    """Whether a UsernameToken goes with it, and how the password is written."""
    timestamp_s: int = Field(default=300, ge=1, le=3600)
    verify_answer: bool = False
    """Every answer must carry a signature over its body by the key of ``server_sign_cert``. Such an answer is read as
    a whole before its first record is used, so ``limits.max_response_mb`` is what it costs in memory, several times."""


SoapAuth = Annotated[
    NoAuth | BasicAuth | BearerAuth | OAuth2Auth | WsseUsername | WsseSignature, Field(discriminator="kind")
]
"""How to sign in. Mutual TLS is the connection's ``client_cert`` and goes with every kind."""


class HeaderElement(Part):
    """One element of the SOAP header: ``{namespace: "http://…", name: AuthHash, value: "{login}:{password}"}``."""

    namespace: str = ""
    name: str = Field(min_length=1)
    value: Text | JsonObject
    """Its text, or elements of the same namespace by name; texts are templates."""
    base64: bool = False
    """The text (UTF-8) is written in Base64."""


class XRoadSoap(Part):
    """Our X-Road security server stands in between (SOAP message protocol 4.0); the connection leads to it.

    The connection's extra may hold ``client``, ``service`` and ``user_id``, and then comes first.
    """

    client: XRoadClient
    """Who we are: ``INSTANCE/CLASS/CODE/SUBSYSTEM``."""
    service: XRoadService
    """Whom we ask: ``INSTANCE/CLASS/CODE/SUBSYSTEM/SERVICE`` and perhaps ``/VERSION``."""
    user_id: str | None = None
    """On whose behalf, for the logs of both sides; two letters of the country come first."""


class FaultRule(Part):
    """What a fault means. Everything that is given must fit; codes are compared without case and underscores."""

    code: str | None = None
    """The fault's code without its prefix (``Client.ThamSo``), in SOAP 1.2 the code or one of its subcodes."""
    detail: str | None = None
    """The system's own code, found in the fault's detail at ``faults.detail_code``."""
    status: int | None = Field(default=None, ge=200, le=599)
    """The HTTP status it came with."""
    means: Literal["retry", "refused", "session", "absent"]
    """``retry``: the system cannot now, ask again; ``refused``: it will say no again; ``session``: it does not know us
    (any more), which a fresh message may change once (nonce, time stamp) and else a person; ``absent``: it does not
    know what it was asked for (any more): a dossier is passed over, a job is ordered anew."""


class Faults(Part):
    """What faults mean. Without a rule that fits: ``Client`` and ``Sender`` refuse, WS-Security's codes are
    ``session``, and everything else is asked again a few times, since many stacks blame the server for all."""

    detail_code: ValuePath | None = None
    """Where the system's own code stands in the fault's detail: ``LoiNghiepVu.maLoi``."""
    rules: tuple[FaultRule, ...] = ()
    """The first that fits counts."""


class NumberedPages(Part):
    """``{page}`` counts up until the total is reached, or, where none is told, a page has fewer than ``{size}``."""

    kind: Literal["page"]
    first: int = Field(default=1, ge=0, le=1)


SoapPaging = Annotated[NoPaging | NumberedPages, Field(discriminator="kind")]


class SoapAnswer(Part):
    """Where things stand in an answer: local names below the element in the body, with dots between.

    In rpc style the first name is that of the message's part.
    """

    records: ValuePath
    """Down to the repeated record: ``danhSachHoSo.hoSo``. An empty or nil list is an empty list, a list that is missing
    against the contract is an error."""
    total: ValuePath | None = None
    """How many records there are in all, where the system tells. Then every answer must tell it, so that an empty list
    can be believed, and a listing that ends early is an error."""
    success: Success | None = None
    """Where the system tells errors in an ordinary answer."""
    key: ValuePath | None = None
    """In a record: what identifies it. A server that repeats a page is found by it."""
    changed: ValuePath | None = None
    """In a record: the time of its last change. With ``changed-since`` the cursor is the newest one seen; without it,
    the end of the window, and then ``safety_lag`` and ``overlap`` must cover what the system's clock is behind ours."""
    changed_format: str = "iso"
    """How that is written: ``iso`` (as in XML Schema: any number of fraction digits, 24:00:00) or strptime's format."""
    changed_zone: str = "Asia/Ho_Chi_Minh"
    """The zone of times that name none."""
    z_means: Literal["utc", "local"] = "utc"
    """``local`` for systems that write local time and stamp ``Z`` on it."""
    oldest_first: bool = False
    """``changed-since``: the listing is sorted by ``changed``, oldest first. Then each next page is asked for from the
    last change on (``{page}`` only counts up where one moment fills a whole page), so that nothing slips between two
    pages when records move, and the cursor moves page by page. ``{since}`` must be inclusive over there."""

    @model_validator(mode="after")
    def _consistent(self) -> "SoapAnswer":
        if self.oldest_first and not self.changed:
            raise inconsistent("oldest_first", "it needs 'changed'")
        return self


class SoapRefresh(Part):
    """``window`` with ``refresh_open``: how one dossier, ``{id}``, is asked for."""

    operation: str = Field(min_length=1)
    request: JsonObject = Field(default_factory=dict)
    records: ValuePath
    """Where its record stands in the answer; none there: the system does not know it any more."""
    success: Success | None = None


class SoapService(Part):
    """What all calls to one system have in common."""

    path: UrlPath = "/"
    """Where messages are posted to; host and port are the connection's, never the contract's."""
    port: str | None = None
    """The port (or binding) of the contract to use; the first for SOAP over HTTP when absent."""
    auth: SoapAuth = NoAuth()
    header: tuple[HeaderElement, ...] = ()
    """Elements of the SOAP header, beside those of ``auth`` and ``xroad``."""
    http_headers: Mapping[str, Text] = Field(default_factory=dict)
    """HTTP headers of every call, for gateways on the way."""
    faults: Faults = Faults()
    xroad: XRoadSoap | None = None
    live_wsdl: UrlPath | None = None
    """Where ``hosync check`` gets the live WSDL to compare the contract with; ``<path>?wsdl`` when absent, and behind
    X-Road, whose security servers do not hand it out so, nowhere."""

    def check_service(self) -> None:
        """Raise for placeholders in headers that have no value there."""
        for number, element in enumerate(self.header):
            _only(_ANYWHERE, element.value, "header", str(number), "value")
        _only(_ANYWHERE, self.http_headers, "http_headers")


class SoapOptions(SoapService):
    """A SOAP system that lists its records in one operation."""

    operation: str = Field(min_length=1)
    """The operation of the contract that lists records."""
    action: str | None = None
    """The SOAPAction, where the system wants another than its contract says."""
    request: JsonObject = Field(default_factory=dict)
    """The elements of the request by name; nested mappings and lists as in the contract."""
    paging: SoapPaging = NoPaging()
    answer: SoapAnswer
    refresh: SoapRefresh | None = None

    @model_validator(mode="after")
    def _consistent(self) -> "SoapOptions":
        _only(_LISTING, self.request, "request")
        _paged(self.paging, self.request, "request")
        if self.refresh is not None:
            _only(_ANYWHERE | {"id"}, self.refresh.request, "refresh", "request")
        if self.answer.oldest_first and self.paging.kind != "page":
            raise inconsistent("answer", "oldest_first", "it needs paging 'page'")
        self.check_service()
        return self

    def misfits(self, pull: Pull) -> Iterator[tuple[tuple[str, ...], str]]:
        """What does not go together with the way the system is pulled: the key to blame, and what it should be."""
        style = pull.style
        if pull.refresh_open and self.refresh is None:
            yield ("refresh",), "pull.refresh_open needs it: how is one dossier asked for?"
        if self.answer.oldest_first and style is not PullStyle.CHANGED_SINCE:
            yield ("answer", "oldest_first"), "it is for style 'changed-since'"
        if style is not PullStyle.SNAPSHOT and "since" not in names_in(self.request):
            yield ("request",), f"style '{style}' needs '{{since}}' in it"
        moving = style in (PullStyle.CHANGED_SINCE, PullStyle.SNAPSHOT) and self.paging.kind == "page"
        if moving and not (self.answer.oldest_first or (self.answer.total and self.answer.key)):
            problem = (
                "records move between numbered pages: give 'total' and 'key', so that it is seen, or 'oldest_first'"
            )
            yield ("answer",), problem


class JobOrder(Part):
    """Orders the list of a window."""

    operation: str = Field(min_length=1)
    request: JsonObject = Field(default_factory=dict)
    job: ValuePath
    """Where the answer names the job."""
    success: Success | None = None


class JobStatus(Part):
    """Asks how job ``{job}`` is getting on. States are compared as text; one that is not named here is an error."""

    operation: str = Field(min_length=1)
    request: JsonObject = Field(default_factory=dict)
    state: ValuePath
    """Where the answer tells the state."""
    running: tuple[str, ...] = Field(min_length=1)
    done: tuple[str, ...] = Field(min_length=1)
    failed: tuple[str, ...] = ()
    success: Success | None = None


class JobResult(Part):
    """Fetches what job ``{job}`` has made, page by page."""

    operation: str = Field(min_length=1)
    request: JsonObject = Field(default_factory=dict)
    paging: Annotated[NoPaging | NumberedPages, Field(discriminator="kind")] = NoPaging()
    answer: SoapAnswer


class JobDelete(Part):
    """Removes job ``{job}``, done or not. That it fails is a warning only."""

    operation: str = Field(min_length=1)
    request: JsonObject = Field(default_factory=dict)


class JobPoll(Part):
    """How a job is waited for: the pauses double from the first to the longest."""

    first: Duration = timedelta(seconds=2)
    longest: Duration = timedelta(minutes=1)
    deadline: Duration = timedelta(minutes=30)
    """Not done so long after the order: the pull fails, and the next one orders anew."""


class SoapJobsOptions(SoapService):
    """A SOAP system that makes lists as jobs: order, poll, fetch, delete.

    A job is ordered for each window of ``pull.window_days`` days and belongs to one run: a run that was killed leaves
    its job behind, and the next one orders anew.
    """

    order: JobOrder
    status: JobStatus
    result: JobResult
    delete: JobDelete | None = None
    poll: JobPoll = JobPoll()

    @model_validator(mode="after")
    def _consistent(self) -> "SoapJobsOptions":
        _only(_ANYWHERE | {"since", "until"}, self.order.request, "order", "request")
        _only(_ANYWHERE | {"job"}, self.status.request, "status", "request")
        _only(_ANYWHERE | {"job", "page", "size"}, self.result.request, "result", "request")
        _paged(self.result.paging, self.result.request, "result", "request")
        if self.delete is not None:
            _only(_ANYWHERE | {"job"}, self.delete.request, "delete", "request")
        if self.result.answer.oldest_first:
            raise inconsistent("result", "answer", "oldest_first", "a job's result does not move while it is read")
        self.check_service()
        return self

    def misfits(self, pull: Pull) -> Iterator[tuple[tuple[str, ...], str]]:
        """What does not go together with the way the system is pulled: the key to blame, and what it should be."""
        if pull.refresh_open:
            yield ("order",), "protocol 'soap-jobs' cannot ask for single dossiers: leave out pull.refresh_open"
        if "since" not in names_in(self.order.request):
            yield ("order", "request"), f"style '{pull.style}' needs '{{since}}' in it"


def _only(allowed: frozenset[str], request: Any, *where: str) -> None:
    """Raise for a placeholder that has no value in such a call."""
    for name in sorted(name for name in names_in(request) - allowed if not name.startswith(EXTRA)):
        raise inconsistent(*where, f"'{{{name}}}' has no value in this call")


def _paged(paging: SoapPaging, request: Any, *where: str) -> None:
    if paging.kind == "page" and "page" not in names_in(request):
        raise inconsistent(*where, "paging 'page' needs '{page}' in it")
