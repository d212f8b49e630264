"""Where a system is and who we are there: Airflow connections, read without starting Airflow.

A connection comes from the environment variable ``AIRFLOW_CONN_<ID>`` (a URI or a JSON object, read exactly as
Airflow's task SDK reads it). When the variable is missing, or a secrets backend is configured (which Airflow asks
before the environment), ``airflow.sdk`` is asked instead; only then is Airflow imported.

What a connection may hold besides host, port, login and password, in its extra:

===============  =========================================================================================
``ca_bundle``    path of a PEM file with the authorities to trust instead of the public ones
``client_cert``  path of our client certificate (PEM), for mutual TLS
``client_key``   path of its key, when it is not in the same file
``proxy``        URL of the proxy to go through; proxy variables of the environment are ignored
``path``         a folder, for systems that drop files; with it a connection may do without a host
``keys``         whom we let in, for those who ask us; with it a connection may do without a host
===============  =========================================================================================

Other keys belong to the protocol (``client_id``, ``client_secret``, ``site_id`` …) and are documented there.
"""

import configparser
import json
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from connectors.errors import ConnectionMissing

_PREFIX = "AIRFLOW_CONN_"
_BACKEND_VARIABLES = tuple(
    f"AIRFLOW__{option}{suffix}"
    for option in ("SECRETS__BACKEND", "WORKERS__SECRETS_BACKEND")
    for suffix in ("", "_CMD", "_SECRET")
)


@dataclass(slots=True)
class Turn:
    """One call's turn. ``went_well``: a complete answer came, and its status finds no fault."""

    went_well: bool = False


class Turnstile(Protocol):
    """Lets calls to a system go, one by one, within the limits that all processes share."""

    def turn(self) -> AbstractContextManager[Turn]:
        """Wait until one call may go; it is over at the end of the block. Raises ``NoTurn``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionSettings:
    """One resolved connection. ``repr`` shows where it leads, never login, password or extra.

    ``turnstile``: what every call over it must pass, where there are limits.
    """

    conn_id: str
    host: str
    port: int | None = None
    scheme: str = "http"
    login: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)
    turnstile: Turnstile | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "extra", MappingProxyType(dict(self.extra)))

    @property
    def base_url(self) -> str:
        """``scheme://host[:port]`` without a slash at the end; a host that is a URL keeps its path."""
        base = self.host if "://" in self.host else f"{self.scheme}://{self.host}"
        base = base.rstrip("/")
        if self.port is None:
            return base
        parts = urlsplit(base)
        return f"{parts.scheme}://{parts.netloc}:{self.port}{parts.path}"

    def text(self, key: str, default: str = "") -> str:
        """The extra value of ``key`` as text, ``default`` when it is absent."""
        value = self.extra.get(key)
        return default if value is None else str(value)

    def required(self, key: str, why: str) -> str:
        """The extra value of ``key``; raises ``ConnectionMissing`` that says ``why`` it is needed."""
        value = self.text(key)
        if not value:
            raise ConnectionMissing(
                self.conn_id,
                f"the connection's extra has no '{key}', needed {why}",
                f"Add it to the extra of {_variable(self.conn_id)} (or of the connection in Airflow)",
            )
        return value


def resolve(conn_id: str, environment: Mapping[str, str] | None = None) -> ConnectionSettings:
    """The settings of Airflow connection ``conn_id``; raises ``ConnectionMissing``.

    ``environment`` replaces ``os.environ`` (for tests and previews).
    """
    env = os.environ if environment is None else environment
    value = env.get(_variable(conn_id), "").strip()
    if value and not _secrets_backend_configured(env):
        return parse(conn_id, value)
    return _from_airflow(conn_id)


def parse(conn_id: str, value: str) -> ConnectionSettings:
    """Read the URI or JSON form of a connection, as Airflow does; raises ``ConnectionMissing`` without the value."""
    text = value.strip()
    try:
        fields = _from_json(text) if text.startswith("{") else _from_uri(text)
    except (ValueError, TypeError) as error:
        # The value holds a password, and most parsers quote what they read: say only which form was tried.
        form = "JSON" if text.startswith("{") else "a connection URI"
        detail = f": {error}" if isinstance(error, _ExplainedError) else ""
        raise ConnectionMissing(
            conn_id,
            f"{_variable(conn_id)} is not valid {form}{detail}",
            'Write type://login:password@host:port/https?key=value or {"conn_type": "http", "host": …, "port": …}',
        ) from None
    return _settings(conn_id, **fields)


class _ExplainedError(ValueError):
    """A parse error whose text holds nothing of the value."""


def _variable(conn_id: str) -> str:
    return _PREFIX + conn_id.upper()


