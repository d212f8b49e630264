"""The environment of a configured machine."""

from __future__ import annotations

import base64

import pytest


@pytest.fixture
def ledger_env(database_url: str, data_key: bytes) -> dict[str, str]:
    """Names an empty ledger and the key to it."""
    return {"HOSYNC_DATABASE_URL": database_url, "HOSYNC_DATA_KEY": base64.b64encode(data_key).decode()}
