"""The fate of one dossier: what happens to it from filing to its end, in office seconds.

A life is decided whole, from sixteen drawn numbers; a clock only decides how much of it can be seen. So moving the
clock forward appends to a life and never rewrites it.

Each event is told by one system: the *home*, where the dossier was received, or one that it was forwarded to
(``travels``). The whole life is the events of all of them.
"""

from typing import NamedTuple

from sandbox.province.calendar import DAY_S, MORNING_S
from sandbox.province.draws import Wheel, between, unit
from sandbox.province.events import Event, What
from sandbox.province.travels import forwarded
from schemas.states import State

MAX_DAYS = 80
"""No life is longer than this many working days, counted from filing."""

MAX_DAYS_TO_ACCEPTANCE = 6
"""Nothing is accepted later than this many working days after filing."""

MAX_DAYS_TO_ARRIVAL = 20
"""Nothing arrives at a system that it is forwarded to later than this many working days after filing."""


class Rules(NamedTuple):
    """What a procedure makes of its dossiers. Shares are fractions of all its dossiers.

    ``stages`` is how many systems, one after the other, they are forwarded to.
    """

    term_days: int
    on_the_spot: float
    pays: bool
    late: float
    stages: int = 0


_HOUR = 3600

_FATES = ("settled", "rejected", "withdrawn", "stopped")
_FATE = Wheel((0.981, 0.008, 0.007, 0.004))
_BOUNCED_AT_THE_DOOR = 0.01  # more papers asked for before acceptance
_SUPPLEMENTED = 0.04
_PAID = 0.5
_DUE_CORRECTED = 0.015
_PROCEDURE_CORRECTED = 0.005
_SLOW_PICK_UP = 0.05
_RECALLED = 0.001

_S = State


def live(filed: int, rules: Rules, d: tuple[int, ...]) -> tuple[Event, ...]:
    """The whole life of a dossier filed at the office second ``filed``; ``d`` are its drawn numbers.

    Events come in strictly growing time. Each change of state is one the national rules allow.
    """
    fate = _FATES[_FATE.pick(d[0])]
    events = [Event(filed, _S.REGISTERED, What.ENTERED, 0)]
    at = filed
    if unit(d[14]) < _BOUNCED_AT_THE_DOOR:
        at += between(d[15], 600, 6 * _HOUR)
        events.append(Event(at, _S.SUPPLEMENT_REQUESTED, What.ENTERED, 0))
        at += between(d[13], _HOUR, 3 * DAY_S)
        events.append(Event(at, _S.REGISTERED, What.ENTERED, 0))
    if fate == "rejected":
        events.append(Event(at + between(d[1], 1800, DAY_S), _S.REJECTED, What.ENTERED, 0))
        return tuple(events)
    on_the_spot = fate == "settled" and unit(d[4]) < rules.on_the_spot
    at += between(d[1], 60, 900 if on_the_spot else 5 * _HOUR)
    if on_the_spot:
        events += _at_the_counter(at, rules, d)
    else:
        events.append(Event(at, _S.ACCEPTED, What.ENTERED, rules.term_days))
        events += _worked_on(at, fate, rules, d)
    if events[-1].state is _S.RETURNED and unit(d[12]) < _RECALLED:
        events += _recall(events[-1].at, d)
    spread = _spread(events)
    return tuple(_spread(forwarded(spread, rules.stages, d)) if rules.stages and not on_the_spot else spread)


