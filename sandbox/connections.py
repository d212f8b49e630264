"""The connections of the sandbox, as clients get them. Every login, password and secret here is synthetic.

A connection belongs to one server, and ``AIRFLOW_CONN_<ID>`` is its name in ``sandbox.json``. The business-registration
system is reached through the security server, so its connection leads there. Where a server has TLS, its connection
leads to its port for TLS.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sandbox.certificates import AUTHORITY, CLIENT_CERT, CLIENT_KEY, SIGNER_CERT, SIGNER_KEY
from sandbox.http import HOST, write_atomically


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Who a client is at a server. ``server`` is the name of the server that it talks to.

    ``extra_files`` are more keys of the extra, whose values are paths: relative to the sandbox's home here, absolute
    for those who get them. With ``tls`` the server speaks its dialect over TLS alone and demands a certificate. With
    ``published`` the server itself says where it is, since that is no URL (see :func:`publish`).
    """

    server: str
    login: str = ""
    password: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    extra_files: Mapping[str, str] = field(default_factory=dict)
    tls: bool = False
    published: bool = False

    @property
    def listener(self) -> str:
        """The name, in the sandbox's list of ports, of the one that the connection leads to."""
        return tls_listener(self.server) if self.tls else self.server

    def extra_at(self, home: Path) -> dict[str, Any]:
        """The whole extra in the sandbox that lives in ``home``."""
        return {**self.extra, **{key: str(home.absolute() / path) for key, path in self.extra_files.items()}}

    def airflow(self, port: int, home: Path) -> str:
        """The JSON form of an Airflow connection to ``port`` of the sandbox that lives in ``home``."""
        fields = {
            "conn_type": "http",
            "host": HOST,
            "port": port,
            "schema": "https" if self.tls else "http",
            "login": self.login,
            "password": self.password,
            "extra": self.extra_at(home),
        }
        if self.published:
            fields |= published(home, self.server)
        return json.dumps(fields)


def publish(home: Path, server: str, fields: Mapping[str, Any]) -> None:
    """Let ``server`` say which of the fields of its connection are others than those of a URL; before it answers."""
    write_atomically(_publication(home, server), json.dumps(dict(fields), indent=2))


def published(home: Path, server: str) -> dict[str, Any]:
    """What ``server`` published last; empty when it never did."""
    path = _publication(home, server)
    return dict(json.loads(path.read_text("utf-8"))) if path.exists() else {}


def _publication(home: Path, server: str) -> Path:
    return home / server / "connection.json"


def tls_listener(server: str) -> str:
    """The name of a server's second listener, the one for TLS."""
    return f"{server}-tls"


_OUR_CERTIFICATE: Mapping[str, str] = MappingProxyType(
    {"client_cert": CLIENT_CERT, "client_key": CLIENT_KEY, "ca_bundle": AUTHORITY}
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
        "hotich": Connection(
            server="hotich",
            login="khoa-truy-cap-mau",
            password="khoa-bi-mat-mau-hotich",
            extra={
                "app_name": "hosync-mau",
                "partner_code": "000.00.00.H12",
                "partner_code_cus": "000.00.00.G99",
                "token_path": "/token",
                "result_path": "/hotich/1.0/layKetQua",
            },
        ),
        "lltp": Connection(
            server="lltp",
            password="khoa-mau-lltp",
            extra={"status_path": "/lltp/1.0/nhanTrangThai"},
        ),
        "btxh": Connection(
            server="btxh",
            password="khoa-mau-btxh",
            extra={"list_path": "/apiBTXH/DanhSachHoSo"},
        ),
        "gtvt": Connection(
            server="gtvt",
            password="khoa-mau-gtvt",
            extra={"list_path": "/apiGTVT/danhsachhoso", "unit": "000.00.06.H12"},
        ),
        "opencps": Connection(
            server="opencps",
            login="hosync-mau",
            password="mat-khau-mau-mot-cua",
            extra={"group_id": "35166"},
        ),
        "tanso": Connection(
            server="tanso",
            login="tinh-mau",
            password="mat-khau-mau-tan-so",
            extra={"unit_code": "000.00.00.H12"},
        ),
        "xaydung": Connection(
            server="xaydung",
            login="hosync-mau",
            password="bi-mat-mau-xay-dung",
            extra_files=_OUR_CERTIFICATE,
            tls=True,
        ),
        "dienluc": Connection(
            server="dienluc",
            login="hosync-mau",
            password="bi-mat-mau-dien-luc",
            extra_files=_OUR_CERTIFICATE,
            tls=True,
        ),
        "bhxh": Connection(
            server="bhxh",
            login="tinh-mau",
            password="mat-khau-mau-bhxh",
            extra={"path": "/LienThong/HoSoService"},
            extra_files={"sign_cert": SIGNER_CERT, "sign_key": SIGNER_KEY},
        ),
        "qldc": Connection(
            server="qldc",
            login="khoa-can-bo-mau",
            password="mat-khau-mau-qldc",
            extra={"path": "/qldc/services/DanCuQuocGia", "officer": "canbo.mau", "integration": "MAU"},
        ),
        "giaoduc": Connection(server="giaoduc", published=True),
        "thuy": Connection(server="thuy", login="tinh-mau", password="mat-khau-mau-thuy", published=True),
        "congthuong": Connection(server="congthuong", published=True),
        "danhgia": Connection(server="danhgia", published=True),
        "vbdlis": Connection(server="vbdlis", password="ma-an-toan-mau-vbdlis"),
        "ilis": Connection(
            server="ilis",
            login="lien-thong-mau",
            password="mat-khau-mau-ilis",
            extra={
                "token_path": "/oauth2/token",
                "announce_path": "/api/motcua/tiepnhan",
                "client_id": "hosync-mau",
                "client_secret": "bi-mat-mau-ilis",
                "inbound_secret": "ma-codeget-mau-ilis",
            },
        ),
        "nuoc": Connection(server="nuoc", password="khoa-mau-nuoc"),
        "laodong": Connection(server="laodong", login="lien-thong-mau", password="mat-khau-mau-laodong"),
        "npsp": Connection(
            server="npsp",
            login="tinh-mau",
            password="mat-khau-mau-npsp",
            extra={
                "dstcode": "VN:GOV:000.00.00.G99:cong-mau",
                "madonvi": "000.00.00.H12",
                "own_agency": "G22.99.99",
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
        "province_opencps": Connection(
            server="province",
            login="opencps-mau",
            password="mat-khau-mau-opencps",
            extra={"group_id": "35166"},
        ),
        "province_igate": Connection(
            server="province_igate",
            login="lien-thong-mau",
            password="mat-khau-mau-igate-tinh",
            extra={
                "token_path": "/auth/realms/digo/protocol/openid-connect/token",
                "client_id": "hosync-mau",
                "client_secret": "bi-mat-mau-igate-tinh",
            },
        ),
        "emc": Connection(
            server="emc",
            login="theo-doi-mau",
            password="mat-khau-mau-emc",
            extra={"site_id": 99999, "tracking_path": "/TrackingMCDT", "dashboard_path": "/dashboard"},
        ),
        "feed": Connection(
            server="feed",
            password="whsec_YmktbWF0LW1hdS1rZW5oLXRyYW5nLXRoYWk=",
            extra={"status_path": "/status"},
        ),
    }
)


def connection_of(server: str) -> Connection:
    """The connection that leads to ``server``, or an empty one: the server behind the security server has none."""
    return next((one for one in CONNECTIONS.values() if one.server == server), Connection(server=server))
