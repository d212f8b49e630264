"""P1, P3: messages of a mailbox are acknowledged once the ledger has them: killed, refused or unreadable, none is lost.

The real mailbox of the sandbox, the real source, the real ledger.
"""

from __future__ import annotations

import json
import os
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import sandboxes
from processes import PROCESSES
from sqlalchemy import text

from connectors.catalog import FOLDER, Catalog, load_entry
from connectors.catalog_models import SourceEntry
from connectors.errors import ConnectorError
from ledger.engine import open_engine
from ledger.sealing import Sealer
from sync.context import Context
from sync.pull import PullReport, plan, pull

AS_OF = datetime.fromisoformat("2026-06-30T17:00:00+07:00")
PATIENCE_S = 60.0
ACKNOWLEDGING = "updateStatusReceiver"


@dataclass(frozen=True)
class Mailbox:
    """The running mailbox."""

    port: int

    def control(self, path: str, body: Any = None, method: str | None = None) -> bytes:
        data = None if body is None else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.port}/_sandbox/{path}"
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return bytes(answer.read())

    @property
    def sent(self) -> int:
        return int(json.loads(self.control("messages"))["sent"])

    @property
    def acknowledged(self) -> int:
        return int(json.loads(self.control("messages"))["acknowledged"])

    def truth(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.control("truth").splitlines()]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailbox]:
    home = tmp_path_factory.mktemp("sandbox")
    with sandboxes.running(home, ["tanso"], size=1500, as_of=AS_OF) as told, pytest.MonkeyPatch.context() as patch:
        for name, value in told["connections"].items():
            patch.setenv(name, value)
        yield Mailbox(told["tanso"]["port"])


@pytest.fixture
def mailbox(running: Mailbox) -> Iterator[Mailbox]:
    """The mailbox with every message waiting, and nothing wrong with it."""
    running.control("messages", method="DELETE")
    yield running
    running.control("faults", method="DELETE")
    running.control("break", method="DELETE")


class Ledger:
    """An empty ledger, and pulling the mailbox into it."""

    def __init__(self, url: str, key: bytes) -> None:
        entry = load_entry(FOLDER / "tanso.yaml")
        assert isinstance(entry, SourceEntry)
        small = entry.model_copy(update={"pull": entry.pull.model_copy(update={"page_size": 15})})
        catalog = Catalog(sources=(small,), targets=(), folder=Path())
        self.context = Context(engine=open_engine(url), sealer=Sealer(key), catalog=catalog)

    def pull(self) -> PullReport:
        (whole,) = plan(self.context, "tanso", now=AS_OF)
        return pull(self.context, whole, started_by="test", now=AS_OF)

    def rows(self, query: str) -> list[Any]:
        with self.context.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query))]

    def stored(self) -> int:
        """How many messages have been stored, those told again counted again."""
        return int(self.rows("SELECT coalesce(sum(fetched), 0) FROM pull_run")[0][0])

    def steps(self) -> list[tuple[Any, ...]]:
        """What is known of all dossiers, in whatever order it came."""
        return self.rows(
            "SELECT code, dossier.state, step_no, at, dossier_step.state FROM dossier"
            " JOIN dossier_step ON dossier_step.dossier_id = dossier.id ORDER BY code, at, step_no"
        )

    def states(self) -> dict[str, int]:
        return dict(self.rows("SELECT code, state FROM dossier"))


@pytest.fixture
def ledger(own_database_url: str, data_key: bytes) -> Iterator[Ledger]:
    opened = Ledger(own_database_url, data_key)
    yield opened
    opened.context.engine.dispose()


@pytest.fixture(scope="module")
def reference(database_url: str, data_key: bytes, running: Mailbox) -> Iterator[Ledger]:
    """A ledger that got every message once, undisturbed."""
    running.control("messages", method="DELETE")
    opened = Ledger(database_url, data_key)
    opened.pull()
    yield opened
    opened.context.engine.dispose()


def _pull(url: str, key: bytes, variables: dict[str, str]) -> None:
    """In a process of its own, to be killed."""
    os.environ.update(variables)
    Ledger(url, key).pull()


def test_p1_all_messages_are_stored_and_acknowledged_and_do_not_come_again(mailbox: Mailbox, ledger: Ledger) -> None:
    report = ledger.pull()
    assert report.pages > 2
    assert report.fetched == mailbox.sent == mailbox.acknowledged
    assert ledger.states() == {row["code"]: row["state"] for row in mailbox.truth()}
    assert ledger.pull().fetched == 0


def test_p3_killed_before_it_acknowledges_it_gets_the_messages_again_and_doubles_nothing(
    mailbox: Mailbox, reference: Ledger, ledger: Ledger, own_database_url: str, data_key: bytes
) -> None:
    mailbox.control("faults", {"mode": "slow", "seconds": 3600, "times": 1000, "operation": ACKNOWLEDGING})
    variables = {name: value for name, value in os.environ.items() if name.startswith("AIRFLOW_CONN_")}
    process = PROCESSES.Process(target=_pull, args=(own_database_url, data_key, variables))
    process.start()
    deadline = time.monotonic() + PATIENCE_S
    while ledger.stored() == 0:
        assert time.monotonic() < deadline, "nothing is stored"
        time.sleep(0.05)
    process.kill()
    process.join()
    assert mailbox.acknowledged == 0

    mailbox.control("faults", method="DELETE")
    report = ledger.pull()
    assert report.fetched == mailbox.sent == mailbox.acknowledged
    assert ledger.steps() == reference.steps() != []


def test_p1_an_acknowledgement_that_fails_fails_the_run_and_the_messages_come_again(
    mailbox: Mailbox, reference: Ledger, ledger: Ledger
) -> None:
    mailbox.control("faults", {"mode": "drop-before", "times": 1000, "operation": ACKNOWLEDGING})
    with pytest.raises(ConnectorError):
        ledger.pull()
    assert ledger.rows("SELECT status FROM pull_run") == [("failed",)]
    assert ledger.stored() > 0
    assert mailbox.acknowledged == 0

    mailbox.control("faults", method="DELETE")
    assert ledger.pull().fetched == mailbox.sent == mailbox.acknowledged
    assert ledger.steps() == reference.steps() != []


def test_p3_an_acknowledgement_whose_answer_is_lost_is_sent_again(mailbox: Mailbox, ledger: Ledger) -> None:
    mailbox.control("faults", {"mode": "apply-then-drop", "times": 2, "operation": ACKNOWLEDGING})
    assert ledger.pull().fetched == mailbox.sent == mailbox.acknowledged
    assert ledger.pull().fetched == 0


def test_p1_a_message_of_an_unknown_kind_is_set_aside_and_acknowledged(mailbox: Mailbox, ledger: Ledger) -> None:
    strange = mailbox.truth()[0]
    mailbox.control("break", {"codes": [strange["code"]], "how": "unknown-status"})
    report = ledger.pull()
    assert report.quarantined == strange["steps"]
    assert report.fetched == mailbox.sent == mailbox.acknowledged
    assert strange["code"] not in ledger.states()
    assert {rule for (rule,) in ledger.rows("SELECT rule FROM quarantine")} == {"unknown-code"}
    assert ledger.rows("SELECT sum(times_seen) FROM quarantine") == [(strange["steps"],)]
