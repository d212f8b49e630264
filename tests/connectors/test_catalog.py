"""The catalog: right entries load, wrong ones say file, line and what to do."""

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import jsonschema
import pytest
import yaml

from connectors import catalog_schema
from connectors.catalog import FOLDER, load_catalog, load_entry
from connectors.catalog_models import PullStyle
from connectors.errors import CatalogError

GPLX = (FOLDER / "gplx.yaml").read_text("utf-8")


@pytest.fixture
def write(tmp_path):
    def _write(text: str, name: str = "gplx.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text, "utf-8")
        return path

    return _write


def mistakes(path: Path) -> list[str]:
    with pytest.raises(CatalogError) as caught:
        load_entry(path)
    return [str(problem) for problem in caught.value.problems]


def changed(old: str, new: str) -> str:
    assert old in GPLX
    return GPLX.replace(old, new)


def test_the_catalog_of_the_project_loads():
    catalog = load_catalog(FOLDER)
    assert {entry.system for entry in catalog.sources} >= {"gplx", "igate", "dkkd"}
    assert all(entry.file.endswith(f"{entry.system}.yaml") for entry in catalog)


def test_an_entry_is_typed():
    entry = load_entry(FOLDER / "gplx.yaml")
    assert entry.pull.style is PullStyle.WINDOW
    assert entry.pull.overlap == timedelta(days=3)
    assert entry.options.unit == "96"


def line_of(text: str, marker: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if marker in line)


@pytest.mark.parametrize(
    ("old", "new", "key", "said"),
    [
        ("style: window", "stile: window", "pull.stile", "Did you mean 'style'?"),
        (
            "protocol: mapi",
            "protocol: mappi",
            "protocol",
            "Did you mean 'mapi'? Allowed: rest, soap, soap-jobs, files, inbound, mapi, igate",
        ),
        ("style: window", "style: windows", "pull.style", "Did you mean 'window'?"),
        ("style: window", "style: newest-first", "pull.style", "Protocol 'mapi' is pulled by style 'window'"),
        ("overlap: 3d", "overlap: 3", "pull.overlap", "90s, 15m, 2h or 3d"),
        ('"*/15 * * * *"', '"every 15 minutes"', "schedule", "five cron fields"),
        ("precedence: 20", "precedence: 0", "precedence", "greater than or equal to 1"),
        ("unit:", "unitt:", "options.unitt", "Did you mean 'unit'?"),
        ("login_path: /api", "login_path: api", "options.login_path", "begins with '/'"),
        ("connection: gplx", "connection: gplx\npassword: hidden", "password", "Put it into the connection"),
        ("contract: gplx", "contract: ../gplx", "contract", "below schemas/wire"),
        ("kind: source", "kind: sauce", "kind", "'source' or 'target'"),
        ("system: gplx", "system: GPLX", "system", "lower-case"),
        ("window_days: 3", "window_days: 3\n  window_days: 4", "pull.window_days", "twice"),
    ],
)
def test_a_mistake_is_named_with_line_key_and_fix(write, old, new, key, said):
    text = changed(old, new)
    (only, *others) = mistakes(write(text))
    assert f"gplx.yaml:{line_of(text, new.splitlines()[-1])}: {key}: " in only or others
    assert any(said in line and f": {key}: " in line for line in (only, *others))


def test_all_mistakes_come_at_once_in_the_order_of_the_file(write):
    text = GPLX.replace("protocol: mapi", "protocol: nope").replace("page_size: 200", "page_size: many")
    found = mistakes(write(text))
    assert len(found) == 2
    assert ": protocol: " in found[0]
    assert ": pull.page_size: " in found[1]


def test_a_missing_part_says_what_it_needs(write):
    text = "\n".join(line for line in GPLX.splitlines() if not line.startswith(("title", "  vi: Cấp", "  en: Driv")))
    assert any("title: missing" in line and "with vi, en" in line for line in mistakes(write(text)))


def test_the_file_has_the_name_of_the_system(write):
    assert "Rename the file to gplx.yaml" in mistakes(write(GPLX, "driving.yaml"))[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: [", "gplx.yaml:"),
        ("- a\n- b", "must be a mapping"),
        ("", "must be a mapping"),
        ("a: \x00", "YAML"),
        ("kind: !!python/object:os.system {}", "gplx.yaml:1"),
    ],
)
def test_a_file_that_is_no_catalog_entry_is_refused(write, text, said):
    assert said in mistakes(write(text))[0]


def test_bytes_that_are_no_utf8_are_refused(tmp_path):
    (tmp_path / "gplx.yaml").write_bytes("title: Cấp".encode("cp1258", "replace") + b"\xff\xfe")
    assert "YAML" in mistakes(tmp_path / "gplx.yaml")[0]


def test_mistakes_in_several_files_come_together(write, tmp_path):
    write(changed("style: window", "style: x"))
    write("kind: target", "npsp.yaml")
    with pytest.raises(CatalogError) as caught:
        load_catalog(tmp_path)
    assert {Path(problem.file).name for problem in caught.value.problems} == {"gplx.yaml", "npsp.yaml"}


def test_a_file_with_a_mistake_stops_its_own_system_and_no_other(write, tmp_path):
    write(GPLX)
    write("kind: target", "npsp.yaml")
    catalog = load_catalog(tmp_path)
    assert [entry.system for entry in catalog] == ["gplx"]
    with pytest.raises(CatalogError, match=r"npsp\.yaml:1: "):
        catalog.target("npsp")
    with pytest.raises(CatalogError, match=r"npsp\.yaml:1: "):
        catalog.whole()


def test_an_empty_folder_is_not_an_empty_catalog(tmp_path):
    with pytest.raises(CatalogError, match="HOSYNC_CATALOG"):
        load_catalog(tmp_path)


def test_the_folder_comes_from_the_environment(write, tmp_path, monkeypatch):
    write(GPLX)
    monkeypatch.setenv("HOSYNC_CATALOG", str(tmp_path))
    catalog = load_catalog()
    assert [entry.system for entry in catalog.sources] == ["gplx"]
    with pytest.raises(CatalogError, match="Did you mean 'gplx'"):
        catalog.entry("gpx")
    with pytest.raises(CatalogError, match="no target 'gplx'"):
        catalog.target("gplx")


def test_the_schema_for_editors_is_the_one_the_models_give():
    assert catalog_schema.FILE.read_bytes() == catalog_schema.rendered(), "run python -m connectors.catalog_schema"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_editors_accept_the_project_s_own_files(path):
    written = json.loads(json.dumps(yaml.safe_load(path.read_text("utf-8")), default=str))
    jsonschema.validate(written, catalog_schema.schema())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("style: window", "stile: window"),
        ("unit:", "unitt:"),
        ("overlap: 3d", "overlap: 3"),
        ("kind: source", "kind: x"),
    ],
)
def test_editors_see_what_loading_would_refuse(old, new):
    wrong = json.loads(json.dumps(yaml.safe_load(changed(old, new)), default=str))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, catalog_schema.schema())


def test_loading_imports_nothing_heavy():
    code = (
        "import sys, connectors.catalog as c; c.load_catalog();"
        "heavy = {'requests', 'zeep', 'lxml', 'airflow', 'urllib3', 'orjson', 'tenacity'} & set(sys.modules);"
        "sys.exit(','.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
