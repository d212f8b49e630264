"""The sandbox's receiver of the status feed: whose calls it takes, and what it keeps of them."""

import base64
import hmac
import json
from typing import Any

import pytest

from sandbox.targets import feed

SECRET = "whsec_" + base64.b64encode(b"mat-khau-mau-dai-hai-muoi-bon").decode()


def message(number: int = 1, version: int = 1, state: int = 4, **more: Any) -> dict[str, Any]:
    return {"code": f"H12.12-250812-{number:04d}", "version": version, "state": state, **more}


def signed(body: bytes, clock: Any, *, secret: str = SECRET, age_s: float = 0, name: str = "m-1") -> dict[str, str]:
    """Headers computed by the published rule, by hand."""
    at = str(int(clock.now.timestamp() - age_s))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, b".".join([name.encode(), at.encode(), body]), "sha256").digest()
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return {"webhook-id": name, "webhook-timestamp": at, "webhook-signature": signature}


def tell(server: Any, value: Any, **signing: Any) -> int:
    body = json.dumps(value).encode()
    return server.post("/status", data=body, headers=signed(body, server.clock, **signing)).status_code


def listing(server: Any, query: str = "") -> dict[str, Any]:
    return dict(server.get(f"/dossiers{query}", headers=signed(b"", server.clock)).json())


@pytest.fixture
def receiver(start: Any) -> Any:
    return start(feed.build, "feed", password=SECRET)


def test_a_signed_message_is_kept_and_shown(receiver: Any) -> None:
    assert tell(receiver, message(due_at="2025-08-19T17:00:00+07:00")) == 204
    assert listing(receiver) == {"data": [message(due_at="2025-08-19T17:00:00+07:00")], "next": None}


def test_several_messages_in_an_array_are_taken_all_or_none(receiver: Any) -> None:
    assert tell(receiver, [message(1), message(2)]) == 204
    assert tell(receiver, [message(3), {"code": ""}]) == 422
    assert [row["code"][-1] for row in listing(receiver)["data"]] == ["1", "2"]


@pytest.mark.parametrize(
    "signing",
    [
        {"secret": "whsec_" + base64.b64encode(b"ein ganz anderes Geheimnis").decode()},
        {"age_s": 301},
        {"age_s": -301},
    ],
)
def test_whoever_does_not_know_the_secret_or_plays_an_old_call_again_is_turned_away(
    receiver: Any, signing: dict[str, Any]
) -> None:
    assert tell(receiver, message(), **signing) == 401
    assert receiver.stats()["dossiers"] == 0


def test_a_changed_body_and_a_missing_signature_are_turned_away(receiver: Any) -> None:
    headers = signed(json.dumps(message(state=4)).encode(), receiver.clock)
    assert receiver.post("/status", json=message(state=10), headers=headers).status_code == 401
    assert receiver.post("/status", json=message()).status_code == 401
    assert receiver.get("/dossiers").status_code == 401


def test_one_of_several_signatures_is_enough_so_that_a_secret_can_be_changed(receiver: Any) -> None:
    body = json.dumps(message()).encode()
    headers = signed(body, receiver.clock)
    headers["webhook-signature"] = f"v1,AAAA {headers['webhook-signature']}"
    assert receiver.post("/status", data=body, headers=headers).status_code == 204


def test_p2_an_older_version_and_a_repetition_change_nothing(receiver: Any) -> None:
    for version, state in ((2, 9), (1, 4), (2, 9), (3, 10)):
        assert tell(receiver, message(version=version, state=state)) == 204
    assert [write["effect"] for write in receiver.lines("writes")] == ["inserted", "noop", "noop", "updated"]
    assert [row["state"] for row in receiver.lines("steps")] == [9, 10]


def test_the_listing_goes_on_where_it_stopped(receiver: Any) -> None:
    tell(receiver, [message(number) for number in range(5)])
    codes, after = [], ""
    while True:
        page = listing(receiver, f"?limit=2&after={after}")
        codes += [row["code"] for row in page["data"]]
        if page["next"] is None:
            break
        after = page["next"]
    assert codes == [f"H12.12-250812-{number:04d}" for number in range(5)]


def test_damage_shows_in_the_listing_and_is_mended_by_telling_the_same_again(receiver: Any) -> None:
    tell(receiver, [message(1), message(2)])
    receiver.damage(delete=["H12.12-250812-0001"], set_state={"H12.12-250812-0002": 8}, add=[{"code": "X", "state": 1}])
    assert {row["code"][-1]: row["state"] for row in listing(receiver)["data"]} == {"2": 8, "X": 1}
    tell(receiver, [message(1), message(2)])
    assert {row["code"][-1]: row["state"] for row in listing(receiver)["data"]} == {"1": 4, "2": 4, "X": 1}
