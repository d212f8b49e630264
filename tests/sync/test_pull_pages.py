"""How a pull is cut into pieces, and what it makes of a page before it is stored."""

from datetime import datetime
from typing import cast

import orjson
import pytest

from connectors.catalog import load_catalog
from schemas.times import VN
from sync.context import Context
from sync.mapped import native_bytes
from sync.pull import plan


class _Catalog:
    catalog = load_catalog()


@pytest.mark.parametrize(
    ("system", "pieces"),
    [("gplx", 3), ("dkkd", 3), ("qldc", 3), ("xaydung", 1), ("dienluc", 1), ("tanso", 1), ("hotich", 1)],
)
def test_a_range_is_cut_into_months_where_a_system_can_be_asked_for_one(system: str, pieces: int) -> None:
    span = {"start": datetime(2026, 3, 10, tzinfo=VN), "end": datetime(2026, 5, 2, tzinfo=VN)}
    planned = plan(cast("Context", _Catalog()), system, now=datetime(2026, 6, 1, tzinfo=VN), **span)
    assert len(planned) == pieces


def _nested(levels: int) -> object:
    value: object = "deepest"
    for level in range(levels):
        value = {"inside": value} if level % 2 else [value]
    return value


@pytest.mark.parametrize("levels", [0, 200, 254])
def test_a_record_is_set_aside_whole(levels: int) -> None:
    assert orjson.loads(native_bytes({"a": _nested(levels - 1)})) == {"a": _nested(levels - 1)}


@pytest.mark.parametrize("levels", [255, 900])
def test_p1_a_record_nested_beyond_all_measure_is_set_aside_as_far_as_it_can_be_written(levels: int) -> None:
    written = native_bytes({"id": 7, "a": _nested(levels)})
    assert orjson.loads(written)["id"] == 7
    assert "…".encode() in written
    assert written == native_bytes({"a": _nested(levels), "id": 7})
