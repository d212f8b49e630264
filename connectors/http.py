"""One HTTP client per system and thread: limits on everything, surprises classified, nothing leaked.

What it guarantees, whatever the other side does:

* connect, read and total time limits on every call (``deadline``), a cap on the decoded bytes, redirects refused;
* a body shorter than announced, or compressed and cut, is an error, never a shorter answer;
* environment variables and ``.netrc`` change nothing: proxy, authorities and client certificate come from the
  connection's extra;
* where the connection has a turnstile, no call goes without its turn;
* an exception says what became of the request (``errors``) and carries neither body nor secret.

Nothing is repeated here: whoever knows whether an operation may be repeated wraps the call in ``retry.repeat``.
"""

import logging
import time
import uuid
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import orjson
import requests
import urllib3

from connectors import deadline, json_text
from connectors.catalog_models import Limits, Timeouts
from connectors.connections import ConnectionSettings, Turn
from connectors.errors import BrokenAnswer, CertificateProblem, ConnectorError, OutcomeUnknown
from connectors.outcomes import of_status, of_transport

T = TypeVar("T")
Params = Mapping[str, str | int] | Sequence[tuple[str, str]]
"""The query: pairs where a name may stand there more than once."""

_CHUNK = 1 << 16
_INFLATE_STEP = 1 << 20
_GZIP = zlib.MAX_WBITS | 16

# On level DEBUG it writes every URL as it was sent, and some systems want their key among the parameters.
logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)


