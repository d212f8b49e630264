"""What is sent in which batch, tried against a model of a portal that answers a batch as a whole."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from connectors.api import Item, Outcome, Verdict
from connectors.targets.answers import Kind, Reply
from connectors.targets.batches import Sequences, Upserts, most_calls

DONE = Reply(kind=Kind.DONE)
LOST = Reply(kind=Kind.UNCLEAR, reason="lost")


class ModelPortal:
    """The rules of the portal in a few lines: it answers a batch as a whole.

    ``greedy``: it stores what comes before the bad item and refuses the batch all the same. ``lost``: the numbers of
    the calls whose answer does not arrive, and whether the work was done.
    """

    def __init__(
        self, held: set[str], bad: set[str], *, greedy: bool = False, lost: Mapping[int, bool] | None = None
    ) -> None:
        self.held, self.bad, self.greedy = set(held), bad, greedy
        self.lost = lost or {}
        self.calls = 0
        self.asked = 0
        self.inserted: list[str] = []
        self.updated: list[str] = []

    def upsert(self, items: Sequence[Item], update: bool) -> Reply:
        self.calls += 1
        if self.lost.get(self.calls) is False:
            return LOST
        reply = self._apply([item.held_as or item.code for item in items], update)
        return LOST if self.calls in self.lost else reply

    def holds(self, code: str) -> bool:
        self.asked += 1
        return code in self.held

    def _apply(self, codes: Sequence[str], update: bool) -> Reply:
        for position, code in enumerate(codes):
            refusal = self._refusal(code, update)
            if refusal is not None:
                if self.greedy:
                    self._store(codes[:position], update)
                return Reply(kind=refusal, reason=f"{refusal} {code}")
        self._store(codes, update)
        return DONE

    def _refusal(self, code: str, update: bool) -> Kind | None:
        if code in self.bad:
            return Kind.REFUSED
        if update is (code in self.held):
            return None
        return Kind.MISSING if update else Kind.EXISTS

    def _store(self, codes: Sequence[str], update: bool) -> None:
        self.held |= set(codes)
        (self.updated if update else self.inserted).extend(codes)


def items(count: int, known: Sequence[bool] = ()) -> list[Item]:
    flags = [*known, *[False] * count]
    return [Item(key=f"k{n}", code=f"c{n}", payload={}, known=flags[n]) for n in range(count)]


def outcomes(verdicts: Sequence[Verdict]) -> dict[str, Outcome]:
    found = {verdict.key: verdict.outcome for verdict in verdicts}
    assert len(found) == len(verdicts)
    return found


def settled(portal: ModelPortal, sent: Sequence[Item], size: int) -> dict[str, Verdict]:
    """What becomes of each item in the end, as delivery goes on: what failed before goes alone, what is in doubt is
    asked about first."""
    final: dict[str, Verdict] = {}
    waiting = list(sent)
    for turn in range(1000):
        if not waiting:
            return final
        by_key = {item.key: item for item in waiting}
        portions = [waiting] if turn == 0 else [[item] for item in waiting]
        waiting = []
        for portion in portions:
            for verdict in Upserts(portal.upsert).send(portion, size):
                item = by_key.pop(verdict.key)
                if verdict.outcome is Outcome.IN_DOUBT:
                    waiting.append(replace(item, known=portal.holds(item.code)))
                elif verdict.outcome is Outcome.RETRY:
                    waiting.append(item)
                else:
                    final[verdict.key] = verdict
        assert not by_key
    raise AssertionError("it does not come to an end")


@given(
    st.data(),
    st.integers(0, 40),
    st.integers(1, 50),
    st.booleans(),
    st.dictionaries(st.integers(1, 30), st.booleans(), max_size=4),
)
def test_whatever_is_bad_and_whatever_is_lost_each_good_item_is_there_once_and_each_bad_one_named(
    data: st.DataObject, count: int, size: int, greedy: bool, lost: dict[int, bool]
) -> None:
    sent = items(count, data.draw(st.lists(st.booleans(), min_size=count, max_size=count)))
    codes = [item.code for item in sent]
    held = {code for code in codes if data.draw(st.booleans())}
    bad = set(data.draw(st.lists(st.sampled_from(codes), unique=True))) if codes else set()
    portal = ModelPortal(held - bad, bad, greedy=greedy, lost=lost)
    final = settled(portal, sent, size)
    assert {key: verdict.outcome for key, verdict in final.items()} == {
        item.key: Outcome.REJECTED if item.code in bad else Outcome.ACCEPTED for item in sent
    }
    assert all(item.code in final[item.key].reason for item in sent if item.code in bad)
    assert sorted(portal.inserted) == sorted(set(codes) - bad - held)
    assert portal.held == set(codes) - bad
    if not lost and not greedy:
        assert sorted(portal.updated) == sorted(held - bad)


@given(st.data(), st.integers(1, 64))
def test_a_batch_costs_a_bounded_number_of_calls_however_many_of_its_items_are_bad(
    data: st.DataObject, count: int
) -> None:
    sent = items(count)
    codes = [item.code for item in sent]
    held = {code for code in codes if data.draw(st.booleans())}
    bad = {code for code in codes if data.draw(st.booleans())}
    portal = ModelPortal(held, bad)
    verdicts = Upserts(portal.upsert).send(sent, count)
    assert portal.calls <= most_calls(count)
    left = {verdict.key for verdict in verdicts if verdict.outcome is Outcome.RETRY}
    assert all("goes alone" in verdict.reason for verdict in verdicts if verdict.key in left)
    before = portal.calls
    settled(portal, [item for item in sent if item.key in left], 1)
    assert portal.calls - before <= 2 * len(left)


def test_when_the_time_is_up_what_is_left_waits_and_nothing_more_is_sent() -> None:
    portal = ModelPortal(set(), {"c0"})
    found = outcomes(Upserts(portal.upsert, is_over=lambda: portal.calls >= 3).send(items(8), 8))
    assert portal.calls == 3
    assert set(found.values()) == {Outcome.RETRY}


@given(st.data(), st.integers(1, 30), st.integers(1, 30))
def test_what_is_held_under_another_code_is_updated_there_and_never_inserted_beside_it(
    data: st.DataObject, count: int, size: int
) -> None:
    sent = [replace(item, held_as=f"other {item.code}" if data.draw(st.booleans()) else None) for item in items(count)]
    really = {item.code for item in sent if item.held_as and data.draw(st.booleans())}
    portal = ModelPortal({f"other {code}" for code in really}, set())
    final = settled(portal, sent, size)
    assert {verdict.outcome for verdict in final.values()} == {Outcome.ACCEPTED}
    for item in sent:
        assert final[item.key].held_as == (item.held_as if item.code in really else None)
    assert sorted(portal.inserted) == sorted(item.code for item in sent if item.code not in really)
    assert sorted(portal.updated) == sorted(f"other {code}" for code in really)


def test_codes_that_the_target_gives_come_back_with_the_verdict() -> None:
    given_codes = Reply(kind=Kind.DONE, given={"c1": "H12-260302-00001"})
    verdicts = Upserts(lambda _items, _update: given_codes).send(items(2), 10)
    assert [verdict.held_as for verdict in verdicts] == [None, "H12-260302-00001"]


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

    verdicts = Sequences(call).send(sent, size)
    found = outcomes(verdicts)
    cut_short = {verdict.key for verdict in verdicts if "goes alone" in verdict.reason}
    for code in {item.code for item in sent}:
        mine = [item for item in sent if item.code == code]
        told = [found[item.key] for item in mine]
        taken = next((n for n, outcome in enumerate(told) if outcome is not Outcome.ACCEPTED), len(told))
        assert Outcome.ACCEPTED not in told[taken:]
        assert [number for one, number in applied if one == code] == [int(item.payload["n"]) for item in mine[:taken]]
        if taken < len(mine) and mine[taken].key not in cut_short:
            assert int(mine[taken].payload["n"]) in bad
            assert told[taken] is Outcome.REJECTED
            assert set(told[taken + 1 :]) <= {Outcome.RETRY}


def test_a_step_the_portal_holds_already_is_unchanged_and_holds_nobody_up() -> None:
    def call(batch: Sequence[Item]) -> Reply:
        return Reply(kind=Kind.EXISTS) if any(item.key == "k0" for item in batch) else DONE

    sent = [Item(key=f"k{n}", code="c", payload={}, known=True) for n in range(3)]
    assert outcomes(Sequences(call).send(sent, 10)) == {
        "k0": Outcome.UNCHANGED,
        "k1": Outcome.ACCEPTED,
        "k2": Outcome.ACCEPTED,
    }
