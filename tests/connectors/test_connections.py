"""Connections are read as Airflow reads them, and give away nothing when they are wrong."""

import json
import traceback

import pytest

from connectors.connections import ConnectionSettings, parse, resolve
from connectors.errors import ConnectionMissing

URIS = [
    "http://user:pa%40ss@gplx.example:8080",
    "http://gplx.example/https",
    "http://https%3A%2F%2FGPLX.example:8443",
    "my-type://https://user:p%3Aw@gplx.example:8443?site_id=7&flag=true&empty=",
    "http://user:p@host:1/http?__extra__=%7B%22client_id%22%3A+%22x%22%2C+%22n%22%3A+1%7D",
    "http://10.0.0.1",
    "http://@h:80",
]
JSONS = [
    {"conn_type": "http", "host": "gplx.example", "port": 8080, "login": "u", "password": "p@:/"},
    {"conn_type": "http", "host": "gplx.example", "port": "8080", "schema": "https", "extra": {"a": 1}},
    {"conn_type": "http", "host": "https://gplx.example/prefix", "extra": '{"a": {"b": 2}}'},
    {"conn_type": "my-type", "host": "h", "extra": ""},
]


@pytest.mark.parametrize("value", URIS + [json.dumps(fields) for fields in JSONS])
def test_both_forms_mean_the_same_as_in_airflow(value):
    from airflow.sdk import Connection

    theirs = (
        Connection.from_json(value, conn_id="gplx")
        if value.startswith("{")
        else Connection.from_uri(value, conn_id="gplx")
    )
    ours = parse("gplx", value)
    assert (ours.host, ours.port) == (theirs.host, theirs.port)
    assert (ours.login, ours.password) == (theirs.login or "", theirs.password or "")
    assert dict(ours.extra) == theirs.extra_dejson


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("http://h:81", "http://h:81"),
        ("https://h", "https://h"),
        ("http://h/https", "https://h"),
        ("http://https://h:8443", "https://h:8443"),
        ('{"conn_type": "http", "host": "https://h/prefix/", "port": 8443}', "https://h:8443/prefix"),
        ('{"conn_type": "http", "host": "h", "schema": "https", "port": 1}', "https://h:1"),
    ],
)
def test_the_base_url_follows_the_scheme(value, url):
    assert parse("x", value).base_url == url


@pytest.mark.parametrize(
    "value",
    [
        "{not json with s3cret",
        "http://u:s3cret@h:notaport",
        "a://b://c://d-s3cret",
        "u:s3cret@x://https://h",
        '{"host": "h", "port": "s3cret"}',
        '{"host": "h", "extra": "[\\"s3cret\\"]"}',
        '["s3cret"]',
        "s3cret",
        "http://u:s3cret@/https",
        "http://u:s3cret@h/some/path",
    ],
)
def test_a_wrong_value_is_named_by_its_variable_and_never_shown(value):
    with pytest.raises(ConnectionMissing) as caught:
        parse("gplx", value)
    assert "AIRFLOW_CONN_GPLX" in str(caught.value)
    assert "s3cret" not in repr(caught.value) + "".join(traceback.format_exception(caught.value))


def test_the_variable_is_read_without_airflow():
    assert resolve("gplx", {"AIRFLOW_CONN_GPLX": "http://u:p@h:1"}).login == "u"


def test_a_missing_connection_names_the_variable_to_set(monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_NOWHERE", raising=False)
    with pytest.raises(ConnectionMissing, match="AIRFLOW_CONN_NOWHERE"):
        resolve("nowhere")


def test_a_secrets_backend_is_asked_before_the_environment(monkeypatch, tmp_path):
    vault = tmp_path / "connections.json"
    vault.write_text(json.dumps({"gplx_vault": "http://vault:p@host:1"}))
    monkeypatch.setenv("AIRFLOW_CONN_GPLX_VAULT", "http://environment:p@host:1")
    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND", "airflow.secrets.local_filesystem.LocalFilesystemBackend")
    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND_KWARGS", json.dumps({"connections_file_path": str(vault)}))
    assert resolve("gplx_vault").login == "vault"


def test_settings_show_where_they_lead_and_no_secret():
    settings = ConnectionSettings(
        conn_id="x", host="h", login="name", password="word", extra={"client_secret": "hidden"}
    )
    shown = repr(settings)
    assert "h" in shown
    assert not any(word in shown for word in ("name", "word", "hidden"))


def test_a_missing_extra_says_why_it_is_needed():
    settings = ConnectionSettings(conn_id="igate", host="h")
    with pytest.raises(ConnectionMissing, match=r"client_id.*to sign in"):
        settings.required("client_id", "to sign in")
