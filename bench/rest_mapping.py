"""How fast pages of a REST system become dossiers, beside a bare loop, and how fetching and mapping overlap.

The records are those of an OpenCPS one-stop system (52 keys), the widest of the REST systems. *Product*: the answer is
read as the catalog entry says (success, list, total, keys), mapped and validated. *Bare loop*: orjson, dicts written by
hand that trust the source, and one call of the same pydantic TypeAdapter per page.

Then a server in another process, which takes a while for each page as real ones do, is read by the product's source:
fetching and mapping one after the other, and at once as in a pull. Usage:
``python -m bench.rest_mapping [--records N] [--rounds N] [--page-ms N]``.
"""

import argparse
import multiprocessing
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson

import mappings
from bench.mapping import moment, rates
from connectors.catalog import FOLDER, load_entry
from connectors.catalog_models import SourceEntry
from connectors.connections import ConnectionSettings
from connectors.cutting import Cuts
from connectors.http import Answer
from connectors.options.rest import Answer as AnswerOptions
from connectors.rest.answers import Reader
from connectors.sources.rest import RestSource
from mappings import catalogues
from mappings.model import Direction
from schemas.dossier import DOSSIERS, Dossier
from sync.pipeline import ahead

_PAGE = 1_000
_NOW = datetime(2025, 9, 1, tzinfo=UTC)
_STATES = {"new": 1, "processing": 4, "waiting": 5, "releasing": 9, "done": 10}
_EMPTY = (
    *("districtCode", "districtName", "cancellingDate", "correctingDate", "extendDate"),
    *("dossierSubStatus", "dossierSubStatusText", "lockState", "metaData"),
)
_NAMES = ("Nguyễn Văn Mẫu", "Trần Thị Thử", "Lê Hoàng Kiểm", "Phạm Thị Ngọc Nghiệm")


def pages(records: int) -> list[bytes]:
    """Answers with synthetic native records."""
    made = [_native(number) for number in range(records)]
    return [orjson.dumps({"total": records, "data": made[start : start + _PAGE]}) for start in range(0, records, _PAGE)]


def _native(number: int) -> dict[str, Any]:
    day, hour, minute = 1 + number % 28, 7 + number % 10, number % 60
    status = tuple(_STATES)[number % len(_STATES)]
    done = status in ("releasing", "done")
    return {
        **dict.fromkeys(_EMPTY, ""),
        "dossierId": 910000 + number,
        "groupId": 35166,
        "userId": 20001,
        "userName": "Cán bộ mẫu",
        "createDate": f"{day:02d}/02/2025 {hour:02d}:{minute:02d}:11",
        "modifiedDate": f"{day:02d}/03/2025 {hour:02d}:{minute:02d}:30",
        "referenceUid": f"00000000-0000-4000-8000-{number:012x}",
        "counter": number,
        "serviceCode": "1.990501",
        "serviceName": "Cấp giấy phép môi trường",
        "govAgencyCode": "H12.10",
        "govAgencyName": "Sở Nông nghiệp và Môi trường tỉnh Thử Nghiệm",
        "dossierTemplateNo": "TPL_MAU_01",
        "applicantName": _NAMES[number % 4],
        "applicantIdType": "citizen",
        "applicantIdNo": f"{99000000 + number:012d}",
        "applicantIdDate": "01/01/2022",
        "address": "Số 0 Đường Mẫu",
        "cityCode": "96",
        "cityName": "Tỉnh Thử Nghiệm",
        "wardCode": "00000",
        "wardName": "Xã Mẫu",
        "contactName": _NAMES[number % 4],
        "contactTelNo": "0900000000",
        "contactEmail": "mau@example.invalid",
        "dossierNo": f"H12.10-2502{day:02d}-{number:05d}",
        "submitDate": f"{day:02d}/02/2025 {hour:02d}:{minute:02d}:00",
        "receiveDate": f"{day:02d}/02/2025 {hour:02d}:{minute:02d}:30",
        "dueDate": f"{day:02d}/03/2025 17:00:00",
        "releaseDate": f"{day:02d}/03/2025 {hour:02d}:{minute:02d}:00" if done else "",
        "finishDate": f"{day:02d}/03/2025 {hour:02d}:{minute:02d}:20" if status == "done" else "",
        "dossierStatus": status,
        "dossierStatusText": "Trạng thái mẫu",
        "viaPostal": "0",
        "online": "true",
        "originality": 3,
        "durationCount": 5,
        "durationUnit": 0,
        "systemId": 0,
        "serviceLevel": 4,
        "stepCode": "300",
        "stepName": "Thẩm định",
        "lastActionCode": "1300",
        "lastActionName": "Chuyển xử lý",
        "lastActionDate": f"{day:02d}/02/2025 09:00:00",
        "lastActionUser": "Trần Thị Thử",
        "vnpostalStatus": 0,
    }


def by_hand(raw: list[bytes]) -> list[Dossier]:
    """The bare loop: what a programmer would write who trusts the source."""
    procedures = catalogues.entries("procedures")
    found: list[Dossier] = []
    for page in raw:
        found += DOSSIERS.validate_python([_by_hand(record, procedures) for record in orjson.loads(page)["data"]])
    return found


