"""The endpoints for systems that call us and for those who ask us, in a real Airflow API server over a real ledger.

Neither needs Airflow's sign-in.
"""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from monitor_server import Served, serve
from sqlalchemy import Engine

from ledger.inbox import Inbox, Received
from ledger.sealing import Sealer
from sync.feed import digest

pytestmark = pytest.mark.timeout(400)

SECRET = "bi-mat-mau-0123456789"
CODE_GET = "ma-goi-vao-mau-98765"
KEY = "hosync_khoa-mau-cua-kiosk"
BODY = {"SoBienNhan": "000.00.11.H12-250812-0001", "MaTrangThai": "4", "NgayChuyen": "2025-08-12T02:00:00Z"}


@pytest.fixture(scope="module")
def endpoint(airflow_home: Path, database_url: str, data_key: bytes) -> Iterator[Served]:
    """Airflow with access logs on, so that it can be seen what reaches them."""
    connections = {
        "AIRFLOW_CONN_VBDLIS": {"conn_type": "http", "host": "vbdlis.invalid", "password": SECRET},
        "AIRFLOW_CONN_ILIS": {
            "conn_type": "http", "host": "ilis.invalid", "password": "khac", "extra": {"inbound_secret": CODE_GET},
        },
        "AIRFLOW_CONN_HOSYNC_FEED": {"conn_type": "generic", "extra": {"keys": {"kiosk": digest(KEY)}}},
    }  # fmt: skip
    product = {
        "HOSYNC_DATABASE_URL": database_url,
        "HOSYNC_DATA_KEY": base64.b64encode(data_key).decode(),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
        **{name: json.dumps(value) for name, value in connections.items()},
    }
    with serve(airflow_home, product) as running:
        yield running


def _call(endpoint: Served, path: str, **more: object) -> requests.Response:
    return requests.post(f"{endpoint.url}/hosync/inbound/{path}", json=BODY, timeout=60, **more)  # type: ignore[arg-type]


def test_a_call_needs_no_sign_in_and_lies_in_the_inbox_when_it_is_answered(
    endpoint: Served, engine: Engine, sealer: Sealer
) -> None:
    answer = _call(endpoint, f"vbdlis/ChuyenHoSo/{SECRET}")
    assert (answer.status_code, answer.json()) == (200, {"Result": 1, "Message": "Thành công"})
    assert len(Inbox(engine, sealer, "vbdlis").after(0, 10)) == 1
    assert _call(endpoint, f"ilis/ChuyenHoSo?CodeGet={CODE_GET}").json()["Result"] == 1
    assert len(Inbox(engine, sealer, "ilis").after(0, 10)) == 1


def test_a_wrong_secret_gets_nothing_and_is_counted(endpoint: Served, engine: Engine, sealer: Sealer) -> None:
    answer = _call(endpoint, "vbdlis/ChuyenHoSo/doan-mo-0123456789")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})
    assert Inbox(engine, sealer, "vbdlis").tally()[Received.NO_SECRET] == 1


def test_whoever_asks_where_a_dossier_stands_shows_a_key_and_needs_no_sign_in(endpoint: Served) -> None:
    url = f"{endpoint.url}/hosync/feed/dossiers/H12.12-250812-0001"
    assert requests.get(url, timeout=60).status_code == 401
    answer = requests.get(url, headers={"X-Api-Key": KEY}, timeout=60)
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})


def test_the_monitor_beside_it_still_asks_for_sign_in(endpoint: Served) -> None:
    assert requests.get(f"{endpoint.url}/hosync/", timeout=60).status_code == 401
    assert requests.get(f"{endpoint.url}/hosync/static/monitor.css", timeout=60).status_code == 200


def test_no_secret_reaches_airflows_access_log(endpoint: Served, airflow_home: Path) -> None:
    _call(endpoint, f"vbdlis/ChuyenHoSo/{SECRET}")
    _call(endpoint, f"ilis/ChuyenHoSo?CodeGet={CODE_GET}")
    logs = "".join(log.read_text("utf-8", "replace") for log in airflow_home.glob("api-server-*.log"))
    assert "/hosync/inbound/vbdlis/hidden" in logs, "else this proves nothing"
    for secret in (SECRET, CODE_GET, "doan-mo"):
        assert secret not in logs