def new_message_id() -> str:
    """A fresh id for one message; every attempt gets its own, so that both sides can find it in their logs."""
    return str(uuid.uuid4())


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What comes before a body: ``headers`` with lower-case names, ``media_type`` without parameters."""

    system: str
    where: str
    status: int
    headers: Mapping[str, str]

    @property
    def media_type(self) -> str:
        """``application/json`` of ``Application/JSON; charset=utf-8``; empty when the header is missing."""
        return self.headers.get("content-type", "").split(";")[0].strip().lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Streamed(Head):
    """An answer under way. ``chunks`` gives the decoded body once, piece by piece, and raises what a whole one would:
    only after its last piece is it known that nothing was missing."""

    chunks: Iterator[bytes] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Head):
    """A complete answer, decoded."""

    body: bytes = field(repr=False)

    def json(self) -> Any:
        """The body as JSON, strictly: UTF-8 only, no NaN, nothing after the end. Raises ``BrokenAnswer``."""
        return json_text.of_answer(self)

    def json_object(self) -> dict[str, Any]:
        """The body as a JSON object; anything else raises ``BrokenAnswer``."""
        value = self.json()
        if not isinstance(value, dict):
            kind = type(value).__name__
            raise BrokenAnswer(self.system, f"{self.where}: expected a JSON object, got {kind}", status=self.status)
        return value


class HttpClient:
    """Calls one system. Not shared between threads (a session's connections and cookies are not)."""

    def __init__(
        self,
        system: str,
        settings: ConnectionSettings,
        *,
        timeouts: Timeouts | None = None,
        limits: Limits | None = None,
    ) -> None:
        """``system`` names it in errors; ``timeouts`` and ``limits`` come from its catalog entry."""
        self.system = system
        self.settings = settings
        self._timeouts = timeouts or Timeouts()
        self._cap = (limits or Limits()).max_response_bytes
        self._session = _session(settings)

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        accept_status: frozenset[int] = frozenset(),
        where: str = "",
    ) -> Answer:
        """Send one request and read the whole answer.

        ``path`` begins with ``/`` and is added to the connection's base URL. At most one of ``json`` (anything orjson
        serializes), ``form`` and ``content`` is the body. Statuses in ``accept_status`` are returned like a 2xx, for
        protocols whose errors are in the body. ``where`` names the call in messages instead of method and path, which
        may hold what belongs in none. Raises the errors of ``connectors.errors``.
        """
        where = where or f"{method} {path}"
        sent_headers = {"Accept": "application/json", **(headers or {})}
        body: bytes | Mapping[str, str] | None = content if content is not None else form
        if json is not None:
            body = orjson.dumps(json)
            sent_headers.setdefault("Content-Type", "application/json; charset=utf-8")
        answer = self._exchange(method, path, where, params=params, body=body, headers=sent_headers)
        problem = None if answer.status in accept_status else self.problem(answer)
        if problem is not None:
            raise problem
        return answer

    def problem(self, answer: Answer) -> ConnectorError | None:
        """What status and headers say went wrong; ``None`` when all is well. Clients behind gateways know more."""
        return of_status(answer.system, answer.where, answer.status, answer.headers, answer.body)

    def touch(self) -> None:
        """Ask for ``/`` and take any status: raises only when nothing answers there."""
        self._exchange("GET", "/", "GET /", params=None, body=None, headers={})

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    @contextmanager
    def stream(
        self,
        method: str,
        path: str,
        *,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        where: str = "",
    ) -> Iterator[Streamed]:
        """Send one request and read the answer piece by piece inside the ``with`` block, whatever its status.

        The limits are those of ``request``; the total time counts only while we wait for the system, so that whoever
        uses the pieces may take its time. Raises the errors of ``connectors.errors``, from ``chunks`` too.
        """
        where = where or f"{method} {path}"
        with self._open(method, path, where, params=None, body=content, headers=headers or {}) as answer:
            yield answer

    def _exchange(
        self,
        method: str,
        path: str,
        where: str,
        *,
        params: Params | None,
        body: bytes | Mapping[str, str] | None,
        headers: Mapping[str, str],
    ) -> Answer:
        with self._open(method, path, where, params=params, body=body, headers=headers) as answer:
            return Answer(
                system=answer.system,
                where=where,
                status=answer.status,
                headers=answer.headers,
                body=b"".join(answer.chunks),
            )

    @contextmanager
    def _open(
        self,
        method: str,
        path: str,
        where: str,
        *,
        params: Params | None,
        body: bytes | Mapping[str, str] | None,
        headers: Mapping[str, str],
    ) -> Iterator[Streamed]:
        limits = self._timeouts
        budget = _Budget(limits.total_s)
        url = self.settings.base_url + path
        # Written before its turn has come: what may be called at once is the target's to bear, not ours to waste.
        prepared = self._guarded(where, budget, lambda: self._prepared(method, url, params, body, headers))

        def send() -> requests.Response:
            return self._session.send(
                prepared,
                timeout=(min(limits.connect_s, limits.total_s), limits.read_s),
                proxies=self._session.proxies,
                allow_redirects=False,
                stream=True,
            )

        with self._turn() as turn, self._guarded(where, budget, send) as response:
            yield Streamed(
                system=self.system,
                where=where,
                status=response.status_code,
                headers={name.lower(): value for name, value in response.headers.items()},
                chunks=self._read(where, response, budget),
            )
            turn.went_well = 200 <= response.status_code < 300

    def _prepared(
        self,
        method: str,
        url: str,
        params: Params | None,
        body: bytes | Mapping[str, str] | None,
        headers: Mapping[str, str],
    ) -> requests.PreparedRequest:
        # Session.request would merge a dozen settings that we never give by the call: a third of its time.
        session = self._session
        prepared = requests.PreparedRequest()
        prepared.prepare(
            method,
            url,
            headers={**session.headers, **headers},
            data=body,
            params=params,
            cookies=session.cookies.copy(),
        )
        return prepared

    def _turn(self) -> AbstractContextManager[Turn]:
        turnstile = self.settings.turnstile
        return turnstile.turn() if turnstile else nullcontext(Turn())

    def _guarded(self, where: str, budget: "_Budget", call: Callable[[], T]) -> T:
        """``call()`` within what is left of the total time; what goes wrong comes out as a ``ConnectorError``."""
        failure: ConnectorError
        with deadline.total_deadline(budget.left_s):
            started = time.monotonic()
            try:
                return call()
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, UnicodeError) as error:
                failure = of_transport(self.system, where, error)
                if deadline.passed():
                    failure = OutcomeUnknown(
                        self.system,
                        f"{where}: not finished within {budget.total_s:g} s",
                        "If the system is only slow, raise timeouts.total_s in its catalog entry",
                    )
                elif type(failure) is OutcomeUnknown and not failure.next_step and "https:" in self.settings.base_url:
                    failure.next_step = "If it always does, the server may want another 'client_cert' in the connection"
            finally:
                budget.left_s -= time.monotonic() - started
        # Outside the handler: what requests raised may hold the request, so it is not chained.
        raise failure

    def _read(self, where: str, response: requests.Response, budget: "_Budget") -> Iterator[bytes]:
        """The decoded body, at most the cap; raises ``BrokenAnswer`` when it is longer, cut or oddly encoded."""

        def receive() -> bytes:
            chunk: bytes = self._guarded(where, budget, lambda: response.raw.read(_CHUNK, decode_content=False))
            return chunk

        encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
        chunks = iter(receive, b"")
        if encoding in ("", "identity"):
            pieces: Iterator[bytes] = chunks
        elif encoding in ("gzip", "x-gzip"):
            pieces = _inflated(chunks, lambda problem: self._broken(where, problem))
        else:
            raise self._broken(where, "its Content-Encoding is not one we asked for")
        size = 0
        for piece in pieces:
            size += len(piece)
            if size > self._cap:
                raise self._broken(where, f"it is larger than {self._cap >> 20} MB (limits.max_response_mb)")
            yield piece

    def _broken(self, where: str, problem: str) -> BrokenAnswer:
        return BrokenAnswer(self.system, f"{where}: the answer cannot be used: {problem}")


