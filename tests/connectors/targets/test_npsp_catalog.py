"""What a catalog entry of the portal may say: without a look-up, nothing may rest on one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from connectors.catalog import FOLDER, load_entry
from connectors.catalog_models import TargetEntry
from connectors.errors import CatalogError

URLS = {
    "style": "urls",
    "insert_path": "/them",
    "update_path": "/sua",
    "progress_path": "/tien-trinh",
    "notice_path": "/thong-bao",
    "ratings_path": "/danh-gia",
}
SERVICES = {"style": "services"}


def written(
    folder: Path, *, calls: Mapping[str, Any], dossier: str, method: str, asks: bool = False, **options: Any
) -> Path:
    entry = yaml.safe_load((FOLDER / "npsp.yaml").read_text("utf-8"))
    if not asks:
        del entry["catalogues"]
    entry["options"] |= {"calls": dict(calls), **options}
    entry["operations"]["dossier"]["in_doubt"] = dossier
    entry["reconcile"]["method"] = method
    path = folder / "npsp.yaml"
    path.write_text(yaml.safe_dump(entry, allow_unicode=True), "utf-8")
    return path


@pytest.mark.parametrize("calls", [SERVICES, URLS], ids=["services", "urls"])
def test_a_style_without_look_up_names_every_key_that_needs_one_and_what_to_write(
    tmp_path: Path, calls: Mapping[str, Any]
) -> None:
    with pytest.raises(CatalogError) as caught:
        load_entry(written(tmp_path, calls=calls, dossier="ask", method="lookup", asks=True))
    said = {problem.key: str(problem) for problem in caught.value.problems}
    assert set(said) == {"operations.dossier.in_doubt", "reconcile.method", "catalogues"}
    assert all(f"style '{calls['style']}' answers no questions" in line for line in said.values())
    assert all("options.reads" in line for line in said.values())
    assert "resend" in said["operations.dossier.in_doubt"]
    assert "none" in said["reconcile.method"]


@pytest.mark.parametrize("calls", [SERVICES, URLS], ids=["services", "urls"])
def test_it_loads_with_policies_that_need_none_or_with_somewhere_to_ask(
    tmp_path: Path, calls: Mapping[str, Any]
) -> None:
    without = load_entry(written(tmp_path, calls=calls, dossier="resend", method="none"))
    assert isinstance(without, TargetEntry)
    assert not without.is_compared
    beside = load_entry(written(tmp_path, calls=calls, dossier="ask", method="lookup", asks=True, reads={}))
    assert isinstance(beside, TargetEntry)
    assert beside.is_compared


def test_addresses_without_one_for_notices_tell_by_steps_alone(tmp_path: Path) -> None:
    calls = {key: value for key, value in URLS.items() if key != "notice_path"}
    with pytest.raises(CatalogError, match=r"told_by: style 'urls' has no address for notices.*notice_path"):
        load_entry(written(tmp_path, calls=calls, dossier="resend", method="none"))
    steps_alone = {"told_by": "steps"}
    load_entry(written(tmp_path, calls=calls, dossier="resend", method="none", filed_there=steps_alone))


def test_dispatch_needs_nobody_to_ask_for_it(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"options\.reads: not needed"):
        load_entry(written(tmp_path, calls={"style": "dispatch"}, dossier="ask", method="lookup", reads={}))


def test_an_unknown_style_is_told_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="dispatch, services, urls"):
        load_entry(written(tmp_path, calls={"style": "soap"}, dossier="ask", method="lookup"))
