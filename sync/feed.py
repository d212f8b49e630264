"""Where a dossier stands, for those who ask: kiosks, contact centres, other portals. Nothing personal is read.

Who may ask is written in the connection ``hosync_feed``, whose extra holds ``keys``: the name of each caller and the
SHA-256 of its key, so that the connection gives no key away. A caller may ask so many times a minute, counted in the
ledger over all processes together. What is answered is made by the mapping of the status feed: those who ask and those
who are told hear the same words.
"""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

import orjson

import mappings
from connectors import connections
from connectors.errors import ConnectionMissing, ConnectorError
from ledger import public
from ledger.engine import open_engine
from ledger.errors import LedgerError
from ledger.migrate import require_current
from mappings.errors import MappingError
from schemas.identifiers import dossier_short

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from connectors.connections import ConnectionSettings

CONNECTION = "hosync_feed"
"""The Airflow connection that names the callers."""
MAPPING = "feed"
"""The mapping whose words are used."""

_log = logging.getLogger("hosync.feed")

_DIGEST = re.compile(r"[0-9a-f]{64}")
_PER_MINUTE = 120
_KEYS_FRESH_S = 60.0
_RETRY_S = 60
_LONGEST_CODE = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What goes back: an HTTP status, a JSON body, and headers."""

    status: int
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and how often it may."""

    name: str
    per_minute: int


class FeedDesk:
    """Answers. Safe to share between threads; opens no database before the first caller was let in."""

    def __init__(
        self,
        *,
        open_ledger: Callable[[], Engine],
        resolve: Callable[[str], ConnectionSettings] = connections.resolve,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``open_ledger`` is called again after it failed; ``resolve`` gives the settings of a connection."""
        self._open_ledger = open_ledger
        self._resolve = resolve
        self._monotonic = monotonic
        self._guard = threading.Lock()
        self._engine: Engine | None = None
        self._callers: Mapping[str, Caller] = {}
        self._read_at = float("-inf")

    @classmethod
    def from_env(cls) -> FeedDesk:
        """For the ledger and the connection that the environment names."""
        return cls(open_ledger=_open_current)

    def dossier(self, key: str | None, code: str, *, system: str | None = None, etag: str | None = None) -> Answer:
        """Where the dossier of ``code``, or of ``system``'s own id, stands; ``etag`` is what the caller holds."""
        try:
            caller = self._caller(key)
            if caller is None:
                return _answer(401, {"detail": "Unauthorized"}, {"WWW-Authenticate": "ApiKey"})
            minute = public.count_call(self._ledger(), caller.name)
            if minute.calls > caller.per_minute:
                return _answer(429, {"detail": "Too Many Requests"}, {"Retry-After": str(ceil(minute.left_s))})
            found = self._found(code, system)
        except (ConnectorError, LedgerError, MappingError) as error:
            _log.error("The status feed cannot answer: %s", error)
            return _answer(503, {"detail": "Service Unavailable"}, {"Retry-After": str(_RETRY_S)})
        # The same for a code that is unknown, malformed or hidden: what is not there tells nothing.
        return _answer(404, {"detail": "Not Found"}) if found is None else _with_etag(found, etag)

    def is_ready(self) -> bool:
        """Whether the next caller could be answered."""
        try:
            public.find(self._ledger(), "-")
            self._caller(None)
            mappings.load(MAPPING, mappings.Direction.TARGET)
        except (ConnectorError, LedgerError, MappingError) as error:
            _log.error("The status feed is not ready: %s", error)
            return False
        return True

    def close(self) -> None:
        """Close the ledger."""
        with self._guard:
            if self._engine is not None:
                self._engine.dispose()
            self._engine = None

    def _found(self, code: str, system: str | None) -> dict[str, Any] | None:
        if len(code) > _LONGEST_CODE or "\x00" in code or "\x00" in (system or ""):
            return None
        engine = self._ledger()
        wanted = public.code_of(engine, system, code) if system else _short(code)
        dossier = public.find(engine, wanted) if wanted else None
        if dossier is None:
            return None
        mapping = mappings.load(MAPPING, mappings.Direction.TARGET)
        told = mapping.convert_dossiers([dossier.record])
        if not told.good:
            _log.error("The mapping '%s' cannot tell of a dossier: %s", MAPPING, told.bad[0].message)
            return None
        steps = [
            {k: v for k, v in step.items() if k != "code"} for _, step in mapping.convert_steps(dossier.steps).good
        ]
        return {**told.good[0][1], "steps": steps}

    def _caller(self, key: str | None) -> Caller | None:
        with self._guard:
            # Asked for again from time to time, so that a key can be given and taken while everything runs.
            if self._monotonic() - self._read_at > _KEYS_FRESH_S:
                self._callers = read_callers(self._resolve(CONNECTION))
                self._read_at = self._monotonic()
        return self._callers.get(digest(key)) if key else None

    def _ledger(self) -> Engine:
        with self._guard:
            if self._engine is None:
                self._engine = self._open_ledger()
            return self._engine


def digest(key: str) -> str:
    """What is written down of a key. Keys are long and random, so a plain hash gives nothing away."""
    return hashlib.sha256(key.encode()).hexdigest()


def new_key() -> str:
    """A fresh key: 256 random bits."""
    return f"hosync_{secrets.token_urlsafe(32)}"


def read_callers(settings: ConnectionSettings) -> Mapping[str, Caller]:
    """The callers by the digest of their key; raises ``ConnectionMissing`` that says what is wrong with one."""
    keys = settings.extra.get("keys")
    if not isinstance(keys, Mapping):
        raise _wrong(settings, "its extra has no 'keys'")
    callers: dict[str, Caller] = {}
    for name, given in keys.items():
        rule = given if isinstance(given, Mapping) else {"sha256": given}
        hashed, per_minute = rule.get("sha256"), rule.get("per_minute", _PER_MINUTE)
        if not isinstance(hashed, str) or not _DIGEST.fullmatch(hashed.lower()):
            raise _wrong(settings, f"the key of '{name}' is not given by its SHA-256")
        if not isinstance(per_minute, int) or isinstance(per_minute, bool) or per_minute < 1:
            raise _wrong(settings, f"'per_minute' of '{name}' is not a number from 1")
        callers[hashed.lower()] = Caller(str(name), per_minute)
    return callers


def _wrong(settings: ConnectionSettings, problem: str) -> ConnectionMissing:
    fix = "Make a key with `hosync feed --new-key NAME`, and put what it prints into the extra"
    return ConnectionMissing(settings.conn_id, f"the callers of the status feed are not known: {problem}", fix)


def _open_current() -> Engine:
    engine = open_engine()
    try:
        require_current(engine)
    except LedgerError:
        engine.dispose()
        raise
    return engine


def _short(code: str) -> str:
    try:
        return dossier_short(code)
    except ValueError:
        return code


def _with_etag(value: Mapping[str, Any], held: str | None) -> Answer:
    body = orjson.dumps(value)
    etag = f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
    # The caller may keep the answer, but asks each time whether it still holds.
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    held_tags = {tag.strip().removeprefix("W/") for tag in (held or "").split(",")}
    if etag in held_tags or "*" in held_tags:
        return Answer(status=304, body=b"", headers=headers)
    return Answer(status=200, body=body, headers=headers)


def _answer(status: int, value: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status=status, body=orjson.dumps(value), headers={"Cache-Control": "no-store", **(headers or {})})