@dataclass(slots=True)
class _Budget:
    """How long one exchange may make us wait, and how much of that is left."""

    total_s: float
    left_s: float = field(init=False)

    def __post_init__(self) -> None:
        self.left_s = self.total_s


def _inflated(chunks: Iterator[bytes], broken: Callable[[str], BrokenAnswer]) -> Iterator[bytes]:
    """Inflate ``chunks`` in small steps: a few kilobytes may stand for gigabytes, and the reader counts."""
    inflater = zlib.decompressobj(_GZIP)
    started = False
    for chunk in chunks:
        started = True
        data = chunk
        while data:
            if inflater.eof:  # gzip allows several members one after the other
                inflater = zlib.decompressobj(_GZIP)
            try:
                yield inflater.decompress(data, _INFLATE_STEP)
            except zlib.error:
                raise broken("its compression is damaged") from None
            data = inflater.unconsumed_tail or inflater.unused_data
    if started and not inflater.eof:
        raise broken("it is compressed and was cut before its end")


def _session(settings: ConnectionSettings) -> requests.Session:
    session = requests.Session()
    # With the environment trusted, a CA variable would replace our own authorities and a .netrc entry the token.
    session.trust_env = False
    session.headers.update({"User-Agent": "hosync", "Accept-Encoding": "gzip"})
    session.verify = settings.text("ca_bundle") or True
    certificate, key = settings.text("client_cert"), settings.text("client_key")
    if certificate:
        session.cert = (certificate, key) if key else certificate
    proxy = settings.text("proxy")
    if proxy:
        session.proxies = {"http": proxy, "https": proxy}
    for path in filter(None, (settings.text("ca_bundle"), certificate, key)):
        _must_be_readable(settings, path)
    adapter = deadline.DeadlineAdapter(pool_connections=2, pool_maxsize=2)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


def _must_be_readable(settings: ConnectionSettings, path: str) -> None:
    try:
        with Path(path).open("rb"):
            return
    except OSError as error:
        reason = error.strerror or "cannot be read"
        raise CertificateProblem(
            settings.conn_id, f"file {path}: {reason}", "Correct the connection's extra"
        ) from error
