"""How the monitor reads the ledger: rarely, patiently, and never for nothing."""

from datetime import UTC, datetime, timedelta

import pytest
from monitor_ledger import DOSSIERS, MISSING, REFUSED, fill
from sqlalchemy import Engine

from ledger.errors import LedgerUnavailable, SchemaOutOfDate
from ledger.sealing import Sealer
from plugins.reading import FRESH_FOR, Reader
from sync.health import Health

NOW = datetime.now(UTC)


@pytest.fixture
def reader(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Reader:
    """A reader of this module's ledger."""
    monkeypatch.setenv("HOSYNC_DATABASE_URL", database_url)
    return Reader()


def test_it_is_patient_then_shows_what_is_there(reader: Reader, engine: Engine, sealer: Sealer) -> None:
    empty = reader.read(NOW)
    assert empty.dossiers == 0
    assert {row.health for row in (*empty.sources, *empty.targets)} == {Health.NEVER}
    fill(engine, sealer)
    assert reader.read(NOW + FRESH_FOR / 2) is empty
    page = reader.read(NOW + FRESH_FOR)
    assert (page.dossiers, page.quarantined, page.open_breaks) == (DOSSIERS, 1, MISSING)
    (npsp,) = [row for row in page.targets if row.dag_ids == ("push_npsp", "reconcile_npsp")]
    assert (npsp.delivered, npsp.rejected, npsp.doubt, npsp.due) == (DOSSIERS - REFUSED, REFUSED, 0, 0)
    assert npsp.breaks == (("missing_at_target", MISSING),)
    assert npsp.last is not None
    assert (npsp.last.unit, npsp.last.matched, npsp.last.ours) == ("asked_for", 7, 10)


def test_while_one_thread_reads_the_others_get_the_last_answer(reader: Reader) -> None:
    last = reader.read(NOW)
    with reader._guard:
        assert reader.read(NOW + timedelta(hours=1)) is last


def test_tables_of_another_version_are_named(
    reader: Reader, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOSYNC_DATABASE_URL", empty_database_url)
    with pytest.raises(SchemaOutOfDate, match="run the migrations"):
        reader.read(NOW)


def test_a_missing_database_is_said_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOSYNC_DATABASE_URL", "postgresql+psycopg://u:hush@127.0.0.1:1/x")
    with pytest.raises(LedgerUnavailable) as raised:
        Reader().read(NOW)
    assert "hush" not in str(raised.value)