def _at_the_counter(accepted: int, rules: Rules, d: tuple[int, ...]) -> list[Event]:
    """Receipt, appraisal, approval and return while the applicant waits, all within an hour, and before a break."""
    to_the_break = next(end for end in (MORNING_S, DAY_S) if accepted % DAY_S < end) - accepted % DAY_S
    waiting = between(d[2], 300, max(300, min(_HOUR, to_the_break) - 60))
    return [
        Event(accepted, _S.ACCEPTED, What.ON_THE_SPOT, rules.term_days),
        Event(accepted + waiting // 5, _S.PROCESSING, What.ON_THE_SPOT, 0),
        Event(accepted + waiting * 4 // 5, _S.COMPLETED, What.ON_THE_SPOT, 0),
        Event(accepted + waiting, _S.RETURNED, What.ON_THE_SPOT, 0),
    ]


def _worked_on(accepted: int, fate: str, rules: Rules, d: tuple[int, ...]) -> list[Event]:
    """From the desk of the first officer to the result, in order of time or nearly so."""
    late = fate == "settled" and unit(d[3]) < rules.late
    # What stays below the term leaves room for the way from the hour of acceptance to the close of the due day.
    work = int(rules.term_days * DAY_S * (0.15 + 0.79 * unit(d[2])))
    events = [Event(accepted + work // 20, _S.PROCESSING, What.ENTERED, 0)]
    events += [
        Event(accepted + work * (2 + desk) // 10, _S.PROCESSING, What.HANDED_ON, 0)
        for desk in range(between(d[8], 0, 3))
    ]
    if unit(d[10]) < _DUE_CORRECTED:
        events.append(Event(accepted + work * 43 // 100, _S.PROCESSING, What.DUE_MOVED, between(d[11], 1, 3)))
    elif unit(d[10]) > 1 - _PROCEDURE_CORRECTED:
        events.append(Event(accepted + work * 35 // 100, _S.PROCESSING, What.PROCEDURE_FIXED, 0))
    waited = 0
    # The share of supplements rests on the upper end of a number whose lower end decided "on the spot".
    if unit(d[4]) > 1 - _SUPPLEMENTED:
        asked = accepted + work // 2
        events.append(Event(asked, _S.SUPPLEMENT_REQUESTED, What.ENTERED, 0))
        waited = between(d[5], DAY_S // 2, 6 * DAY_S)
        if fate == "withdrawn":
            return [*events, Event(asked + waited, _S.WITHDRAWN, What.ENTERED, 0)]
        events.append(Event(asked + waited, _S.PROCESSING, What.ENTERED, _days(waited)))
    if fate != "settled":
        end = _S.WITHDRAWN if fate == "withdrawn" else _S.STOPPED
        return [*events, Event(accepted + work * 6 // 10 + waited, end, What.ENTERED, 0)]
    if rules.pays and unit(d[6]) < _PAID:
        asked = accepted + work * 8 // 10 + waited
        events.append(Event(asked, _S.PAYMENT_REQUESTED, What.ENTERED, 0))
        paying = between(d[7], DAY_S // 8, 3 * DAY_S)
        events.append(Event(asked + paying, _S.PROCESSING, What.ENTERED, _days(paying)))
        waited += paying
    done = accepted + work + waited
    if late:
        due_day = accepted // DAY_S + sum(event.due_days for event in events) + rules.term_days
        done = (due_day + 1) * DAY_S + between(d[9], _HOUR, 3 * DAY_S)
    events.append(Event(done, _S.COMPLETED, What.ENTERED, 0))
    longest = 15 * DAY_S if unit(d[9]) < _SLOW_PICK_UP else 2 * DAY_S
    events.append(Event(done + between(d[13], 600, longest), _S.RETURNED, What.ENTERED, 0))
    return events


def _recall(returned: int, d: tuple[int, ...]) -> list[Event]:
    """A result found wrong: taken back, made again within a term of its own, handed out again."""
    taken_back = returned + between(d[14], 2 * _HOUR, 5 * DAY_S)
    made_again = taken_back + between(d[15], 2 * _HOUR, 2 * DAY_S)
    return [
        # The new term must outlast whatever was left of the old one by then.
        Event(taken_back, _S.PROCESSING, What.ENTERED, _days(made_again - returned) + 20),
        Event(made_again, _S.COMPLETED, What.ENTERED, 0),
        Event(made_again + between(d[13], 600, DAY_S), _S.RETURNED, What.ENTERED, 0),
    ]


def _days(office_seconds: int) -> int:
    return -(-office_seconds // DAY_S)


def _spread(events: list[Event]) -> list[Event]:
    """The same events in order of time, no two in the same second."""
    events.sort(key=lambda event: event.at)  # stable: what was listed first stays first
    for position in range(1, len(events)):
        earliest = events[position - 1].at + 1
        if events[position].at < earliest:
            events[position] = events[position]._replace(at=earliest)
    return events
