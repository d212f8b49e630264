"""iGate as a target: what its answers mean, and listings whose pages move while they are read."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from loopback import Asked, Reply, Script, Server
from pushing import code

from connectors.api import Item, Outcome
from connectors.catalog import FOLDER, load_entry
from connectors.catalog_models import TargetEntry, Timeouts
from connectors.errors import BrokenAnswer, Repeated
from connectors.http import Answer
from connectors.targets.answers import Kind
from connectors.targets.igate_dossier import IgateDossierTarget
from connectors.targets.provincial_answers import classify_answer

Serve = Callable[[Script], Server]
TOKEN = Reply(200, json.dumps({"access_token": "mau", "expires_in": 300}).encode())


def _entry(**options: Any) -> TargetEntry:
    found = load_entry(FOLDER / "alternatives" / "province_igate.yaml", alternative=True)
    assert isinstance(found, TargetEntry)
    own = found.options.model_copy(update={"page_size": 2, **options})
    return found.model_copy(update={"options": own, "timeouts": Timeouts(connect_s=2, read_s=2, total_s=4)})


def _target(server: Server, **options: Any) -> IgateDossierTarget:
    return IgateDossierTarget(_entry(**options), server.settings(extra={"client_id": "mau"}))


def _row(number: int, **more: Any) -> dict[str, Any]:
    return {"id": str(number), "code": code(number), "dossierStatus": {"id": 2}, **more}


def _page(rows: Sequence[Mapping[str, Any]], number: int, total: int) -> Reply:
    body = {"content": list(rows), "number": number, "last": (number + 1) * 2 >= total, "totalElements": total}
    return Reply(200, json.dumps(body).encode())


def _search(pages: Callable[[int], Reply]) -> Script:
    return lambda asked: TOKEN if asked.path.endswith("/token") else pages(int(asked.query["page"]))


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b'{"id": "1"}', Kind.DONE),
        (200, b'{"code": "1"}', Kind.UNCLEAR),
        (200, b"[]", Kind.UNCLEAR),
        (200, b"<html>", Kind.UNCLEAR),
        (200, b"", Kind.UNCLEAR),
        (400, b'{"message": "Thi\xe1\xba\xbfu tr\xc6\xb0\xe1\xbb\x9dng"}', Kind.REFUSED),
        (409, b"not json", Kind.REFUSED),
        (401, b"{}", Kind.SIGN_IN),
        (403, b'{"message": "no"}', Kind.NOT_NOW),
        (404, b'{"message": "no such path"}', Kind.NOT_NOW),
        (500, b'{"id": "1"}', Kind.UNCLEAR),
        (302, b"", Kind.UNCLEAR),
    ],
)
def test_an_answer_means_what_status_and_body_say_together(status: int, body: bytes, kind: Kind) -> None:
    answer = Answer(
        system="province", where="POST /x", status=status, headers={"content-type": "application/json"}, body=body
    )
    reply = classify_answer(answer, shows=("id",))
    assert reply.kind is kind
    assert reply.said == ("Thiếu trường" if status == 400 else "")


def test_a_listing_in_which_dossiers_moved_is_read_again_and_gives_each_once(serve: Serve) -> None:
    asked: list[int] = []

    def pages(number: int) -> Reply:
        asked.append(number)
        # Number 3 changes after the first page was read, jumps to the top, and 1 would be read twice and 3 never.
        rows = [3, 0, 1, 2] if len(asked) > 1 else [0, 1, 3, 2]
        return _page([_row(n) for n in rows[2 * number : 2 * number + 2]], number, 4)

    found = [held.code for held in _target(serve(_search(pages))).listing()]
    assert sorted(found) == [code(n) for n in range(4)]
    assert asked == [0, 1, 0, 1]


def test_a_listing_that_never_comes_to_its_own_total_is_an_error(serve: Serve) -> None:
    def pages(number: int) -> Reply:
        return _page([_row(number)], number, 4)

    with pytest.raises(Repeated, match="never complete"):
        list(_target(serve(_search(pages))).listing())


def test_a_dossier_without_a_code_makes_the_listing_worthless(serve: Serve) -> None:
    with pytest.raises(BrokenAnswer, match="without a code"):
        list(_target(serve(_search(lambda number: _page([{"id": "1"}], number, 1)))).listing())


def test_a_status_that_the_table_does_not_know_is_no_state_and_no_guess(serve: Serve) -> None:
    rows = [_row(1, dossierStatus={"id": 77}), _row(2, dossierStatus={"id": "2"})]
    held = list(_target(serve(_search(lambda number: _page(rows, number, 2)))).listing())
    assert [each.state for each in held] == [None, None]


def test_of_several_dossiers_with_one_code_the_one_changed_last_counts(serve: Serve) -> None:
    rows = [
        _row(1, updatedDate="2025-08-12T09:00:00.000+0700"),
        _row(1, updatedDate="2025-08-13T09:00:00.000+0700", dossierStatus={"id": 4}),
    ]
    held = _target(serve(_search(lambda number: _page(rows, number, 2)))).lookup(code(1))
    assert held is not None
    assert held.state == 10


def test_trouble_with_signing_in_leaves_no_doubt_about_the_dossier(serve: Serve) -> None:
    def script(asked: Asked) -> Reply:
        return Reply(500) if asked.path.endswith("/token") else Reply(200, b"{}")

    (verdict,) = _target(serve(script)).send_dossiers([Item(key="d1", code=code(1), payload=_row(1))])
    assert verdict.outcome is Outcome.RETRY
