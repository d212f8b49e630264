"""Catalog entries of REST systems: mistakes are told with file, line and what to do."""

import pytest
from rest_entries import written

from connectors.catalog import load_entry
from connectors.errors import CatalogError

REQUEST = {"path": "/ds", "params": {"trang": "{page}", "tu": "{since}"}}
GOOD = {
    "request": REQUEST,
    "paging": {"kind": "page"},
    "answer": {"records": "d", "total": "t", "key": "ma", "changed": "luc"},
}
TIMELESS = {**GOOD, "request": {"path": "/ds", "params": {"trang": "{page}"}}}
SINCE = {"path": "/ds", "params": {"tu": "{since}"}}
CHANGED = {"style": "changed-since"}


def mistakes(folder, pull, options, **keys):
    with pytest.raises(CatalogError) as caught:
        load_entry(written(folder, pull, options, **keys))
    return [str(problem) for problem in caught.value.problems]


def with_(*path_and_value):
    """``GOOD`` with one value replaced."""
    *path, last, value = path_and_value
    options = {key: dict(part) for key, part in GOOD.items()}
    place = options
    for name in path:
        place = place.setdefault(name, {})
    place[last] = value
    return options


@pytest.mark.parametrize(
    ("options", "key", "says"),
    [
        (with_("request", "path", "/ds/{sinse}"), "options.request.path", "Did you mean '{since}'?"),
        (with_("request", "path", "ds"), "options.request.path", "begins with '/'"),
        (with_("request", "params", {"a": "{since:dd}"}), "options.request.params.a", "such as %d/%m/%Y"),
        (with_("request", "body", {"a": ["{x}"]}), "options.request.body", "is no placeholder"),
        (with_("request", "form", {"a": "{"}), "options.request.form.a", "write '{{'"),
        (with_("request", "headers", {"a": "{session}"}), "options.request", "'{session}' has no value"),
        (with_("request", "pathh", "/"), "options.request.pathh", "Did you mean 'path'?"),
        (with_("answer", "records", "a[]"), "options.answer.records", "plain names with dots"),
        (with_("answer", "changed_zone", "Asia/Saigonn"), "options.answer.changed_zone", "Asia/Ho_Chi_Minh"),
        (with_("answer", "changed_format", "dd/MM"), "options.answer.changed_format", "%d/%m/%Y"),
        (with_("answer", "success", {"at": "ma"}), "options.answer.success.is", "missing"),
        (
            with_("paging", {"kind": "pages"}),
            "options.paging.kind",
            "none, page, offset, cursor, link-header, next-url",
        ),
        (with_("paging", {"kind": "page", "frist": 0}), "options.paging.frist", "Did you mean 'first'?"),
        (with_("paging", {"kind": "offset"}), "options.request", "needs '{offset}'"),
        (with_("paging", {"kind": "cursor", "at": "c"}), "options.request", "needs '{cursor}'"),
        (with_("paging", {"kind": "none"}), "options.request", "'{page}' belongs to paging 'page', not to 'none'"),
        (with_("auth", {"kind": "oauth2"}), "options.auth.token_path", "missing"),
        (with_("auth", {"kind": "basic", "password": "x"}), "options.auth.password", "Put it into the connection"),
        (with_("auth", {"kind": "basicc"}), "options.auth.kind", "Did you mean 'basic'?"),
        (with_("auth", {"kind": "api-key", "headers": {"k": "{pasword}"}}), "options.auth.headers.k", "'{password}'"),
        (with_("detail", {"request": {"path": "/ct/{ids}"}}), "options.detail.request", "'{ids}' has no value"),
        (with_("detail", {"request": {"path": "/ct/{since}"}}), "options.detail.request", "'{since}' has no value"),
        (with_("answer", "oldest_first", True) | {"more_requests": [REQUEST]}, "options.answer.oldest_first", "single"),
        (with_("xroad", {"client": "A/B", "service": "A/B/C/D/E"}), "options.xroad.client", "INSTANCE/CLASS/CODE"),
    ],
)
def test_a_mistake_in_the_options_is_named_with_its_place_and_what_to_do(tmp_path, options, key, says):
    found = mistakes(tmp_path, CHANGED, options)
    assert any(f": {key}: " in one and says in one and "mau.yaml:" in one for one in found), found


def test_the_line_is_that_of_the_mistake(tmp_path):
    (problem,) = mistakes(tmp_path, CHANGED, with_("request", "path", "/{x}"))
    lines = (tmp_path / "mau.yaml").read_text("utf-8").splitlines()
    number = int(problem.split("mau.yaml:")[1].split(":")[0])
    assert "path: /{x}" in lines[number - 1]


@pytest.mark.parametrize(
    ("pull", "options", "key", "says"),
    [
        ({"style": "open-list", "open_list": {}}, {"request": {"path": "/x"}}, "request", "needs '{ids}'"),
        (
            {"style": "open-list", "open_list": {"per_call": 3}},
            {"request": {"path": "/{id}"}},
            "request",
            "use '{ids}'",
        ),
        (CHANGED, with_("request", "path", "/x/{ids}"), "request", "leave out the ids"),
        (CHANGED, {"request": {"path": "/x"}}, "request", "needs '{since}'"),
        (CHANGED, {"request": SINCE, "more_requests": [{"path": "/"}]}, "more_requests", "needs '{since}'"),
        ({"style": "queue"}, TIMELESS, "acknowledge", "needs it"),
        ({"style": "snapshot"}, GOOD, "request", "has no window"),
        (CHANGED, with_("acknowledge", {"path": "/{id}"}), "acknowledge", "acknowledges nothing"),
        ({"style": "newest-first"}, with_("answer", {"records": "d"}), "answer", "needs 'changed'"),
        ({"style": "window", "refresh_open": True}, GOOD, "refresh", "how is one dossier asked for"),
        (CHANGED, with_("answer", {"records": "d"}) | {"paging": {"kind": "page"}}, "answer", "or 'oldest_first'"),
        ({"style": "snapshot"}, {**TIMELESS, "answer": {}}, "answer", "'total' and 'key'"),
    ],
)
def test_what_does_not_go_with_the_pull_style_is_named(tmp_path, pull, options, key, says):
    (problem,) = mistakes(tmp_path, pull, options)
    assert f"options.{key}: does not fit 'pull'" in problem
    assert says in problem


@pytest.mark.parametrize("path", ["", "a..b", "[]", "a b", "a[0].b", ".a"])
def test_a_path_to_cut_that_cuts_nothing_is_a_mistake(tmp_path, path):
    (problem,) = mistakes(tmp_path, CHANGED, GOOD, cut=[path])
    assert "cut" in problem
    assert "value[].ketQua.phieu" in problem
