"""One call of a REST system: its templates filled in, signed, sent, and its answer read.

Everything here only reads, or may be sent twice: a call is repeated as ``retry`` allows, with reading the answer inside
the attempt, so that a broken answer is asked for again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urljoin, urlsplit

from connectors.errors import BrokenAnswer, ConnectorError, Refused
from connectors.http import Answer, HttpClient
from connectors.options.rest import Request
from connectors.retry import RetryPolicy, repeat
from connectors.signing import Signature, Signer, secrets
from connectors.templates import Lookup, Template, template, value_template

T = TypeVar("T")
Values = Mapping[str, Any]

_REFUSED: Mapping[int, str] = MappingProxyType(
    {
        403: "Ask the owner what the account may read",
        404: "Compare options.request.path in the catalog entry, and the connection's host, with the owner's document",
        405: "Compare options.request in the catalog entry with the owner's document",
    }
)
_REFUSED_OTHERWISE = "Compare its parameters (options.request, in the catalog entry) with the owner's document"


@dataclass(frozen=True, slots=True)
class Link:
    """The way to the next page, as the system names it; ``query_only``: the path is not to be believed."""

    url: str
    query_only: bool = False


class Call:
    """A request of the catalog, compiled."""

    def __init__(self, request: Request) -> None:
        self.method = request.method
        self.absent_status = frozenset(request.absent_status)
        self.where = f"{request.method} {request.path}"
        """For messages: the path as the catalog writes it, without ids, tokens or keys in it."""
        self._path = template(request.path)
        self._params = _templates(request.params)
        self._headers = _templates(request.headers)
        self._form = None if request.form is None else _templates(request.form)
        self._body = None if request.body is None else value_template(request.body)

    def send(
        self, http: HttpClient, values: Values, signature: Signature, link: Link | None, accept_status: frozenset[int]
    ) -> Answer:
        """Send it once; with ``link``, to where that leads."""
        lookup = _lookup(values, secrets(http.settings, signature.session))
        path, params = self._target(http, lookup, link)
        own = {name for name, _ in params}
        form, json = self._content(lookup, signature)
        try:
            return http.request(
                self.method,
                path,
                params=[*params, *((name, text) for name, text in signature.params.items() if name not in own)],
                headers={**{name: text.text(lookup) for name, text in self._headers.items()}, **signature.headers},
                form=form,
                json=json,
                accept_status=accept_status,
                where=self.where,
            )
        except Refused as error:
            step = error.next_step or _REFUSED.get(error.status or 0, _REFUSED_OTHERWISE)
            raise Refused(error.system, error.message, step, status=error.status, code=error.code) from error

    def written(self, values: Values) -> tuple[Any, ...]:
        """What ``values`` make of its texts, for comparing; all other placeholders stay empty."""
        lookup = _lookup(values, lambda _: "")
        texts = [
            text.text(lookup) for texts in (self._params, self._headers, self._form or {}) for text in texts.values()
        ]
        return (self._path.path(lookup), *texts, self._body(lookup) if self._body else None)

    def _target(self, http: HttpClient, lookup: Lookup, link: Link | None) -> tuple[str, list[tuple[str, str]]]:
        path = self._path.path(lookup)
        if link is None:
            texts = [(name, text, text.text(lookup)) for name, text in self._params.items()]
            # The first page of a listing by cursor has no cursor, which is not the same as an empty one.
            return path, [(name, value) for name, text, value in texts if value or text.names != {"cursor"}]
        leads_to = _same_host(http, self.where, path, link)
        return leads_to if not link.query_only else (path, leads_to[1])

    def _content(self, lookup: Lookup, signature: Signature) -> tuple[dict[str, str] | None, Any]:
        """The form and the JSON body, at most one of them; keys of the signature are added to it."""
        if self._form is not None:
            return {**{name: text.text(lookup) for name, text in self._form.items()}, **signature.body}, None
        body = None if self._body is None else self._body(lookup)
        if signature.body and (body is None or isinstance(body, dict)):
            body = {**(body or {}), **signature.body}
        return None, body


class Caller:
    """Makes the calls of one system."""

    def __init__(self, http: HttpClient, signer: Signer, retry: RetryPolicy) -> None:
        self.http = http
        self.signer = signer
        self._retry = retry

    @property
    def system(self) -> str:
        """Whom it calls."""
        return self.http.system

    def ask(
        self,
        call: Call,
        values: Values,
        read: Callable[[Answer], T],
        *,
        link: Link | None = None,
        accept_status: frozenset[int] = frozenset(),
    ) -> T:
        """What ``read`` makes of the answer; raises the errors of ``connectors.errors``."""

        def send(signature: Signature) -> T:
            return read(call.send(self.http, values, signature, link, accept_status))

        return repeat(lambda: self.signer.call(send), policy=self._retry)


def _templates(texts: Mapping[str, str | int]) -> dict[str, Template]:
    return {name: template(str(text)) for name, text in texts.items()}


def _lookup(values: Values, secret: Lookup) -> Lookup:
    return lambda name: values[name] if name in values else secret(name)


def _same_host(http: HttpClient, where: str, path: str, link: Link) -> tuple[str, list[tuple[str, str]]]:
    """Path (below the connection's address) and query of a link; raises when it leads to another host."""
    base = http.settings.base_url
    try:
        target = urlsplit(urljoin(base + path, link.url.strip()))
        own = urlsplit(base)
        stranger = (target.scheme, target.hostname, _port(target)) != (own.scheme, own.hostname, _port(own))
    except ValueError:
        raise BrokenAnswer(http.system, f"{where}: the link to the next page is no URL") from None
    query = parse_qsl(target.query, keep_blank_values=True)
    if link.query_only:
        return path, query
    if stranger:
        raise _leads_away(http, where, "to another host than that of the connection")
    if not target.path.startswith(own.path.rstrip("/") + "/"):
        raise _leads_away(http, where, "out of the path that the connection begins with")
    return target.path[len(own.path.rstrip("/")) :], query


def _leads_away(http: HttpClient, where: str, how: str) -> ConnectorError:
    return BrokenAnswer(
        http.system,
        f"{where}: the link to the next page leads {how}, so it is not followed",
        "If a gateway is in between, set paging.query_only in the catalog entry; else tell the owner of the system",
    )


def _port(parts: Any) -> int | None:
    return parts.port or {"http": 80, "https": 443}.get(parts.scheme)
