"""`hosync preview` shows a record on its way through the house, without storing, sending or revealing anything."""

from __future__ import annotations

import json
import subprocess

import forked
import pytest
from living_province import Province

pytestmark = pytest.mark.timeout(120)


@pytest.mark.parametrize("system", ["gplx", "igate", "dkkd"])
def test_preview_shows_what_each_target_would_get_and_hides_who_it_is_about(province: Province, system: str) -> None:
    masked = province.hosync("preview", system, "-n", "1")
    revealed = province.hosync("preview", system, "-n", "1", "--reveal")
    (open_record,) = revealed
    person = open_record["canonical"]["applicant"]
    hidden = json.dumps(masked, ensure_ascii=False)
    for field in ("name", "identity_number", "phone", "email"):
        if field in person:
            assert person[field] in json.dumps(revealed, ensure_ascii=False)
            assert person[field].casefold() not in hidden.casefold(), f"{field} is shown"
    assert [each["target"] for each in open_record["targets"]] == ["emc", "feed", "npsp", "province"]
    for each in open_record["targets"]:
        assert each["problems"] == []
        assert bool(each["steps"]) == (each["target"] != "feed")
        assert (each["dossier"] is None) == (each["target"] == "emc")
    assert all(province.lines(target, "writes") == [] for target in ("npsp", "province", "emc", "feed"))


def _as_people_see_it(province: Province, *without: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in province.environment.items() if name not in without}
    return forked.run("preview", "igate", "-n", "1", env=environment, check=True)


def test_preview_says_what_the_ledger_knows_and_works_without_one(province: Province) -> None:
    assert "As the ledger knows it" not in _as_people_see_it(province).stdout
    province.hosync("pull", "igate")
    known = _as_people_see_it(province).stdout
    assert "As the ledger knows it" in known
    assert "No other system knows this dossier." in known
    alone = _as_people_see_it(province, "HOSYNC_DATABASE_URL", "HOSYNC_DATA_KEY")
    assert "As province gets it" in alone.stdout
    assert "As the ledger knows it" not in alone.stdout
    assert "There is no ledger to ask" in alone.stderr


def test_preview_names_codes_that_the_portal_does_not_publish_once_its_catalogues_are_known(province: Province) -> None:
    (told,) = province.hosync("catalogues", "npsp")["targets"]
    assert [line["kind"] for line in told["catalogues"]] == ["agency", "field", "procedure"]
    assert told["unpublished"] == []  # nothing was pulled from any source yet
    (record,) = province.hosync("preview", "dienluc", "-n", "1")
    (npsp,) = (each for each in record["targets"] if each["target"] == "npsp")
    assert npsp["unpublished"] == ["agency H12.31", "field G99-DL01"]
