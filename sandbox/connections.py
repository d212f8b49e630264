"""The connections of the sandbox, as clients get them. Every login, password and secret here is synthetic.

A connection belongs to one server, and ``AIRFLOW_CONN_<ID>`` is its name in ``sandbox.json``. The business-registration
system is reached through the security server, so its connection leads there.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from sandbox.http import HOST


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Who a client is at a server. ``server`` is the name of the server that it talks to."""

    server: str
    login: str = ""
    password: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)

    def airflow(self, port: int) -> str:
        """The JSON form of an Airflow connection."""
        return json.dumps(
            {
                "conn_type": "http",
                "host": HOST,
                "port": port,
                "schema": "http",
                "login": self.login,
                "password": self.password,
                "extra": dict(self.extra),
            }
        )


CONNECTIONS: Mapping[str, Connection] = MappingProxyType(
    {
        "gplx": Connection(
            server="gplx",
            login="tinh-mau",
            password="mat-khau-mau-gplx",
            extra={
                "login_path": "/apiDVC-GPLX/tcdbdvcdata/mapi/login",
                "service_path": "/apiDVC-GPLX/tcdbdvcdata/mapi/g",
                "unit": "96",
            },
        ),
        "igate": Connection(
            server="igate",
            login="lien-thong-mau",
            password="mat-khau-mau-igate",
            extra={
                "token_path": "/auth/realms/digo/protocol/openid-connect/token",
                "client_id": "hosync-mau",
                "client_secret": "bi-mat-mau-igate",
            },
        ),
        "dkkd": Connection(
            server="xroad",
            extra={
                "client": "VN-TEST/GOV/000.00.00.H12/hosync-mau",
                "service": "VN-TEST/GOV/000.00.00.G99/dang-ky-kinh-doanh/danhSachHoSoThayDoi/v1",
                "user_id": "VN0000",
            },
        ),
        "npsp": Connection(
            server="npsp",
            login="tinh-mau",
            password="mat-khau-mau-npsp",
            extra={
                "dstcode": "VN:GOV:000.00.00.G99:cong-mau",
                "madonvi": "000.00.00.H12",
                "login_path": "/mapi/login",
                "service_path": "/mapi/g",
            },
        ),
        "province": Connection(
            server="province",
            login="khach-hang-mau",
            password="bi-mat-mau-tinh",
            extra={
                "token_path": "/token",
                "adapter_path": "/consumerAdapter",
                "opencps_path": "/o/rest/v2",
                "search_login": "opencps-mau",
                "search_password": "mat-khau-mau-opencps",
                "group_id": "35166",
            },
        ),
        "emc": Connection(
            server="emc",
            login="theo-doi-mau",
            password="mat-khau-mau-emc",
            extra={"site_id": 99999, "tracking_path": "/TrackingMCDT", "dashboard_path": "/dashboard"},
        ),
    }
)


def connection_of(server: str) -> Connection:
    """The connection that leads to ``server``, or an empty one: the server behind the security server has none."""
    return next((one for one in CONNECTIONS.values() if one.server == server), Connection(server=server))
