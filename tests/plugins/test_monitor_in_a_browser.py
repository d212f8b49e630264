"""The monitor as people meet it: in Airflow's frame, in Chromium, wide and narrow, light and dark."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from monitor_server import Served
from playwright.sync_api import Browser, Page, expect, sync_playwright

pytestmark = pytest.mark.timeout(400)
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Browser, served: Served) -> Iterator[Page]:
    """A signed-in page. A complaint on its console or a failed load of ours fails the test."""
    token = served.signed_in().cookies["_token"]
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(60_000)
    context.add_cookies([{"name": "_token", "value": token, "url": served.url}])
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    yield opened
    context.close()
    assert not [text for text in complaints if "hosync" in text or "Content Security Policy" in text]


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_its_window(
    page: Page, served: Served, tmp_path: Path, language: str, width: int, scheme: str
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{served.url}/hosync/?lang={language}")
    expect(page.locator("h1")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    picture = Path(os.environ.get("HOSYNC_PICTURES", tmp_path)) / f"monitor_{language}_{width}_{scheme}.png"
    page.screenshot(path=picture, full_page=True)


def test_airflows_navigation_opens_the_monitor_in_its_frame(page: Page, served: Served, tmp_path: Path) -> None:
    page.goto(f"{served.url}/plugin/hosync")
    frame = page.frame_locator("iframe")
    expect(frame.locator("h1")).to_have_text("Giám sát đồng bộ hồ sơ")
    page.screenshot(path=Path(os.environ.get("HOSYNC_PICTURES", tmp_path)) / "monitor_in_airflow.png")


def test_a_link_to_a_dag_leaves_the_frame(page: Page, served: Served) -> None:
    page.goto(f"{served.url}/plugin/hosync")
    page.frame_locator("iframe").get_by_role("link", name="pull_gplx").click()
    page.wait_for_url(f"{served.url}/dags/pull_gplx**")


def test_the_monitor_takes_over_airflows_dark_theme(page: Page, served: Served) -> None:
    page.goto(f"{served.url}/plugin/hosync")
    root = page.frame_locator("iframe").locator("html")
    expect(root).to_have_attribute("data-theme", "light")
    page.evaluate("document.documentElement.classList.add('dark')")
    expect(root).to_have_attribute("data-theme", "dark")


def test_the_page_works_without_scripts(browser: Browser, served: Served) -> None:
    context = browser.new_context(java_script_enabled=False)
    context.add_cookies([{"name": "_token", "value": served.signed_in().cookies["_token"], "url": served.url}])
    page = context.new_page()
    page.goto(f"{served.url}/hosync/")
    page.get_by_role("link", name="English").click()
    expect(page.locator("h1")).to_have_text("Dossier sync monitor")
    assert page.get_by_role("link", name="pull_gplx").get_attribute("href") == "../dags/pull_gplx"
    context.close()


def test_the_page_refreshes_by_itself(page: Page, served: Served) -> None:
    page.clock.install()
    page.goto(f"{served.url}/hosync/")
    page.evaluate("document.querySelector('.updated').textContent = 'old'")
    with page.expect_response(lambda answer: answer.url.endswith("/hosync/")):
        page.clock.run_for(31_000)
    expect(page.locator(".updated")).to_contain_text("Cập nhật lúc")


def test_every_table_names_its_columns_and_rows_for_those_who_listen(page: Page, served: Served) -> None:
    page.goto(f"{served.url}/hosync/?lang=vi")
    for name in ("Hệ thống nguồn", "Hệ thống đích", "Danh sách sai lệch đang mở"):
        expect(page.get_by_role("region", name=name).get_by_role("table")).to_be_visible()
    assert page.locator("thead th:not([scope=col])").count() == 0
    assert page.locator("tbody th:not([scope=row])").count() == 0