def _from_json(text: str) -> dict[str, Any]:
    fields = json.loads(text)
    extra = fields.get("extra")
    port = fields.get("port")
    return {
        "conn_type": fields.get("conn_type") or "",
        "host": fields.get("host") or "",
        "port": int(port) if port else None,
        "schema": fields.get("schema") or "",
        "login": fields.get("login") or "",
        "password": fields.get("password") or "",
        "extra": _extra_object(extra),
    }


def _extra_object(extra: Any) -> dict[str, Any]:
    value = json.loads(extra) if isinstance(extra, str) and extra.strip() else extra or {}
    if not isinstance(value, dict):
        raise _ExplainedError("the extra of a connection is a JSON object")
    return value


def _from_uri(uri: str) -> dict[str, Any]:
    """Airflow's own rules: ``type://https://host`` names a protocol of its own, ``__extra__`` carries JSON."""
    protocols = uri.count("://")
    if protocols not in (1, 2):
        raise _ExplainedError("a connection URI has one or two '://'")
    conn_type = urlsplit(uri).scheme
    rest = uri.replace(f"{conn_type}://", "" if protocols == 2 else "//", 1)
    if protocols == 2 and any(mark in rest.split("://", 1)[0] for mark in "@:"):
        raise _ExplainedError("login and password come after the second '://'")
    parts = urlsplit(rest)
    host = _host_of(parts)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return {
        "conn_type": conn_type.replace("-", "_"),
        "host": f"{parts.scheme}://{host}" if protocols == 2 and host else host,
        "port": parts.port,
        "schema": unquote(parts.path[1:]),
        "login": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "extra": _extra_object(query["__extra__"]) if "__extra__" in query else query,
    }


def _host_of(parts: SplitResult) -> str:
    """The host name, percent-decoded; an encoded path inside it (``https%3A%2F%2Fhost``) keeps its case."""
    host = unquote(parts.hostname or "")
    if "/" not in host:
        return host
    return unquote(parts.netloc.rsplit("@", 1)[-1].split(":", 1)[0])


def _settings(
    conn_id: str,
    *,
    conn_type: str,
    host: str,
    port: int | None,
    schema: str,
    login: str,
    password: str,
    extra: Mapping[str, Any],
) -> ConnectionSettings:
    variable = _variable(conn_id)
    if not host and not extra.get("path") and not extra.get("keys"):
        raise ConnectionMissing(conn_id, "the connection names no host", f"Put the host into {variable}")
    if schema and schema not in ("http", "https"):
        raise ConnectionMissing(
            conn_id,
            "the connection's schema (the path of its URI) is neither 'http' nor 'https'",
            f"Write http or https there in {variable}; paths belong in the catalog's options",
        )
    return ConnectionSettings(
        conn_id=conn_id,
        host=host,
        port=port,
        # Airflow's HTTP hook takes the scheme from the schema field and ignores the type; a type 'https' can only
        # mean https, and sending a password in the clear because of a quirk helps nobody.
        scheme=schema or ("https" if conn_type == "https" else "http"),
        login=login,
        password=password,
        extra=extra,
    )


def _secrets_backend_configured(env: Mapping[str, str]) -> bool:
    """Whether Airflow would ask a secrets backend before the environment, found without importing Airflow."""
    if any(env.get(name) for name in _BACKEND_VARIABLES):
        return True
    home = env.get("AIRFLOW_HOME") or "~/airflow"
    path = Path(env.get("AIRFLOW_CONFIG") or f"{home}/airflow.cfg").expanduser()
    if not path.is_file():
        return False
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read(path, encoding="utf-8")
    except configparser.Error:
        return True  # unreadable for us: let Airflow say what is wrong with it
    options = (("secrets", "backend"), ("workers", "secrets_backend"))
    return any(
        parser.get(section, option + suffix, fallback="").strip()
        for section, option in options
        for suffix in ("", "_cmd", "_secret")
    )


def _from_airflow(conn_id: str) -> ConnectionSettings:
    try:
        from airflow.sdk import Connection
        from airflow.sdk.exceptions import AirflowException

        found = Connection.get(conn_id)
    except (ImportError, AirflowException) as error:
        example = f"http://{quote(conn_id)}-login:password@host:8080"
        raise ConnectionMissing(
            conn_id,
            f"there is no connection '{conn_id}'",
            f"Set {_variable(conn_id)}, for example to {example}, or add the connection in Airflow",
        ) from error
    return _settings(
        conn_id,
        conn_type=found.conn_type or "",
        host=found.host or "",
        port=found.port,
        schema=found.schema or "",
        login=found.login or "",
        password=found.password or "",
        extra=found.extra_dejson,
    )
