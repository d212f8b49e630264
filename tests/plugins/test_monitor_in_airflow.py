"""The monitor inside a real Airflow API server, over a real ledger."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from monitor_ledger import APPLICANT, IDENTITY
from monitor_server import Served

pytestmark = pytest.mark.timeout(400)


def test_a_person_without_sign_in_is_sent_to_airflows_sign_in_and_back(served: Served) -> None:
    answer = served.anonymous("/hosync/")
    assert answer.status_code == 303
    target = urlsplit(answer.headers["Location"])
    assert target.path == "/api/v2/auth/login"
    assert parse_qs(target.query) == {"next": ["/hosync/"]}
    followed = served.anonymous(answer.headers["Location"])
    assert followed.status_code == 307
    assert urlsplit(followed.headers["Location"]).path.rstrip("/") == "/auth/login"


def test_a_program_without_sign_in_gets_401(served: Served) -> None:
    assert served.anonymous("/hosync/", Accept="application/json").status_code == 401


def test_a_forged_token_gets_nothing(served: Served) -> None:
    answer = served.anonymous("/hosync/", Cookie="_token=forged")
    assert answer.status_code == 403
    assert "gplx" not in answer.text


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_there_is_nothing_to_write_to(served: Served, method: str) -> None:
    assert served.signed_in().request(method, served.url + "/hosync/", timeout=60).status_code == 405


def test_only_style_script_and_icons_are_open(served: Served) -> None:
    for name in ("monitor.css", "monitor.js", "theme.js", "icon.svg"):
        assert served.anonymous(f"/hosync/static/{name}").status_code == 200
    for path in ("/hosync/docs", "/hosync/openapi.json", "/hosync/static/../web.py", "/hosync/static/"):
        assert served.anonymous(path).status_code == 404


def test_the_page_shows_what_the_ledger_holds(served: Served) -> None:
    text = _text(served, "/hosync/?lang=vi")
    assert "Hồ sơ trong sổ cái 12" in text
    assert "Đã đọc 13 = 12 mới + 0 thay đổi + 0 không đổi + 0 đến muộn + 1 cách ly" in text
    assert "3 thiếu ở hệ thống đích" in text
    assert "7 trên 10 hồ sơ đã hỏi khớp" in text
    assert "H12.12-251101-0003" in text
    assert "the token service did not answer" in text
    assert "Đăng ký" in text  # dkkd has never run and is shown all the same


def test_the_page_is_vietnamese_until_asked_for_english_and_remembers(served: Served) -> None:
    session = served.signed_in()
    assert '<html lang="vi">' in session.get(served.url + "/hosync/", timeout=60).text
    assert '<html lang="en">' in session.get(served.url + "/hosync/?lang=en", timeout=60).text
    again = session.get(served.url + "/hosync/", timeout=60)
    assert '<html lang="en">' in again.text
    assert "3 missing at target" in _plain(again.text)


def test_an_unknown_language_is_refused(served: Served) -> None:
    assert served.signed_in().get(served.url + "/hosync/?lang=xx", timeout=60).status_code == 422


def test_the_page_holds_no_personal_data(served: Served) -> None:
    page = served.signed_in().get(served.url + "/hosync/", timeout=60).text
    assert APPLICANT not in page
    assert IDENTITY not in page


def test_the_page_may_load_nothing_from_elsewhere_and_stand_only_in_airflows_frame(served: Served) -> None:
    answer = served.signed_in().get(served.url + "/hosync/", timeout=60)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'self'" in policy
    assert "unsafe" not in policy
    assert answer.headers["Cache-Control"] == "no-store"
    assert not re.search(r"\son[a-z]+=|<style|style=|javascript:|https?://", answer.text)


def test_airflow_lists_the_monitor_in_its_navigation(served: Served) -> None:
    session = served.signed_in()
    plugins = session.get(served.url + "/api/v2/plugins", timeout=60).json()["plugins"]
    (plugin,) = [one for one in plugins if one["name"] == "hosync"]
    (view,) = plugin["external_views"]
    assert (view["destination"], view["url_route"], view["href"]) == ("nav", "hosync", "/hosync/")
    assert session.get(served.url + "/api/v2/plugins/importErrors", timeout=60).json()["total_entries"] == 0


def test_without_its_ledger_the_page_says_what_to_do(served_without_ledger: Served) -> None:
    answer = served_without_ledger.signed_in().get(served_without_ledger.url + "/hosync/", timeout=60)
    assert answer.status_code == 503
    assert "Không đọc được sổ cái" in answer.text
    assert "hosync check" in answer.text
    assert "hush" not in answer.text


def _text(served: Served, path: str) -> str:
    answer = served.signed_in().get(served.url + path, timeout=60)
    assert answer.status_code == 200
    return _plain(answer.text)


def _plain(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)).strip()