def _by_hand(record: dict[str, Any], procedures: dict[str, Any]) -> dict[str, Any]:
    procedure = procedures[record["serviceCode"]]
    return {
        "code": record["dossierNo"],
        "source_id": record["referenceUid"],
        "procedure_code": record["serviceCode"],
        "procedure_name": record["serviceName"],
        "field_code": procedure.field_code,
        "field_name": procedure.field_name,
        "level": record["serviceLevel"],
        "agency_code": record["govAgencyCode"],
        "agency_name": record["govAgencyName"],
        "channel": 2 if record["online"] == "true" else 1,
        "subject_kind": 1,
        "applicant": {
            "name": record["applicantName"],
            "identity_number": record["applicantIdNo"],
            "identity_kind": 1,
            "phone": record["contactTelNo"],
            "email": record["contactEmail"],
            "address": record["address"],
        },
        "submitted_at": moment(record["submitDate"]),
        "received_at": moment(record["receiveDate"]),
        "due_at": moment(record["dueDate"]),
        "finished_at": moment(record["releaseDate"]),
        "returned_at": moment(record["finishDate"]),
        "changed_at": moment(record["modifiedDate"]),
        "state": _STATES[record["dossierStatus"]],
        "native_state": record["dossierSubStatus"] or record["dossierStatus"],
        "result_delivery": int(record["viaPostal"]),
    }


def by_product(*, strict: bool = False) -> Callable[[list[bytes]], list[Dossier]]:
    """The product's way: the answer read by the entry's options, the mapping, one validation call."""
    mapping = mappings.load("opencps", Direction.SOURCE)
    options = AnswerOptions(records="data", total="total", key="referenceUid", strict=strict)
    reader = Reader("opencps", options, Cuts(()))

    def work(raw: list[bytes]) -> list[Dossier]:
        found: list[Dossier] = []
        for body in raw:
            answer = Answer(system="opencps", where="GET /dossiers", status=200, headers={}, body=body)
            records = reader.listing(answer).records
            reader.identities(records)
            validated = mappings.validate_page(mapping, records)
            assert not validated.bad
            found += [dossier for _, dossier in validated.good if isinstance(dossier, Dossier)]
        return found

    return work


def reading_only(strict: bool) -> Callable[[list[bytes]], int]:
    """Reading answers without mapping them."""
    reader = Reader("opencps", AnswerOptions(records="data", total="total", strict=strict), Cuts(()))

    def work(raw: list[bytes]) -> int:
        answers = (Answer(system="opencps", where="", status=200, headers={}, body=body) for body in raw)
        return sum(len(reader.listing(answer).records) for answer in answers)

    return work


def _serve(raw: list[bytes], page_s: float, port: "multiprocessing.Queue[int]") -> None:
    """A server of these pages that takes ``page_s`` seconds for each."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            time.sleep(page_s)
            query = parse_qs(urlsplit(self.path).query)
            body = raw[int(query.get("start", ["0"])[0]) // _PAGE]
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Be quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    port.put(server.server_address[1])
    server.serve_forever()


def overlap(raw: list[bytes], page_s: float) -> tuple[float, float, float]:
    """Wall seconds: fetching alone, fetching and then mapping page after page, both at once."""
    ports: multiprocessing.Queue[int] = multiprocessing.Queue()
    server = multiprocessing.Process(target=_serve, args=(raw, page_s, ports), daemon=True)
    server.start()
    try:
        port = ports.get(timeout=30)
        fetching = _timed(lambda: _work(_pages(port), mapped=False))
        after = _timed(lambda: _work(_pages(port), mapped=True))
        together = _timed(lambda: _ahead(port))
    finally:
        server.terminate()
        server.join()
    return fetching, after, together


def _pages(port: int) -> Iterator[Any]:
    """The pages of the product's source, over one window with one listing."""
    entry = load_entry(FOLDER / "opencps.yaml")
    assert isinstance(entry, SourceEntry)
    entry = entry.model_copy(
        update={
            "pull": entry.pull.model_copy(update={"page_size": _PAGE, "window_days": 366, "refresh_open": False}),
            "options": entry.options.model_copy(update={"more_requests": ()}),
        }
    )
    settings = ConnectionSettings(conn_id="opencps", host="127.0.0.1", port=port, extra={"group_id": "1"})
    source = RestSource(entry, settings)
    yield from source.pull(window=None, cursor=(_NOW - timedelta(days=30)).isoformat(), open_codes=(), now=_NOW)
    source.close()


def _work(fetched: Iterator[Any], *, mapped: bool) -> None:
    mapping = mappings.load("opencps", Direction.SOURCE)
    for page in fetched:
        if mapped:
            assert not mappings.validate_page(mapping, page.records).bad


def _ahead(port: int) -> None:
    with ahead(_pages(port)) as fetched:
        _work(fetched, mapped=True)


def _timed(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Print records per CPU second for each way, and what overlapping saves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--page-ms", type=int, default=100, help="how long the server takes for a page")
    given = parser.parse_args()
    raw = pages(given.records)
    assert by_hand(raw[:1]) == by_product()(raw[:1]), "both ways must give the same dossiers"
    ways: dict[str, Callable[[list[bytes]], object]] = {
        "bare loop": by_hand,
        "product": by_product(),
        "product, strict": by_product(strict=True),
        "reading alone": reading_only(strict=False),
        "reading alone, strict": reading_only(strict=True),
    }
    measured = dict(zip(ways, rates(ways, raw, given.records, given.rounds), strict=True))
    bare = measured["bare loop"]
    for name, rate in measured.items():
        print(f"{name:<22}{rate:>10,.0f} records per CPU second   {rate / bare:>6.0%} of the bare loop")
    fetching, after, together = overlap(raw, given.page_ms / 1000)
    print(f"\n{len(raw)} pages of {_PAGE:,}, {given.page_ms} ms each at the server")
    print(f"{'fetching alone':<22}{fetching:>8.2f} s")
    print(f"{'one after the other':<22}{after:>8.2f} s   mapping alone is {after - fetching:.2f} s of it")
    print(
        f"{'at once':<22}{together:>8.2f} s   {1 - together / after:.0%} saved; the longer of both would be "
        f"{max(fetching, after - fetching):.2f} s"
    )


if __name__ == "__main__":
    main()
