"""A compiled JMESPath expression means what the library says it means."""

from __future__ import annotations

from typing import Any

import jmespath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.expressions import compiled

NAMES = ("a", "b", "c")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 3) | st.sampled_from(["", "a", "1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=6,
)
LITERALS = st.sampled_from(["`null`", "`false`", "`0`", "`1`", "`[]`", "`{}`", "`[1, 2]`", "''", "'a'"])
EXPRESSIONS = st.recursive(
    st.sampled_from([*NAMES, "@", "a.b", "b.c.a"]) | LITERALS,
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(["&&", "||", "==", "!=", "<", ">="]), inner),
        st.builds("({} | {})".format, inner, inner),
        st.builds("!{}".format, inner),
        st.builds("{{b: {}, c: {}}}".format, inner, inner),
        st.builds("[{}, {}]".format, inner, inner),
        st.builds("{}({})".format, st.sampled_from(["to_string", "length", "type", "not_null"]), inner),
        st.builds("contains({}, {})".format, inner, inner),
        st.builds("sort_by({}, &a)".format, inner),
        st.builds("({})[?{}]".format, inner, inner),
        st.builds("({}){}".format, inner, st.sampled_from(["[0]", "[*]", "[]", "[:1]", ".*", ".a", ".b.c"])),
    ),
    max_leaves=6,
)


@settings(max_examples=1500)
@given(expression=EXPRESSIONS, value=VALUES)
def test_an_expression_finds_what_the_library_finds(expression: str, value: Any) -> None:
    assert _outcome(compiled(expression), value) == _outcome(jmespath.compile(expression).search, value)


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("a == `1` && b || `null`", "x"),
        ("[{b: b}]", [{"b": "x"}]),
        ("a.b.c", None),
        ("to_string(a)", "1"),
        ("`0` || a", 0),
    ],
)
def test_what_mappings_write_most(expression: str, found: Any) -> None:
    assert compiled(expression)({"a": 1, "b": "x"}) == found


def test_true_is_not_one() -> None:
    assert [compiled("a == `1`")({"a": value}) for value in (True, 1, 1.0, "1")] == [False, True, True, False]


def test_an_expression_may_have_any_number_of_alternatives() -> None:
    names = [f"a{number}" for number in range(300)]
    assert compiled(" || ".join(names))({"a299": "x"}) == "x"


def _outcome(search: Any, value: Any) -> tuple[str, str]:
    """The value, told apart by type as well (``True`` is not 1), or the kind of error."""
    try:
        return "found", repr(search(value))
    except Exception as error:
        return "failed", type(error).__name__
