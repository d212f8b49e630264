"""A ledger, one target of the sandbox, and dossiers that go on living: the story of pushes that are killed."""

from __future__ import annotations

import base64
import logging
import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

import yaml
from crashing import Ended
from dossiers import T0, code, dossier
from serving import Served, served
from sqlalchemy import Engine, text

from connectors.catalog import FOLDER
from ledger.intake import start_pull, store_page
from ledger.sealing import Sealer
from ledger.types import PageIntake, PullMode
from sandbox.connections import CONNECTIONS
from sandbox.servers import SERVERS
from schemas.dossier import Dossier
from schemas.identifiers import dossier_short

_LIFE = (2, 4, 9)
_ASKED = ("npsp",)  # a record in doubt is looked up, and what is shown proves whether it was taken
_EMC = {2: 1, 4: 2, 9: 3}
_AT_ONCE = 2  # calls, and messages in one where the target takes several
_IMPATIENT: Mapping[str, Any] = {
    "timeouts": {"connect_s": 2, "read_s": 5, "total_s": 8},
    "concurrency": _AT_ONCE,
    "reconcile": {"grace_s": 0, "heal_share": 1, "heal_limit": 500},
}
SMALL_BATCHES = {
    # So that all lanes have work although there is little of it.
    "sync.deliver._CLAIM_CALLS": 1,
    "sync.deliver._CLAIM_AT_LEAST": 2,
    "sync.decisions._MAX_DELAY_S": 0.05,
    "sync.deliver._OTHERS_LONGEST_S": 0,  # they are dead
}


def _lived(number: int, steps: int) -> Dossier:
    moments = [T0 + timedelta(hours=hour) for hour in range(steps)]
    state, at = _LIFE[steps - 1], moments[-1]
    return dossier(
        number,
        state=state,
        hours=steps - 1,
        finished_at=at if state == 9 else None,
        steps=[{"at": moment, "state": one} for moment, one in zip(moments, _LIFE, strict=False)],
    )


@dataclass
class Deliveries:
    """What one target must come to hold, what it holds, and what was really written there."""

    target: str
    engine: Engine
    sealer: Sealer
    server: Served
    lives: dict[str, int] = field(default_factory=dict)  # by code: so many steps
    _pages: Iterator[int] = field(default_factory=count)

    @property
    def command(self) -> tuple[str, ...]:
        """What is killed."""
        return ("push", self.target, "--json")

    def something_happens(self) -> None:
        """Two new dossiers, and one of the last time goes on."""
        first = len(self.lives) + 1
        told = [(first, 2), (first + 1, 1)]
        if first > 1:
            told.append((first - 2, 3))
        self.lives |= {code(number): steps for number, steps in told}
        number = next(self._pages)
        run = start_pull(self.engine, system="gplx", mode=PullMode.INCREMENTAL, window=None, started_by="test")
        page = PageIntake(
            run_id=run,
            system="gplx",
            precedence=10,
            number=number,
            raw=f"page {number}".encode(),
            media_type="application/json",
            fetched_at=datetime.now(UTC),
            fetched=len(told),
            dossiers=[_lived(number, steps) for number, steps in told],
            problems=(),
            cursor=None,
            mapping_version="1",
        )
        store_page(self.engine, self.sealer, page)

    def time_passes(self) -> None:
        """Leases and slots of the dead run out."""
        with self.engine.begin() as connection:
            connection.execute(text("UPDATE delivery_lease SET until = now() - interval '1 s'"))
            connection.execute(text("UPDATE target_gate SET holders = '[]', rest_until = NULL, asked_until = NULL"))

    def is_idle(self, ended: Ended) -> bool:
        """Whether a push has left nothing."""
        return not ended.was_killed and not ended.said["deliveries"][0]["remaining"]

    def check(self) -> None:
        """Nothing is missing, nothing was applied twice, nothing went backwards."""
        self.check_that_nothing_is_missing()
        self.check_that_nothing_was_applied_twice()
        self.check_that_nothing_went_backwards()
        if self.target in _ASKED:
            self.check_that_it_is_asked_before_a_new_dossier_is_sent_again()

    def check_that_nothing_is_missing(self, besides: Collection[str] = ()) -> None:
        """The target holds every dossier in its last state, with every step, once; and nothing ``besides`` these."""
        held = {dossier_short(each["code"]): each["state"] for each in self.server.control("dossiers")}
        assert {code: held.pop(code, None) for code in self.lives} == {
            code: _LIFE[steps - 1] for code, steps in self.lives.items()
        }
        assert held.keys() == set(besides)
        if self.target != "feed":  # which is told states, not steps
            steps = Counter((dossier_short(each["code"]), each["state"]) for each in self.server.control("steps"))
            assert steps == Counter((code, state) for code, steps in self.lives.items() for state in _LIFE[:steps])

    def check_that_nothing_was_applied_twice(self) -> None:
        """No write with the same content changed something twice."""
        applied = Counter((w["operation"], w["code"], w["key"], w["body_hash"]) for w in self.writes())
        assert [message for message, times in applied.items() if times > 1] == []

    def check_that_nothing_went_backwards(self) -> None:
        """No dossier was told an older state after a newer one."""
        last: dict[tuple[str, str], int] = {}
        for write in self.writes():
            kind = (write["operation"], write["code"])
            assert write["state"] >= last.get(kind, 0), f"{kind} went back to {write['state']}"
            last[kind] = write["state"]

    def check_that_it_is_asked_before_a_new_dossier_is_sent_again(self) -> None:
        """No target heard the first record of a dossier twice, not even in vain: it would have shown it."""
        first: dict[str, str] = {}
        for write in self.server.control("writes"):
            if write["key"] == write["code"]:
                assert write["body_hash"] != first.get(write["code"]), f"{write['code']} was sent again unasked"
                first.setdefault(write["code"], write["body_hash"])

    def their_codes(self) -> dict[str, str]:
        """How the target writes our codes."""
        return {dossier_short(each["code"]): each["code"] for each in self.server.control("dossiers")}

    def writes(self) -> list[dict[str, Any]]:
        """What was really applied, repetitions that changed nothing left out."""
        return [write for write in self.server.control("writes") if write["effect"] != "noop"]


