"""The catalog as a table, with what a real ledger tells beside it."""

from datetime import UTC, datetime, timedelta

from connectors.catalog import load_catalog
from ledger.intake import finish_pull, start_pull
from ledger.types import PullMode
from sync.context import Context
from sync.health import Health
from sync.systems import systems

NOW = datetime.now(UTC)


def test_without_a_ledger_the_catalog_alone_is_shown():
    catalog = load_catalog()
    lines = systems(catalog, None, NOW)
    assert [line.system for line in lines] == [entry.system for entry in catalog]
    assert {line.health for line in lines} == {None}


def test_each_system_says_how_it_is_doing(engine, sealer):
    context = Context(engine=engine, sealer=sealer, catalog=load_catalog())
    for system, error in (("gplx", None), ("igate", "igate: the answer was cut")):
        run = start_pull(engine, system=system, mode=PullMode.INCREMENTAL, window=None, started_by="test")
        finish_pull(engine, run, error=error)

    found = {line.system: line for line in systems(context.catalog, context, NOW)}
    assert (found["gplx"].health, found["igate"].health, found["dkkd"].health) == (
        Health.GOOD,
        Health.FAILED,
        Health.NEVER,
    )
    assert found["gplx"].lag_s is not None
    assert found["igate"].lag_s is None
    assert found["npsp"].health is Health.NEVER

    later = {line.system: line for line in systems(context.catalog, context, NOW + timedelta(hours=3))}
    assert later["gplx"].health is Health.LATE
