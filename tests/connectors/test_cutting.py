"""Cutting out what may not be kept, from JSON, from XML, and from documents inside them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.cutting import CannotCut, Cuts, dumped


def cut(value, *paths):
    copy = json.loads(json.dumps(value))
    Cuts(paths).from_value(copy)
    return copy


def cut_xml(text, *paths):
    return Cuts(paths).from_xml(text.encode()).decode().partition("?>")[2].strip()


SECRET = "nội dung án"


@pytest.mark.parametrize(
    ("value", "path", "left"),
    [
        ({"a": 1, "b": 2}, "a", {"b": 2}),
        ({"v": [{"k": {"p": 1, "q": 2}}, {"k": None}, {}]}, "v[].k.p", {"v": [{"k": {"q": 2}}, {"k": None}, {}]}),
        ({"v": [{"p": 1}]}, "v.p", {"v": [{}]}),
        ({"v": {"p": 1}}, "v[].p", {"v": {}}),
        ([{"p": 1}, [{"p": 2}]], "p", [{}, [{}]]),
        ({"v": [{"p": 1}]}, "v", {}),
        ({"a": 1}, "khong.co", {"a": 1}),
    ],
)
def test_paths_are_followed_through_lists_wherever_they_are(value, path, left):
    assert cut(value, path) == left


def test_a_text_that_is_a_json_document_is_opened():
    value = {"d": json.dumps({"an": SECRET, "so": 1}), "l": [json.dumps([{"an": SECRET}])]}
    assert cut(value, "d.an", "l.an") == {"d": '{"so":1}', "l": ["[{}]"]}


def test_a_text_that_is_an_xml_document_is_opened():
    value = {"d": f'<?xml version="1.0" encoding="utf-16"?><ht xmlns="u"><hs><an>{SECRET}</an><so>1</so></hs></ht>'}
    assert cut(value, "d.hs.an") == {"d": '<ht xmlns="u"><hs><so>1</so></hs></ht>'}


def test_a_document_in_a_document_in_a_document_is_opened():
    inner = json.dumps({"an": SECRET, "ten": "mẫu"})
    value = {"d": f"<r><c><![CDATA[{inner}]]></c></r>"}
    assert SECRET not in json.dumps(cut(value, "d.c.an"), ensure_ascii=False)
    assert "mẫu" in cut(value, "d.c.an")["d"]


@pytest.mark.parametrize("text", ["{hỏng", "<r><an>", SECRET, '"an"', "<!DOCTYPE r [<!ENTITY e 'x'>]><r><an/></r>"])
def test_a_text_on_the_path_that_cannot_be_opened_is_removed_as_a_whole(text):
    assert cut({"d": text, "e": 1}, "d.an") == {"d": None, "e": 1}


def test_an_empty_text_on_the_path_stays():
    assert cut({"d": "", "e": [" "]}, "d.an", "e.an") == {"d": "", "e": [" "]}


def test_elements_and_attributes_are_cut_from_xml_by_local_names():
    text = f'<e:E xmlns:e="u"><B><r><an>{SECRET}</an><so k="{SECRET}">1</so></r><r><an/></r></B></e:E>'
    assert cut_xml(text, "r.an", "so.@k") == '<e:E xmlns:e="u"><B><r><so>1</so></r><r/></B></e:E>'
    assert SECRET not in cut_xml(text, "E.B")
    assert cut_xml(text, "@k", "an") == '<e:E xmlns:e="u"><B><r><so>1</so></r><r/></B></e:E>'


def test_a_document_inside_an_element_is_opened():
    text = '<r><d>{"an": 1, "so": 2}</d><d>khong phai</d></r>'
    assert cut_xml(text, "d.an") == '<r><d>{"so":2}</d><d/></r>'


def test_the_root_may_be_cut():
    assert cut_xml("<an>x</an>", "an") == "<an/>"


@pytest.mark.parametrize("body", [b"", b"<r>", b"khong", b"<!DOCTYPE r [<!ENTITY e 'x'>]><r>&e;</r>"])
def test_what_is_no_xml_cannot_be_cut_and_so_not_be_kept(body):
    with pytest.raises(CannotCut):
        Cuts(["a"]).from_xml(body)


def test_without_paths_nothing_is_touched():
    assert not Cuts(())
    assert Cuts(()).from_xml(b"anything") == b"anything"


def test_an_answer_nested_too_deep_to_be_written_again_cannot_be_kept():
    value = json.loads("[" * 900 + "]" * 900)
    Cuts(["a"]).from_value(value)
    with pytest.raises(CannotCut):
        dumped(value)


NAMES = st.sampled_from(["a", "b", "an"])
JSON = st.recursive(
    st.none() | st.integers() | st.sampled_from(["", "x", "{", "<a/>"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(NAMES, inner, max_size=3)
        | st.dictionaries(NAMES, inner, max_size=2).map(json.dumps)
    ),
    max_leaves=12,
)


def reachable(value, names):
    """Whether anything stands at ``names``, looked for without the code under test."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return False
    if isinstance(value, list):
        return any(reachable(item, names) for item in value)
    if not isinstance(value, dict) or names[0] not in value:
        return False
    return len(names) == 1 or reachable(value[names[0]], names[1:])


@given(value=st.dictionaries(NAMES, JSON, max_size=3), names=st.lists(NAMES, min_size=1, max_size=3))
def test_after_cutting_nothing_stands_at_the_path_any_more(value, names):
    assert not reachable(cut(value, ".".join(names)), names)
