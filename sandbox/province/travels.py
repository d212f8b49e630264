"""Dossiers that are forwarded: received by one system, worked on in others, handed out by the first.

The work itself, and when its result is ready, is that of the same dossier without any travelling; what changes is who
tells of it. Each system tells only of what happens there:

- the home of filing, acceptance and forwarding; of corrections; of withdrawal and stop, which are decided there; and of
  the result, which it hears of some time after the last system made it, but before the due day is over;
- the first system of arrival and of all waiting, for papers or for payment; each later one of its part of what is left.
  Its result is the next one's beginning, a second later. A recalled result goes back to the first one.
"""

from collections.abc import Sequence

from sandbox.province.calendar import DAY_S
from sandbox.province.draws import unit
from sandbox.province.events import Event, What
from schemas.states import State

_FIRST = 1
_HOME_ONLY = frozenset({What.DUE_MOVED, What.PROCEDURE_FIXED})
_ENDS = frozenset({State.WITHDRAWN, State.STOPPED})


def forwarded(life: Sequence[Event], stages: int, d: tuple[int, ...]) -> list[Event]:
    """The same life, lived in ``stages`` systems after the home; nearly in order of time. ``d`` are drawn numbers."""
    start = next((index for index, event in enumerate(life) if event.state is State.PROCESSING), None)
    if start is None:
        return list(life)
    done = next((index for index, event in enumerate(life) if event.state is State.COMPLETED), None)
    before, work, after = life[: start + 1], life[start + 1 : done], life[done:] if done is not None else ()
    arrival = _between(life[start].at, life[start + 1].at, unit(d[11]) / 5)
    events = [*before, Event(arrival, State.PROCESSING, What.ARRIVED, 0, _FIRST)]
    events += [event if _is_homes(event) else event._replace(teller=_FIRST) for event in work]
    if after:
        ready, handed_out, *recall = after
        events += _results(events[-1].at, ready, stages)
        heard = _between(ready.at, min(handed_out.at, _closing(life, ready)), 0.1 + 0.6 * unit(d[15]))
        events += [Event(heard, State.COMPLETED, What.HEARD, 0), handed_out]
        events += _recalled(recall, unit(d[8]))
    return events


def _is_homes(event: Event) -> bool:
    return event.what in _HOME_ONLY or event.state in _ENDS


def _results(last: int, ready: Event, stages: int) -> list[Event]:
    """One result per system, the last of them ``ready``; between two of them the dossier moves on."""
    results = [_between(last, ready.at, stage / stages) for stage in range(1, stages)]
    events: list[Event] = []
    for stage, at in enumerate(results, start=_FIRST):
        events.append(Event(at, State.COMPLETED, What.ENTERED, 0, stage))
        events.append(Event(at + 1, State.PROCESSING, What.ARRIVED, 0, stage + 1))
    return [*events, ready._replace(teller=stages)]


def _recalled(recall: Sequence[Event], share: float) -> list[Event]:
    if not recall:
        return []
    taken_back, made_again, handed_out = recall
    return [
        taken_back,
        Event(_between(taken_back.at, made_again.at, share / 2), State.PROCESSING, What.ARRIVED, 0, _FIRST),
        made_again._replace(teller=_FIRST),
        Event(_between(made_again.at, handed_out.at, 0.1 + share / 2), State.COMPLETED, What.HEARD, 0),
        handed_out,
    ]


def _closing(life: Sequence[Event], ready: Event) -> int:
    """The last office second of the due day; of a result that is late already, any time after it."""
    accepted = next(event for event in life if event.state is State.ACCEPTED)
    so_far = sum(event.due_days for event in life if event.at <= ready.at)
    closing = (accepted.at // DAY_S + so_far + 1) * DAY_S - 1
    return closing if closing > ready.at else ready.at + DAY_S


def _between(start: int, end: int, share: float) -> int:
    return start + int((end - start) * share)
