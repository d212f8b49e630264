"""What a pull makes of a page before it is stored."""

import orjson
import pytest

from sync.pull import native_bytes


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
