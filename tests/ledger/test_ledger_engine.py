"""The door to the database: what a wrong URL or a dead server looks like."""

import pytest

from ledger.engine import URL_VARIABLE, open_engine, transaction
from ledger.errors import LedgerUnavailable


def test_the_environment_names_the_database(monkeypatch: pytest.MonkeyPatch, database_url: str) -> None:
    monkeypatch.setenv(URL_VARIABLE, database_url)
    engine = open_engine()
    with transaction(engine) as cursor:
        assert cursor.execute("SHOW timezone").fetchone() == ("UTC",)
    engine.dispose()


def test_a_missing_url_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(URL_VARIABLE, raising=False)
    with pytest.raises(LedgerUnavailable, match=URL_VARIABLE):
        open_engine()


@pytest.mark.parametrize(
    "url",
    ["postgresql//secret@nowhere", "sqlite:///secret.db", "postgresql+psycopg://me:secret@127.0.0.1:1/ledger"],
)
def test_a_url_that_leads_nowhere_is_explained_without_its_password(url: str) -> None:
    with pytest.raises(LedgerUnavailable) as caught:
        open_engine(url)
    assert "secret@" not in str(caught.value)
    assert ":secret" not in str(caught.value)


def test_a_connection_that_dies_in_a_transaction_is_a_ledger_unavailable(database_url: str) -> None:
    engine, other = open_engine(database_url), open_engine(database_url)

    def doomed() -> None:
        with transaction(engine) as cursor:
            pid = cursor.connection.info.backend_pid
            with transaction(other) as killer:
                killer.execute("SELECT pg_terminate_backend(%s)", [pid])
            cursor.execute("SELECT pg_sleep(1)")

    with pytest.raises(LedgerUnavailable, match="try again"):
        doomed()
    with transaction(engine) as cursor:
        assert cursor.execute("SELECT 1").fetchone() == (1,)
    engine.dispose()
    other.dispose()
