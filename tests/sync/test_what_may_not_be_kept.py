"""What a catalog entry cuts is nowhere in the ledger, sealed or not: judicial records pulled through the real thing."""

import json
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import sandboxes
import zstandard
from sqlalchemy import Engine, inspect, text

from connectors.catalog import FOLDER, Catalog, load_entry
from connectors.catalog_models import SourceEntry
from connectors.connections import parse
from ledger.errors import WrongDataKey
from ledger.sealing import Sealer
from sandbox.systems.lltp import SECRET
from sync.context import Context
from sync.pull import plan, pull

AS_OF = datetime.fromisoformat("2026-06-30T17:00:00+07:00")
FORBIDDEN = (SECRET, "phieuLLTP", "thongTinAn", "tinhTrangAnTich", "soPhieuLLTP")


@pytest.fixture(scope="module")
def announced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Any]]:
    """A running home system and the ministry's."""
    home = tmp_path_factory.mktemp("sandbox")
    with sandboxes.running(home, ["igate", "lltp"], size=3000, as_of=AS_OF) as told:
        yield told


@pytest.fixture
def context(engine: Engine, sealer: Sealer, announced: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch) -> Context:
    """An empty ledger, the two systems, and their connections."""
    for name, value in announced["connections"].items():
        monkeypatch.setenv(name, value)
    return Context(engine=engine, sealer=sealer, catalog=catalog(entry("igate"), entry("lltp")))


def entry(system: str) -> SourceEntry:
    found = load_entry(FOLDER / f"{system}.yaml")
    assert isinstance(found, SourceEntry)
    return found


def catalog(*sources: SourceEntry) -> Catalog:
    return Catalog(sources=sources, targets=(), folder=Path())


def pulled(context: Context, system: str) -> int:
    (whole,) = plan(context, system, now=AS_OF)
    report = pull(context, whole, started_by="test", now=AS_OF)
    assert report.quarantined == 0
    return report.fetched


def certificates(announced: Mapping[str, Any]) -> list[str]:
    """The certificates that the ministry hands out about all its dossiers, as it is asked for them one by one."""
    settings = parse("lltp", announced["connections"]["AIRFLOW_CONN_LLTP"])
    with urllib.request.urlopen(f"{settings.base_url}/_sandbox/truth") as answer:
        codes = [json.loads(line)["source_id"] for line in answer.read().splitlines()]
    found = []
    for code in codes:
        body = json.dumps({"authKey": settings.password, "maTinh": "96", "maHoSoMCDT": code}).encode()
        request = urllib.request.Request(settings.base_url + settings.required("status_path", "to ask"), body)
        with urllib.request.urlopen(request) as answer:
            (record,) = json.loads(answer.read())["value"]
        found += [record["ketQuaXuLy"]["phieuLLTP"]] if record["ketQuaXuLy"] else []
    return found


def everything(engine: Engine, sealer: Sealer) -> Iterator[bytes]:
    """All that stands in any column of any table; what is sealed or compressed also opened."""
    with engine.connect() as connection:
        for table in inspect(connection).get_table_names():
            for row in connection.execute(text(f'SELECT * FROM "{table}"')):
                for value in row:
                    yield from opened(value, sealer)


def opened(value: object, sealer: Sealer) -> Iterator[bytes]:
    if not isinstance(value, bytes | memoryview):
        yield json.dumps(value, default=str, ensure_ascii=False).encode()
        return
    content = bytes(value)
    yield content
    with suppress(WrongDataKey):
        content = sealer.open(content)
        yield content
    with suppress(zstandard.ZstdError):
        yield zstandard.ZstdDecompressor().decompress(content)


def test_no_conviction_and_no_certificate_is_anywhere_in_the_ledger(
    context: Context, announced: Mapping[str, Any]
) -> None:
    pulled(context, "igate")
    assert pulled(context, "lltp") > 0
    marks = [mark.encode() for mark in (*FORBIDDEN, *certificates(announced))]

    kept = list(everything(context.engine, context.sealer))
    assert [mark for mark in marks if any(mark in one for one in kept)] == []

    # The same search finds what stands beside it, and all of it once nothing is cut: it is no blind one.
    assert any(b'"trangThaiXuLy":9' in one for one in kept)
    careless = replace(context, catalog=catalog(entry("lltp").model_copy(update={"cut": ()})))
    pulled(careless, "lltp")
    found = list(everything(context.engine, context.sealer))
    assert all(any(mark.encode() in one for one in found) for mark in FORBIDDEN)
