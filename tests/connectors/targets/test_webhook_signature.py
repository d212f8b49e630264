"""Signatures of webhooks follow the published rule."""

import pytest

from connectors.targets.webhook_signature import headers, key_of

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_the_published_example_comes_out_as_published() -> None:
    given = headers([key_of(SECRET)], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert given == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_while_a_secret_is_changed_a_call_carries_one_signature_for_each() -> None:
    other = key_of("whsec_" + "QUJD" * 8)
    alone = [headers([key], "m", 1, b"{}")["webhook-signature"] for key in (key_of(SECRET), other)]
    assert headers([key_of(SECRET), other], "m", 1, b"{}")["webhook-signature"].split(" ") == alone


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_not base64", "mat-khau-mau", "whsec_QUJD", "whsec_" + "QUJD" * 30]
)
def test_what_is_no_secret_is_refused_without_being_repeated(secret: str) -> None:
    with pytest.raises(ValueError, match="a signing secret") as refused:
        key_of(secret)
    assert not secret or secret not in str(refused.value)
