"""The three ways in which adapters of the national portal are called. What is sent and what it means is the same.

* ``dispatch``: one URL for everything; session, unit and the name of the service stand in the body beside the records;
* ``services``: one URL for each service, unit and ``isUpdating`` in the query, the body is the bare list of records;
* ``urls``: an address to insert, one to update, one for steps; the body is the bare list.

The last two are called without a session: their adapter holds it. When it tells of a session that is over, signing in
is not ours to do, and everything waits.

Assumed: that ``services`` names every service and parameter as ``dispatch`` does and wants the unit with each, that all
three answer alike, and that ``dstcode`` disturbs no adapter. Seen of ``services`` is the pushing of dossiers only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from connectors.auth import Keeper, signed_in
from connectors.errors import NotSignedIn
from connectors.http import Answer, HttpClient
from connectors.mapi import MapiClient
from connectors.targets.answers import OWN_WORDS_STATUS, Kind, Reply
from connectors.targets.checks import sign_in_as_precondition
from connectors.targets.npsp_answers import classify_answer
from connectors.targets.options import DispatchCalls, NpspOptions, ServiceCalls, UrlCalls

Records = Sequence[Mapping[str, Any]]


class Service(StrEnum):
    """The services used, by the portal's own names."""

    DOSSIERS = "DongBoHoSoMC"
    STEPS = "CapNhatTienDoHoSoMC"
    NOTICE = "DongBoTrangThaiHoSo"
    RATINGS = "DongBoDanhGia"
    LOOKUP = "TraCuuHoSo"
    PROCEDURES = "LayDanhSachTTHC"
    AGENCIES = "LayDanhMucCoQuan"
    FIELDS = "LayDanhMucLinhVuc"


@dataclass(frozen=True, slots=True)
class Called:
    """What a call brought: the answer understood, and as it came."""

    reply: Reply
    answer: Answer


@dataclass(frozen=True, slots=True)
class Line:
    """What every style needs to make a call. ``unit`` is the sending agency's code."""

    http: HttpClient
    options: NpspOptions
    unit: str
    headers: Mapping[str, str]

    def post(self, path: str, service: Service, body: Any, params: Mapping[str, str] | None = None) -> Called:
        """One call, its answer classified. Raises ``ConnectorError`` when there is no complete answer."""
        answer = self.http.request(
            "POST", path, json=body, params=params, headers=self.headers, accept_status=OWN_WORDS_STATUS
        )
        # The answer to steps has been seen as plain text.
        return Called(classify_answer(answer, self.options, plain_text=service is Service.STEPS), answer)


class Calls(Protocol):
    """One style."""

    def push(self, service: Service, records: Records, update: bool | None = None) -> Called:
        """Send records; ``update`` where the service tells inserts from updates. Raises ``ConnectorError``.

        A notice goes alone: its service takes one record and no list.
        """
        ...

    def try_out(self) -> str:
        """Sign in, or only connect: words for people. Raises ``ConnectorError``."""
        ...


class Dispatch:
    """One URL for every service. It alone answers questions."""

    def __init__(self, line: Line, calls: DispatchCalls) -> None:
        self._line = line
        self._calls = calls
        fetch = MapiClient(
            line.http, login_path=calls.login_path, call_path=calls.call_path, headers=line.headers
        ).sign_in
        self._keeper = Keeper(sign_in_as_precondition(fetch), default_lifetime_s=calls.session_s)

    def push(self, service: Service, records: Records, update: bool | None = None) -> Called:
        """Send records under a session."""
        return self.call(service, {**_flags(service, update), "data": _body(service, records)})

    def call(self, service: Service, arguments: Mapping[str, Any]) -> Called:
        """One call of a service, and once more with a fresh session when the portal says that ours is over.

        The portal refuses such a call before it looks at the data, so nothing has been applied. Raises
        ``ConnectorError``.
        """

        def once(session: str) -> Called:
            envelope = {"session": session, "madonvi": self._line.unit, "service": service, **arguments}
            called = self._line.post(self._calls.call_path, service, envelope)
            if called.reply.kind is Kind.SIGN_IN:
                raise NotSignedIn(self._line.http.system, f"{service}: {called.reply.reason}")
            return called

        return signed_in(self._keeper, once)

    def try_out(self) -> str:
        """Sign in."""
        self._keeper.value()
        return "connected, and a session was given"


class Services:
    """One URL for each service."""

    def __init__(self, line: Line, calls: ServiceCalls) -> None:
        self._line = line
        self._base = calls.base_path.rstrip("/")

    def push(self, service: Service, records: Records, update: bool | None = None) -> Called:
        """Send the bare list to the service's own address."""
        query = {"MaDinhDanhDV": self._line.unit, **_flags(service, update)}
        return self._line.post(f"{self._base}/{service}", service, _body(service, records), query)

    def try_out(self) -> str:
        """Connect."""
        return _connected(self._line)


class Urls:
    """Three addresses."""

    def __init__(self, line: Line, calls: UrlCalls) -> None:
        self._line = line
        self._paths = {
            (Service.DOSSIERS, False): calls.insert_path,
            (Service.DOSSIERS, True): calls.update_path,
            (Service.STEPS, None): calls.progress_path,
            (Service.NOTICE, None): calls.notice_path or "",
            (Service.RATINGS, None): calls.ratings_path or "",
        }

    def push(self, service: Service, records: Records, update: bool | None = None) -> Called:
        """Send the bare list to the address for it."""
        return self._line.post(self._paths[service, update], service, _body(service, records))

    def try_out(self) -> str:
        """Connect."""
        return _connected(self._line)


def calls_of(line: Line) -> tuple[Calls, Dispatch | None]:
    """How records are pushed, and where questions are asked; ``None`` where nothing can be asked."""
    chosen = line.options.calls
    if isinstance(chosen, DispatchCalls):
        dispatch = Dispatch(line, chosen)
        return dispatch, dispatch
    reads = line.options.reads
    pushing = Services(line, chosen) if isinstance(chosen, ServiceCalls) else Urls(line, chosen)
    return pushing, None if reads is None else Dispatch(line, reads)


def _flags(service: Service, update: bool | None) -> dict[str, str]:
    if service is Service.NOTICE:
        return {"type": "2"}  # always sent so; what other types there are is not published
    return {} if update is None else {"isUpdating": "True" if update else "False"}


def _body(service: Service, records: Records) -> Any:
    if service is not Service.NOTICE:
        return records
    (alone,) = records
    return alone


def _connected(line: Line) -> str:
    line.http.touch()
    return "connected; this style of call cannot be tried without sending a record"
