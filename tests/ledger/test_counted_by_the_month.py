"""The figures of reports are what a person would count: each is proven by counting once more, naively."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger_world import World, dossier
from sqlalchemy import text

from ledger import ratings, workload
from schemas.codes import Satisfaction
from schemas.dossier import Dossier
from schemas.rating import Rating
from schemas.report import Levels, Votes, Workload, begin_of, month_after, month_of, shares

MARCH = date(2026, 3, 1)
ENDED = {3, 7, 8, 9, 10}
AGENCIES = ("H12.1", "H12.2", "H12.2.3")
MOMENTS = st.datetimes(datetime(2026, 1, 15), datetime(2026, 5, 15)).map(
    lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
)
MAYBE = st.none() | MOMENTS
ON_THE_EDGE = st.sampled_from([begin_of(MARCH), begin_of(month_after(MARCH)), begin_of(MARCH) - timedelta(seconds=1)])
LIVES = st.lists(
    st.fixed_dictionaries(
        {
            "agency_code": st.sampled_from(AGENCIES),
            "field_code": st.sampled_from(["G99-1", "G99-2", None]),
            "state": st.integers(1, 10),
            "state_at": MOMENTS,
            "received_at": MAYBE | ON_THE_EDGE,
            "due_at": MAYBE | ON_THE_EDGE,
            "finished_at": MAYBE | ON_THE_EDGE,
            "returned_at": MAYBE,
        }
    ),
    max_size=12,
)
VOTES = st.lists(
    st.fixed_dictionaries(
        {
            "dossier": st.integers(0, 4),
            "criterion": st.sampled_from(["Thái độ", "Thời gian"]),
            "level": st.sampled_from(list(Satisfaction)),
            "hours": st.integers(0, 80),
            "agency_code": st.sampled_from([*AGENCIES, None]),
        }
    ),
    max_size=25,
)
MANY = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def emptied(world: World) -> None:
    """Hypothesis tries many lists on one ledger."""
    with world.engine.begin() as connection:
        for table in ("rating", "dossier_step", "dossier_alias", "dossier"):
            connection.execute(text(f"DELETE FROM {table}"))


def naive(dossiers: Sequence[Dossier]) -> Workload:
    """What was on the desks in March, dossier by dossier."""
    begin, end = begin_of(MARCH), begin_of(month_after(MARCH))
    count = dict.fromkeys(("received", "brought_in", "solved_in_time", "solved_late", "pending", "overdue"), 0)
    for one in dossiers:
        if one.received_at is None or one.received_at >= end:
            continue
        solved_at = None
        if one.state in ENDED:
            said = one.finished_at or one.returned_at or one.state_at
            assert said is not None
            solved_at = max(said, one.received_at)
        if solved_at is not None and solved_at < begin:
            continue
        count["received" if one.received_at >= begin else "brought_in"] += 1
        if solved_at is not None and solved_at < end:
            late = one.due_at is not None and solved_at > one.due_at
            count["solved_late" if late else "solved_in_time"] += 1
        else:
            count["overdue" if one.due_at is not None and one.due_at < end else "pending"] += 1
    return Workload(**count)


@MANY
@given(lives=LIVES)
def test_the_desks_of_a_month_are_what_their_dossiers_say(world: World, lives: Sequence[dict[str, Any]]) -> None:
    emptied(world)
    dossiers = [
        dossier(f"H12.1-{number:04d}", changed_at=life["state_at"], **life) for number, life in enumerate(lives)
    ]
    world.store(*dossiers)
    found = workload.desks(world.engine, MARCH)
    assert found.whole == naive(dossiers)
    agencies = {agency: naive([one for one in dossiers if one.agency_code == agency]) for agency in AGENCIES}
    assert dict(found.agencies) == {agency: each for agency, each in agencies.items() if each.total}
    for (agency, code), each in found.fields.items():
        assert each == naive([one for one in dossiers if (one.agency_code, one.field_code or "") == (agency, code)])
    each = found.whole
    assert each.total == each.solved_in_time + each.solved_late + each.pending + each.overdue


@MANY
@given(votes=VOTES, cut=st.integers(0, 25))
def test_the_votes_of_a_month_are_the_last_of_each_dossier_and_question(
    world: World, votes: Sequence[dict[str, Any]], cut: int
) -> None:
    emptied(world)
    world.store(dossier("H12.1-0000", agency_code="H12.2"), dossier("H12.1-0001"))
    told = [
        Rating(
            code=f"H12.1-{vote['dossier']:04d}",
            source_id=str(number),
            criterion=vote["criterion"],
            level=vote["level"],
            rated_at=begin_of(MARCH) + timedelta(hours=vote["hours"] * 10),
            agency_code=vote["agency_code"],
        )
        for number, vote in enumerate(votes)
    ]
    pages = [part for part in (told[:cut], told[cut:]) if part]
    for page in pages:  # a page that is told later counts for later, where two answers are of one moment
        counts = world.store(ratings=page, fetched=len(page), fetched_at=datetime.now(UTC))
        assert counts.fetched == counts.new + counts.changed + counts.unchanged + counts.stale
    last: dict[tuple[str, date, str], Rating] = {}
    for rating in told:
        key = (rating.code, month_of(rating.rated_at), rating.criterion)
        if key not in last or rating.rated_at >= last[key].rated_at:
            last[key] = rating
    march = [rating for (_, month, _), rating in last.items() if month == MARCH]
    whole, agencies = ratings.votes(world.engine, MARCH)
    assert whole == naive_votes(march)
    known = {"H12.1-0000": "H12.2"}
    of = {id(rating): rating.agency_code or known.get(rating.code, "H12.1") for rating in march}
    assert dict(agencies) == {
        agency: naive_votes([rating for rating in march if of[id(rating)] == agency]) for agency in set(of.values())
    }


def naive_votes(march: Sequence[Rating]) -> Votes:
    """One question after the other."""

    def levels(criterion: str) -> Levels:
        found = [rating.level for rating in march if rating.criterion == criterion]
        return Levels(
            very=found.count(Satisfaction.VERY),
            satisfied=found.count(Satisfaction.SATISFIED),
            not_yet=found.count(Satisfaction.NOT_YET),
        )

    return Votes(
        raters=len({rating.code for rating in march}),
        by_criterion={criterion: levels(criterion) for criterion in {rating.criterion for rating in march}},
    )


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=4))
def test_shares_add_up_to_a_hundred_and_none_is_off_by_more_than_a_hundredth(counts: list[int]) -> None:
    found = shares(counts)
    total = sum(counts)
    assert round(sum(found), 2) == (100.0 if total else 0.0)
    assert all(abs(share - 100 * count / (total or 1)) < 0.0100001 for share, count in zip(found, counts, strict=True))


@pytest.mark.parametrize("told_first", [True, False])
def test_of_two_answers_of_one_moment_the_one_told_later_counts(world: World, told_first: bool) -> None:
    def told(level: Satisfaction, hours: float) -> None:
        rating = Rating(code="H12.1-0001", source_id="1", criterion="Thái độ", level=level, rated_at=begin_of(MARCH))
        fetched_at = datetime(2026, 4, 1, tzinfo=UTC) + timedelta(hours=hours)
        world.store(ratings=[rating], fetched=1, fetched_at=fetched_at)

    pages = [(Satisfaction.VERY, 1.0), (Satisfaction.NOT_YET, 2.0)]
    for level, hours in pages if told_first else reversed(pages):
        told(level, hours)
    whole, _ = ratings.votes(world.engine, MARCH)
    assert whole.levels == Levels(not_yet=1)


def test_the_first_moment_of_a_month_is_in_it_and_the_moment_that_is_due_is_in_time(world: World) -> None:
    begin, end, due = begin_of(MARCH), begin_of(month_after(MARCH)), begin_of(MARCH) + timedelta(days=9)
    second = timedelta(seconds=1)
    world.store(
        dossier("H12.1-0001", 9, received_at=begin, due_at=due, finished_at=due),
        dossier("H12.1-0002", 9, received_at=begin, due_at=due, finished_at=due + second),
        dossier("H12.1-0003", 9, received_at=begin - second, due_at=due, finished_at=begin),
        dossier("H12.1-0004", 9, received_at=begin - second, due_at=due, finished_at=begin - second),
        dossier("H12.1-0005", 9, received_at=end - second, due_at=end, finished_at=end),
        dossier("H12.1-0006", 4, received_at=begin, due_at=end - second),
        dossier("H12.1-0007", 4, received_at=end),
    )
    assert workload.desks(world.engine, MARCH).whole == Workload(
        received=4, brought_in=1, solved_in_time=2, solved_late=1, pending=1, overdue=1
    )
