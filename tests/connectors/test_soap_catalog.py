"""Catalog entries of SOAP systems: mistakes are found while the file is read."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from connectors.catalog import FOLDER, load_entry
from connectors.catalog_models import SourceEntry
from connectors.errors import CatalogError

ANSWER = {"records": "danhSach.hoSo"}
LISTING = {"operation": "lietKe", "request": {"tu": "{since}"}, "answer": ANSWER}
PAGED = {"request": {"tu": "{since}", "trang": "{page}"}, "paging": {"kind": "page"}}
KNOWN = {"total": "tong", "key": "ma", "changed": "luc"}


@pytest.fixture
def load(tmp_path):
    def read(options: dict[str, Any], protocol: str = "soap", **pull: Any) -> SourceEntry:
        data = yaml.safe_load((FOLDER / "dkkd.yaml").read_text())
        path: Path = tmp_path / "dich_vu.yaml"
        pulled = {"style": "changed-since", "start": "2025-01-01", **pull}
        path.write_text(
            yaml.safe_dump({**data, "system": "dich_vu", "protocol": protocol, "options": options, "pull": pulled})
        )
        entry = load_entry(path)
        assert isinstance(entry, SourceEntry)
        return entry

    return read


def test_a_small_entry_is_enough(load):
    options = load(LISTING).options
    assert (options.path, options.port, options.auth.kind, options.paging.kind) == ("/", None, "none", "none")


@pytest.mark.parametrize(
    ("options", "pull", "problem"),
    [
        ({"request": {"tu": "{sinds}"}}, {}, "is no placeholder"),
        ({"request": {"tu": "{since}", "ma": "{id}"}}, {}, "'{id}' has no value in this call"),
        ({"request": {"tu": "{since}", "lenh": "{job}"}}, {}, "'{job}' has no value in this call"),
        ({"request": {"tu": {"sau": ["{since", "x"]}}}, {}, "a brace stands alone"),
        ({"header": [{"name": "A", "value": "{since}"}]}, {}, "'{since}' has no value in this call"),
        ({"http_headers": {"A": "{page}"}}, {}, "'{page}' has no value in this call"),
        ({"request": {"tu": "{since}"}, "paging": {"kind": "page"}}, {}, "needs '{page}' in it"),
        ({"paging": {"kind": "offset"}}, {}, "paging"),
        ({"answer": {**ANSWER, "oldest_first": True}, **PAGED}, {}, "it needs 'changed'"),
        ({"answer": {**ANSWER, **KNOWN, "oldest_first": True}}, {}, "it needs paging 'page'"),
        (
            {"answer": {**ANSWER, **KNOWN, "oldest_first": True}, **PAGED},
            {"style": "snapshot"},
            "style 'changed-since'",
        ),
        ({"request": {"loai": "1"}}, {}, "Style 'changed-since' needs '{since}' in it"),
        (PAGED, {}, "Records move between numbered pages"),
        ({}, {"style": "window", "refresh_open": True}, "how is one dossier asked for"),
        ({"answer": {"records": "danhSach/hoSo"}}, {}, "plain names with dots between"),
        ({"auth": {"kind": "wsse-username", "password": "plain"}}, {}, "options.auth"),
        ({"faults": {"rules": [{"code": "x", "means": "ignore"}]}}, {}, "means"),
        ({"xroad": {"client": "VN/GOV", "service": "VN/GOV/G99/b/c"}}, {}, "X-Road identifier"),
        ({"path": "ws"}, {}, "a path begins with '/'"),
        ({"operashun": "x"}, {}, "operashun"),
    ],
)
def test_a_mistake_is_told_in_words(load, options, pull, problem):
    with pytest.raises(CatalogError) as caught:
        load({**LISTING, **options}, **pull)
    assert problem.lower() in str(caught.value).lower()


JOBS: dict[str, Any] = {
    "order": {"operation": "dat", "request": {"tu": "{since}"}, "job": "lenh"},
    "status": {"operation": "hoi", "request": {"lenh": "{job}"}, "state": "s", "running": ["A"], "done": ["B"]},
    "result": {"operation": "lay", "request": {"lenh": "{job}"}, "answer": ANSWER},
}


def test_jobs_have_pauses_and_a_deadline_by_default(load):
    poll = load(JOBS, "soap-jobs").options.poll
    assert (poll.first.seconds, poll.longest.seconds, poll.deadline.seconds) == (2, 60, 1800)


@pytest.mark.parametrize(
    ("options", "pull", "problem"),
    [
        ({"order": {**JOBS["order"], "request": {"tu": "x"}}}, {}, "needs '{since}' in it"),
        ({"order": {**JOBS["order"], "request": {"tu": "{since}", "x": "{job}"}}}, {}, "'{job}' has no value"),
        ({"status": {**JOBS["status"], "request": {"lenh": "{page}"}}}, {}, "'{page}' has no value"),
        ({"status": {**JOBS["status"], "done": []}}, {}, "done"),
        ({"result": {**JOBS["result"], "paging": {"kind": "page"}}}, {}, "needs '{page}' in it"),
        (
            {"result": {**JOBS["result"], "answer": {**ANSWER, "changed": "x", "oldest_first": True}}},
            {},
            "does not move",
        ),
        ({"delete": {"operation": "xoa", "request": {"lenh": "{since}"}}}, {}, "'{since}' has no value"),
        ({"poll": {"first": "2"}}, {}, "a duration is a number with a unit"),
        ({}, {"refresh_open": True}, "cannot ask for single dossiers"),
        ({}, {"style": "snapshot"}, "is pulled by style"),
    ],
)
def test_a_mistake_in_jobs_is_told_in_words(load, options, pull, problem):
    with pytest.raises(CatalogError) as caught:
        load({**JOBS, **options}, "soap-jobs", **pull)
    assert problem.lower() in str(caught.value).lower()
