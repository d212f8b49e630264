"""One source of a running sandbox and a ledger that starts empty each time: the story of pulls that are killed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from crashing import Ended
from living_province import Province
from sqlalchemy import Engine, text

from ledger.intake import start_pull, store_page
from ledger.sealing import Sealer
from ledger.types import PageIntake, PullMode
from schemas.dossier import Dossier
from schemas.times import VN

_WIPE = text("""
    DO $$ BEGIN EXECUTE (
        SELECT string_agg(format('DELETE FROM %I', relname), ';')
        FROM (
            SELECT relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
            WHERE nspname = 'public' AND relkind IN ('r', 'p') AND NOT relispartition AND relname <> 'alembic_version'
            ORDER BY relname IN ('dossier', 'pull_run')
        ) tables
    ); END $$
""")
_CONTENT = {
    "dossiers": "SELECT code, state, home_system, source_at, last_step FROM dossier ORDER BY code",
    "steps": """SELECT code, at, step.state, step_no FROM dossier_step step JOIN dossier ON dossier.id = dossier_id
                ORDER BY code, at, step.state""",
    "readings": "SELECT system, source_id, state FROM dossier_reading ORDER BY 1, 2",
    "set aside": "SELECT system, record_key, rule FROM quarantine WHERE state = 'open' ORDER BY 1, 2, 3",
    # To the hour, or now; where it is a place in the inbox, how many calls are behind it.
    "cursors": """SELECT system, CASE WHEN value ~ '^[0-9]+$'
                                 THEN (SELECT count(*) FROM inbox WHERE message_id > value::bigint)::text
                                 WHEN value::timestamptz > now() - interval '1 h' THEN 'now'
                                 ELSE left(value, 13) END FROM pull_cursor ORDER BY 1""",
    "disappeared": "SELECT code FROM disappeared JOIN dossier ON dossier.id = dossier_id ORDER BY 1",
}
_WITHOUT_TIMES = {
    "dossiers": "SELECT code, state, home_system, last_step FROM dossier ORDER BY code",
    "steps": """SELECT code, step.state, step_no FROM dossier_step step JOIN dossier ON dossier.id = dossier_id
                ORDER BY code, step_no, step.state""",
}
_VERSIONS = "SELECT code, version FROM dossier ORDER BY code"
_CHANGED = "SELECT system, sum(changed) FROM pull_run WHERE changed > 0 GROUP BY system ORDER BY system"
_EQUATION = """
    SELECT system, status, fetched - new_ - changed - unchanged - stale - quarantined AS lost, new_
    FROM pull_run WHERE system = ANY(:systems)
"""


@dataclass
class Pulls:
    """What a pull of ``system`` leaves in the ledger, whatever happened to it on the way.

    ``before`` brings everything back to where it was: the ledger is empty already, what the source hands out only once
    is handed out again. ``tells_all``: all that is true of the source is told in one pull; else the test must look at
    the ``content``. Of a queue, a dossier's messages may come in one page or in several, and so make one version of it
    or several; one that comes again, late, is kept in the history, without a number, and told to nobody.
    ``arguments``: what else the pull is told. ``tells_times``: the source says since when a dossier is in its state;
    else that is when we saw it.
    """

    system: str
    province: Province
    engine: Engine
    before: Callable[[], object] = lambda: None
    tells_all: bool = True
    is_a_queue: bool = False
    tells_times: bool = True
    arguments: Sequence[str] = ()
    content: Mapping[str, Sequence[Any]] = field(default_factory=dict)  # after a pull that nobody killed

    @property
    def command(self) -> tuple[str, ...]:
        """What is killed."""
        return ("pull", self.system, *self.arguments, "--json")

    @property
    def held(self) -> dict[str, int]:
        """Code and state of every dossier in the ledger."""
        return {row.code: row.state for row in self.content["dossiers"]}

    def something_happens(self) -> None:
        """The source has everything to tell, and the ledger knows nothing."""
        wipe(self.engine)
        self.before()

    def time_passes(self) -> None:
        """A pull holds nothing that would have to run out."""

    def is_idle(self, ended: Ended) -> bool:
        """Whether the pull came to its end."""
        return ended.code == 0

    def check(self) -> None:
        """The ledger knows what the source tells, each dossier was new once, and nothing else is to be seen."""
        queries = _CONTENT if self.tells_times else _CONTENT | _WITHOUT_TIMES
        with self.engine.connect() as connection:
            content = {name: connection.execute(text(query)).all() for name, query in queries.items()}
            runs = connection.execute(text(_EQUATION), {"systems": [self.system]}).all()
            versions, changed = (connection.execute(text(query)).all() for query in (_VERSIONS, _CHANGED))
        if self.tells_all:
            truth = {row["code"]: row["state"] for row in self.province.lines(self.system, "truth")}
            assert {row.code: row.state for row in content["dossiers"]} == truth
        assert [run for run in runs if run.lost or run.status == "running"] == []
        assert sum(run.new_ for run in runs) == sum(row.home_system == self.system for row in content["dossiers"])
        if self.is_a_queue:
            content["steps"] = [row for row in content["steps"] if row.step_no is not None]
        found = content if self.is_a_queue else {**content, "versions": versions, "changed": changed}
        self.content = self.content or found
        for name, rows in found.items():
            assert rows == self.content[name], f"{name}: {set(map(tuple, rows)) ^ set(map(tuple, self.content[name]))}"


def wipe(engine: Engine) -> None:
    """An empty ledger."""
    with engine.begin() as connection:
        connection.execute(_WIPE)


def planted(
    engine: Engine,
    sealer: Sealer,
    system: str,
    code: str,
    *,
    at: datetime = datetime(2026, 1, 2, 8, tzinfo=VN),
    cursor: str | None = None,
    **more: Any,
) -> None:
    """The system has told of a dossier before, and perhaps of all up to ``cursor``; it is being worked on."""
    dossier = Dossier.model_validate(
        {
            "code": code,
            "source_id": code,
            "procedure_code": "1.990101",
            "agency_code": "H12.04",
            "channel": 2,
            "subject_kind": 1,
            "state": 4,
            "state_at": at,
            "changed_at": at,
            "applicant": {"name": "Nguyễn Văn Mẫu", "identity_kind": 1, "identity_number": "000099000001"},
        }
        | more
    )
    run = start_pull(engine, system=system, mode=PullMode.INCREMENTAL, window=None, started_by="test")
    page = PageIntake(
        run_id=run,
        system=system,
        precedence=10,
        number=1,
        raw=b"former page",
        media_type="text/csv",
        fetched_at=at,
        fetched=1,
        dossiers=[dossier],
        problems=(),
        cursor=cursor,
        mapping_version="1",
    )
    store_page(engine, sealer, page)


def with_small_pages(
    environment: Mapping[str, str], folder: Path, changed: Mapping[str, Mapping[str, Any]]
) -> dict[str, str]:
    """The environment with a catalog in which these systems are pulled in another way, by keys of ``pull``."""
    folder.mkdir()
    for file in Path(environment["HOSYNC_CATALOG"]).glob("*.yaml"):
        entry = yaml.safe_load(file.read_text())
        if entry["system"] in changed:
            entry["pull"] |= changed[entry["system"]]
        (folder / file.name).write_text(yaml.safe_dump(entry, allow_unicode=True))
    return {**environment, "HOSYNC_CATALOG": str(folder)}
