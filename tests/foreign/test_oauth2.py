"""OAuth2 as Django OAuth Toolkit understands it, used by protocol ``rest``: both grants, tokens that end, refusals."""

import json
import sys
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import Refused, SignInFailed

SERVER = Path(__file__).parent / "oauth" / "server.py"
NOW = datetime(2026, 2, 1, tzinfo=UTC)
COUNT = 25
SECRET = "bí mật + 100%: mẫu"
CLIENT = {"login": "he-thong-mau", "password": SECRET}
USER = {
    "login": "can-bo-mau",
    "password": SECRET,
    "extra": {"client_id": "ung-dung-mau", "client_secret": SECRET},
}

ENTRY = """
kind: source
system: {system}
title: {{vi: Hệ thống có OAuth2, en: A system with OAuth2}}
owner: {{agency: H12.99, vi: Cơ quan mẫu, en: Sample agency}}
protocol: rest
connection: {system}
contract: dienluc/service-requests.schema.json
mapping: dienluc
precedence: 20
pull: {{style: changed-since, page_size: 10, start: 2025-01-01}}
options:
  auth: {auth}
  request: {{path: /dossiers, params: {{updatedSince: "{{since}}", limit: "{{size}}"}}}}
  paging: {{kind: next-url, at: next}}
  answer: {{records: items, key: requestId, changed: updatedAt}}
"""


@dataclass(frozen=True)
class Protected:
    """The running server, and readers of its resource."""

    port: int
    reader: Callable[[str, str, str], Any]

    def tokens(self, path: str = "tokens") -> int:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{path}") as answer:
            return int(json.loads(answer.read())["count"])

    def reading(self, system: str, who: dict[str, Any], **auth: str) -> Any:
        """A reader that signs in as ``who``."""
        entry = ENTRY.format(system=system, auth=json.dumps({"kind": "oauth2", "token_path": "/o/token/", **auth}))
        connection = {"conn_type": "http", "host": "127.0.0.1", "port": self.port, **who}
        return self.reader(system, entry, json.dumps(connection))


@pytest.fixture(scope="module")
def server(start: Any, tmp_path_factory: pytest.TempPathFactory) -> int:
    database = tmp_path_factory.mktemp("oauth") / "tokens.sqlite3"
    return int(start([sys.executable, str(SERVER), "{port}", str(database)], {}).port)


@pytest.fixture
def protected(server: int, reader: Any) -> Protected:
    return Protected(server, reader)


@pytest.mark.parametrize("client_auth", ["form", "basic-encoded"])
@pytest.mark.parametrize(("who", "grant"), [(CLIENT, "client-credentials"), (USER, "password")])
def test_every_page_is_read_with_one_token(
    protected: Protected, who: dict[str, Any], grant: str, client_auth: str
) -> None:
    before = protected.tokens()
    system = f"{grant[:8]}_{client_auth}".replace("-", "_")
    report = protected.reading(system, who, grant=grant, client_auth=client_auth).pull(NOW)
    assert (report.fetched, report.quarantined) == (COUNT, 0)
    assert report.pages == 3
    assert protected.tokens() == before + 1


def test_a_token_that_has_ended_is_renewed_in_the_middle_of_a_listing(
    protected: Protected,
) -> None:
    before = protected.tokens()
    reader = protected.reading("ends_midway", CLIENT)
    with reader.context.source("ends_midway") as source:
        pages = source.pull(window=None, cursor=None, open_codes=(), now=NOW)
        first = next(pages)
        protected.tokens("tokens/end")
        rest = list(pages)
    assert sum(len(page.records) for page in (first, *rest)) == COUNT
    assert protected.tokens() == before + 2


@pytest.mark.parametrize(
    ("name", "who", "auth"),
    [
        ("wrong_secret", {**CLIENT, "password": "sai"}, {}),
        ("unknown_client", {**CLIENT, "login": "khong-quen"}, {}),
        ("wrong_password", {**USER, "password": "sai"}, {"grant": "password"}),
        ("wrong_grant", CLIENT | {"extra": USER["extra"]}, {"grant": "password"}),
        ("unknown_scope", CLIENT, {"scope": "khong-co"}),
        ("secret_not_encoded", CLIENT, {"client_auth": "basic"}),
    ],
)
def test_who_is_not_let_in_is_told_which_connection_to_look_at(
    protected: Protected, name: str, who: dict[str, Any], auth: dict[str, str]
) -> None:
    before = protected.tokens()
    with pytest.raises(SignInFailed) as caught:
        protected.reading(name, who, **auth).pull(NOW)
    assert f"connection '{name}'" in str(caught.value)
    assert not any(secret in str(caught.value) for secret in (SECRET, "sai", "can-bo-mau"))
    assert protected.tokens() == before


def test_a_token_with_too_little_scope_is_refused_and_not_asked_for_again(protected: Protected) -> None:
    before = protected.tokens()
    with pytest.raises(Refused, match="HTTP 403"):
        protected.reading("narrow", CLIENT, scope="write").pull(NOW)
    assert protected.tokens() == before + 1