class CountedEvents(Deliveries):
    """EMC: at most once; what may be missing is written down as doubtful, and it is no more than was on its way."""

    _doubtful: int = 0

    def check(self) -> None:
        """See above."""
        told = Counter((dossier_short(each["code"]), each["state"]) for each in self.server.control("steps"))
        due = Counter((code, _EMC[state]) for code, steps in self.lives.items() for state in _LIFE[:steps])
        assert told - due == Counter(), "told twice, or what never happened"
        with self.engine.connect() as connection:
            rows = connection.execute(
                text("SELECT code, doubtful_send.state FROM doubtful_send JOIN dossier ON dossier.id = dossier_id")
            ).all()
        doubtful = Counter((row.code, _EMC[row.state]) for row in rows)
        assert due - told - doubtful == Counter(), "missing, and nobody knows"
        assert max(doubtful.values(), default=0) <= 1
        newly, self._doubtful = doubtful.total() - self._doubtful, doubtful.total()
        assert newly <= 2 * _AT_ONCE, f"{newly} events in doubt after two kills at most, {_AT_ONCE} calls at once"


@contextmanager
def target_under_fire(
    target: str, home: Path, database_url: str, engine: Engine, sealer: Sealer, data_key: bytes, **changed: Any
) -> Iterator[tuple[Deliveries, Mapping[str, str]]]:
    """The target with a ledger of its own, and the environment in which `hosync` works on them.

    ``changed``: what else its catalog entry shall say.
    """
    folder = home / "catalog"
    folder.mkdir()
    entry = yaml.safe_load((FOLDER / f"{target}.yaml").read_text())
    for key, value in {**_IMPATIENT, **changed}.items():
        entry[key] = {**entry.get(key, {}), **value} if isinstance(value, Mapping) else value
    # Both, since what is claimed at once goes by the larger, whichever the target takes.
    entry["batch"] = {name: min(entry["batch"].get(name, 1), _AT_ONCE) for name in ("dossiers", "steps")}
    (folder / f"{target}.yaml").write_text(yaml.safe_dump(entry, allow_unicode=True))
    at, kind = CONNECTIONS[target], CountedEvents if target == "emc" else Deliveries
    build = import_module(SERVERS[target]).build
    with served(build, home, name=target, password=at.password, **at.extra) as server:
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # it would tell of every caller that dies
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW_", "HOSYNC_"))},
            f"AIRFLOW_CONN_{target.upper()}": server.connection,
            "HOSYNC_CATALOG": str(folder),
            "HOSYNC_DATABASE_URL": database_url,
            "HOSYNC_DATA_KEY": base64.b64encode(data_key).decode(),
            "HOSYNC_LANG": "en",
        }
        yield kind(target, engine, sealer, server), environment
