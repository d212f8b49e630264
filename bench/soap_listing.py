"""How fast and at what memory a SOAP listing is read, beside zeep's own objects.

A server on 127.0.0.1 makes the answer while it is sent. Each way reads it in a process of its own, so that the peak of
its memory is its own. Usage: ``python -m bench.soap_listing [--records N ...] [--rounds N]``.

``ours``: the product's source, with everything that it does before a page goes to the mapping: reading from the socket,
converting by the contract's types, raw bytes for the archive. ``zeep``: one call, with its own transport; it holds the
answer as objects and makes no raw pages.
"""

import argparse
import json
import multiprocessing
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path

_SPACE = "urn:bench"
_WSDL = f"""<?xml version="1.0" encoding="UTF-8"?>
<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
 xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="{_SPACE}" targetNamespace="{_SPACE}">
<wsdl:types><xs:schema targetNamespace="{_SPACE}" elementFormDefault="qualified">
<xs:complexType name="HoSo"><xs:sequence>
<xs:element name="maHoSo" type="xs:string"/><xs:element name="tenToChuc" type="xs:string"/>
<xs:element name="trangThai" type="xs:int"/><xs:element name="ngayNop" type="xs:date"/>
<xs:element name="capNhatLuc" type="xs:dateTime"/><xs:element name="phi" type="xs:decimal" minOccurs="0"/>
</xs:sequence></xs:complexType>
<xs:element name="lietKe"><xs:complexType><xs:sequence><xs:element name="soDong" type="xs:int"/></xs:sequence>
</xs:complexType></xs:element>
<xs:element name="lietKeResponse"><xs:complexType><xs:sequence><xs:element name="tongSo" type="xs:int"/>
<xs:element name="danhSach"><xs:complexType><xs:sequence>
<xs:element name="hoSo" type="t:HoSo" minOccurs="0" maxOccurs="unbounded"/></xs:sequence></xs:complexType></xs:element>
</xs:sequence></xs:complexType></xs:element></xs:schema></wsdl:types>
<wsdl:message name="in"><wsdl:part name="parameters" element="t:lietKe"/></wsdl:message>
<wsdl:message name="out"><wsdl:part name="parameters" element="t:lietKeResponse"/></wsdl:message>
<wsdl:portType name="P"><wsdl:operation name="lietKe"><wsdl:input message="t:in"/><wsdl:output message="t:out"/>
</wsdl:operation></wsdl:portType>
<wsdl:binding name="B" type="t:P"><soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
<wsdl:operation name="lietKe"><soap:operation soapAction=""/><wsdl:input><soap:body use="literal"/></wsdl:input>
<wsdl:output><soap:body use="literal"/></wsdl:output></wsdl:operation></wsdl:binding>
<wsdl:service name="S"><wsdl:port name="P" binding="t:B"><soap:address location="http://127.0.0.1/"/></wsdl:port>
</wsdl:service></wsdl:definitions>
"""


def answer(records: int) -> Iterator[bytes]:
    """The answer in pieces."""
    yield (
        '<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
        f'<lietKeResponse xmlns="{_SPACE}"><tongSo>{records}</tongSo><danhSach>'
    ).encode()
    for begin in range(0, records, 500):
        yield "".join(map(_record, range(begin, min(begin + 500, records)))).encode()
    yield b"</danhSach></lietKeResponse></s:Body></s:Envelope>"


def _record(number: int) -> str:
    return (
        f"<hoSo><maHoSo>DK{number:08d}</maHoSo><tenToChuc>Công ty TNHH Mẫu số {number}</tenToChuc>"
        f"<trangThai>{1 + number % 10}</trangThai><ngayNop>2025-02-{1 + number % 28:02d}</ngayNop>"
        f"<capNhatLuc>2025-03-{1 + number % 28:02d}T{number % 24:02d}:{number % 60:02d}:00+07:00</capNhatLuc>"
        f"<phi>{number % 900}.50</phi></hoSo>\n"
    )


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/xml; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in answer(int(self.path.strip("/"))):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *args: object) -> None:
        """Be quiet."""


def _serve(port: Connection) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    port.send(server.server_address[1])
    server.serve_forever()


