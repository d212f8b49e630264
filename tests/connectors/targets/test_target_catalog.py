"""The catalog entries of the targets: loadable, openable, and what the ledger counts on."""

import subprocess
import sys
from dataclasses import replace

import pytest
from pushing import settings

from connectors.catalog import FOLDER, load_entry
from connectors.catalog_models import InDoubt, TargetEntry
from connectors.factory import open_target

EXTRA = {"group_id": "1", "site_id": "1", "dstcode": "VN:X"}


@pytest.mark.parametrize("system", ["npsp", "province", "emc", "feed"])
def test_every_target_of_the_catalog_opens_without_connecting(system: str) -> None:
    entry = load_entry(FOLDER / f"{system}.yaml")
    assert isinstance(entry, TargetEntry)
    secret = "whsec_" + "QUJD" * 8
    open_target(entry, replace(settings("127.0.0.1", 9, **EXTRA), password=secret)).close()


@pytest.mark.parametrize("system", ["npsp", "province"])
def test_a_dossier_in_doubt_is_asked_for_where_it_can_be(system: str) -> None:
    entry = load_entry(FOLDER / f"{system}.yaml")
    assert isinstance(entry, TargetEntry)
    assert entry.operations.dossier is not None
    assert entry.operations.dossier.in_doubt is InDoubt.ASK


def test_reading_the_entries_of_targets_imports_no_transport() -> None:
    program = (
        "import sys; from connectors.catalog import FOLDER, load_entry;"
        "[load_entry(FOLDER / f'{name}.yaml') for name in ('npsp', 'province', 'emc', 'feed')];"
        "sys.exit('requests' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
