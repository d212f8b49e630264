"""What is sent in which batch, tried against a model of a portal that answers a batch as a whole."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from connectors.api import Item, Outcome, Verdict
from connectors.targets.answers import Kind, Reply
from connectors.targets.batches import Sequences, Upserts

DONE = Reply(kind=Kind.DONE)


class ModelPortal:
    """Stores batches all or nothing: the rules of the portal in ten lines."""

    def __init__(self, held: set[str], bad: set[str]) -> None:
        self.held, self.bad = set(held), bad
        self.calls = 0
        self.applied: list[str] = []

    def upsert(self, items: Sequence[Item], update: bool) -> Reply:
        self.calls += 1
        codes = [item.code for item in items]
        if self.bad & set(codes):
            return Reply(kind=Kind.REFUSED, reason="bad")
        if update and not self.held.issuperset(codes):
            return Reply(kind=Kind.MISSING, reason="missing")
        if not update and self.held & set(codes):
            return Reply(kind=Kind.EXISTS, reason="exists")
        self.held |= set(codes)
        self.applied += codes
        return DONE


def items(count: int, known: Sequence[bool] = ()) -> list[Item]:
    flags = [*known, *[False] * count]
    return [Item(key=f"k{n}", code=f"c{n}", payload={}, known=flags[n]) for n in range(count)]


def outcomes(verdicts: Sequence[Verdict]) -> dict[str, Outcome]:
    found = {verdict.key: verdict.outcome for verdict in verdicts}
    assert len(found) == len(verdicts)
    return found


@given(st.data(), st.integers(0, 40), st.integers(1, 50))
def test_every_good_item_is_applied_once_and_every_bad_one_rejected(data: st.DataObject, count: int, size: int) -> None:
    known = data.draw(st.lists(st.booleans(), min_size=count, max_size=count))
    sent = items(count, known)
    codes = [item.code for item in sent]
    held = {code for code in codes if data.draw(st.booleans())}
    bad = {code for code in codes if data.draw(st.integers(0, 9)) == 0}
    portal = ModelPortal(held, bad)
    found = outcomes(Upserts(portal.upsert).send(sent, size))
    assert found == {item.key: Outcome.REJECTED if item.code in bad else Outcome.ACCEPTED for item in sent}
    assert sorted(portal.applied) == sorted(set(codes) - bad)


def test_one_bad_item_in_fifty_costs_few_calls() -> None:
    portal = ModelPortal(set(), {"c17"})
    found = outcomes(Upserts(portal.upsert).send(items(50), 50))
    assert [key for key, outcome in found.items() if outcome is not Outcome.ACCEPTED] == ["k17"]
    assert portal.calls <= 13


def test_a_portal_that_holds_all_already_costs_two_calls() -> None:
    sent = items(50)
    portal = ModelPortal({item.code for item in sent}, set())
    assert set(outcomes(Upserts(portal.upsert).send(sent, 50)).values()) == {Outcome.ACCEPTED}
    assert portal.calls == 2


@given(st.integers(1, 30), st.integers(1, 10), st.integers(0, 10), st.sampled_from([Kind.UNCLEAR, Kind.NOT_NOW]))
def test_after_a_call_that_failed_nothing_more_is_sent(count: int, size: int, after: int, kind: Kind) -> None:
    sent_codes: list[list[str]] = []

    def call(batch: Sequence[Item], update: bool) -> Reply:
        del update
        sent_codes.append([item.code for item in batch])
        return DONE if len(sent_codes) <= after else Reply(kind=kind, reason="ill", retry_after_s=7)

    verdicts = Upserts(call).send(items(count), size)
    found = outcomes(verdicts)
    failed = set(sent_codes[after]) if len(sent_codes) > after else set()
    assert len(sent_codes) <= after + 1
    for verdict in verdicts:
        item_code = verdict.key.replace("k", "c")
        if item_code in failed:
            assert verdict.outcome is (Outcome.IN_DOUBT if kind is Kind.UNCLEAR else Outcome.RETRY)
        elif item_code in {one for batch in sent_codes for one in batch}:
            assert verdict.outcome is Outcome.ACCEPTED
        else:
            assert verdict.outcome is Outcome.RETRY
            assert verdict.retry_after_s == 7
    assert len(found) == count


@given(st.data(), st.integers(1, 30), st.integers(1, 12))
def test_steps_of_a_dossier_never_overtake_one_that_was_not_taken(data: st.DataObject, count: int, size: int) -> None:
    sent = [
        Item(key=f"k{n}", code=f"c{data.draw(st.integers(0, 4))}", payload={"n": n}, known=True) for n in range(count)
    ]
    bad = {n for n in range(count) if data.draw(st.integers(0, 6)) == 0}
    applied: list[tuple[str, int]] = []

    def call(batch: Sequence[Item]) -> Reply:
        numbers = [(item.code, int(item.payload["n"])) for item in batch]
        if any(number in bad for _, number in numbers):
            return Reply(kind=Kind.REFUSED, reason="bad")
        applied.extend(numbers)
        return DONE

    found = outcomes(Sequences(call).send(sent, size))
    for item in sent:
        number = int(item.payload["n"])
        first_bad = min(
            (int(o.payload["n"]) for o in sent if o.code == item.code and int(o.payload["n"]) in bad), default=None
        )
        if first_bad is None or number < first_bad:
            assert found[item.key] is Outcome.ACCEPTED
        else:
            assert found[item.key] is (Outcome.REJECTED if number == first_bad else Outcome.RETRY)
    assert len(applied) == len(set(applied))
    for code in {item.code for item in sent}:
        assert [number for one, number in applied if one == code] == sorted(n for one, n in applied if one == code)


def test_a_step_the_portal_holds_already_is_unchanged_and_holds_nobody_up() -> None:
    def call(batch: Sequence[Item]) -> Reply:
        return Reply(kind=Kind.EXISTS) if any(item.key == "k0" for item in batch) else DONE

    sent = [Item(key=f"k{n}", code="c", payload={}, known=True) for n in range(3)]
    assert outcomes(Sequences(call).send(sent, 10)) == {
        "k0": Outcome.UNCHANGED,
        "k1": Outcome.ACCEPTED,
        "k2": Outcome.ACCEPTED,
    }