def read_ours(port: int, wsdl: Path, records: int, page_size: int = 1000) -> tuple[int, int]:
    """Through the product's source: how many records, and how many bytes of raw pages."""
    from connectors.catalog_models import Limits, Owner, Pull, PullStyle, SourceEntry, SourceProtocol, Timeouts, Title
    from connectors.connections import ConnectionSettings
    from connectors.options.soap import SoapOptions
    from connectors.sources.soap import SoapSource

    options = {
        "operation": "lietKe",
        "path": f"/{records}",
        "request": {"soDong": "{size}"},
        "answer": {"records": "danhSach.hoSo", "total": "tongSo"},
    }
    entry = SourceEntry(
        kind="source",
        system="bench",
        title=Title(vi="b", en="b"),
        owner=Owner(agency="b", vi="b", en="b"),
        protocol=SourceProtocol.SOAP,
        connection="bench",
        contract="bench.wsdl",
        mapping="bench",
        precedence=1,
        pull=Pull(style=PullStyle.SNAPSHOT, page_size=page_size, start=date(2025, 1, 1)),
        limits=Limits(max_response_mb=2048),
        timeouts=Timeouts(total_s=3600),
        options=SoapOptions.model_validate(options),
    ).model_copy(update={"contract": str(wsdl)})
    source = SoapSource(entry, ConnectionSettings(conn_id="bench", host="127.0.0.1", port=port))
    count = size = 0
    for page in source.pull(window=None, cursor=None, open_codes=(), now=datetime.now(UTC)):
        count += len(page.records)
        size += len(page.raw)
    return count, size


def read_zeep(port: int, wsdl: Path, records: int) -> tuple[int, int]:
    """Through zeep alone."""
    import zeep

    client = zeep.Client(str(wsdl))
    service = client.create_service(f"{{{_SPACE}}}B", f"http://127.0.0.1:{port}/{records}")
    return len(service.lietKe(soDong=1000)["danhSach"]["hoSo"]), 0


def _child(way: str, port: int, wsdl: Path, records: int) -> None:
    read = {"ours": read_ours, "zeep": read_zeep}[way]
    warm = read(port, wsdl, 10)
    started, cpu = time.perf_counter(), time.process_time()
    count, raw = read(port, wsdl, records)
    taken, cpu = time.perf_counter() - started, time.process_time() - cpu
    assert (warm[0], count) == (10, records)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": taken, "cpu": cpu, "peak_mb": peak, "raw_mb": raw / 1e6}))


def _measured(port: int, wsdl: Path, records: int, rounds: int) -> dict[str, dict[str, float]]:
    """The best of several processes each, since a busy machine only ever adds; the ways take turns."""
    runs: dict[str, list[dict[str, float]]] = {"ours": [], "zeep": []}
    for _ in range(rounds):
        for way, found in runs.items():
            command = [sys.executable, "-m", "bench.soap_listing", "--child", way, str(port), str(wsdl), str(records)]
            found.append(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout))
    return {way: {name: min(run[name] for run in found) for name in found[0]} for way, found in runs.items()}


def main() -> None:
    """Print a table: records per CPU second and peak memory of both ways."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, nargs="+", default=[20_000, 200_000])
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    here, there = multiprocessing.Pipe()
    server = multiprocessing.Process(target=_serve, args=(there,), daemon=True)
    server.start()
    port = here.recv()
    with tempfile.TemporaryDirectory() as folder:
        wsdl = Path(folder) / "bench.wsdl"
        wsdl.write_text(_WSDL)
        print(f"{'records':>9} {'MB':>6}  {'way':<5} {'records/s':>10} {'records/CPU s':>14} {'peak MB':>8}")
        for records in given.records:
            size = sum(map(len, answer(records))) / 1e6
            found = _measured(port, wsdl, records, given.rounds)
            for way, run in found.items():
                print(
                    f"{records:>9,} {size:>6.1f}  {way:<5} {records / run['seconds']:>10,.0f} "
                    f"{records / run['cpu']:>14,.0f} {run['peak_mb']:>8.0f}"
                )
            print(f"{'':>18}ours is {found['zeep']['cpu'] / found['ours']['cpu']:.1f} times as fast by CPU time")
    server.terminate()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        _child(sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]), int(sys.argv[5]))
    else:
        main()
