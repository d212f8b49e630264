"""The province: any dossier, at any time, from nothing but a seed.

Dossier number ``i`` is a pure function of the seed, the size, the half-year that ends at ``as_of``, and ``i``: no
server has to be told about dossiers, none keeps them, and any slice of a million can be made without the rest. Numbers
grow with the time of filing; ``0 … size-1`` were filed in the half-year, the later ones after it, at the same pace.

The half-year is calibrated on one that a real province published: 96,048 dossiers received, 80,535 of them online
(83.85 %), 99.4 % of the results on time, sectors as weighed in ``catalogue``. ``size`` scales all of it.

Time inside is counted in office seconds; a *tick* is how many of them have begun by a moment (:meth:`Province.tick`).
"""

from calendar import monthrange
from datetime import date, datetime, timedelta
from functools import lru_cache

from sandbox.province.calendar import DAY_S, OfficeCalendar
from sandbox.province.catalogue import FORWARDED_TO, PROCEDURES, WEIGHTS, Procedure, siblings
from sandbox.province.draws import Draws, Wheel, between, unit
from sandbox.province.events import HOME, Event
from sandbox.province.lives import MAX_DAYS, MAX_DAYS_TO_ACCEPTANCE, MAX_DAYS_TO_ARRIVAL, Rules, live
from sandbox.province.people import People, Person
from sandbox.province.reading import Reading, progress
from sandbox.province.sectors import (
    COMMUNES,
    OTHER_PROVINCES,
    PUBLISHED_ON_TIME,
    PUBLISHED_ONLINE,
    PUBLISHED_RECEIVED,
    Agency,
    System,
)
from schemas.codes import Channel, OnlinePayment, ResultDelivery, SubjectKind
from schemas.states import State
from schemas.times import VN

_SECOND = timedelta(seconds=1)
_POSTAL = 0.01
_BORN_NATIONAL = 0.3  # of the dossiers filed online
_BY_POST = 0.2
# Of what is not filed online: received at a counter of another province, or of another commune than the one at work.
_RECEIVED_OUTSIDE = 0.03
_RECEIVED_ELSEWHERE = 0.15

# Results on the spot are never late, so the others are late more often than the published share.
_SPOT = sum(weight * one.sector.on_the_spot for one, weight in zip(PROCEDURES, WEIGHTS, strict=True)) / sum(WEIGHTS)
_LATE = (1 - PUBLISHED_ON_TIME) / (1 - _SPOT)
_RULES = tuple(
    Rules(
        term_days=one.term_days,
        on_the_spot=one.sector.on_the_spot,
        pays=one.pays,
        late=_LATE,
        stages=len(one.through),
    )
    for one in PROCEDURES
)
_PROCEDURE_WHEEL = Wheel(WEIGHTS)
_CHANNELS = (Channel.ONLINE, Channel.POSTAL, Channel.DIRECT)
_ONLINE = PUBLISHED_ONLINE / PUBLISHED_RECEIVED
_CHANNEL_WHEEL = Wheel((_ONLINE, _POSTAL, 1 - _ONLINE - _POSTAL))
_SUBJECTS_WITH_TAX_CODE = (SubjectKind.ENTERPRISE, SubjectKind.ORGANISATION)


class Province:
    """All dossiers of the province. Cheap to build, immutable, safe to share between threads.

    ``size`` is at least 1, and ``as_of`` carries a zone; ValueError for a size below. Time can be asked about from the
    beginning of the half-year to ``ends_on``, some eleven years later.
    """

    def __init__(self, *, seed: int, size: int, as_of: datetime) -> None:
        if size < 1:
            raise ValueError(f"the province needs at least 1 dossier, not {size}")
        self.seed = seed
        self.size = size
        self.as_of = as_of.astimezone(VN)
        self.starts_on = _half_year_before(self.as_of.date())
        self._calendar = OfficeCalendar(self.starts_on)
        self.ends_on = self._calendar.last_day - timedelta(days=365)  # room for the lives that begin before
        self._span = self.tick(self.as_of)
        self._facts = Draws(seed, "facts")
        self._fates = Draws(seed, "fates")
        self._people = People(seed)
        self.first_of_day = lru_cache(maxsize=1024)(self._first_of_day)

    def tick(self, when: datetime) -> int:
        """How many office seconds of the province have begun by ``when``."""
        return self._calendar.begun(int(when.timestamp()))

    def count(self, tick: int) -> int:
        """How many dossiers have been filed by ``tick``: their numbers are 0 up to this, exclusive."""
        return self._first_at(tick)

    def filed_between(self, start: datetime, end: datetime) -> range:
        """The numbers of the dossiers filed from ``start`` (inclusive) to ``end`` (exclusive)."""
        return range(self._first_at(self.tick(start - _SECOND)), self._first_at(self.tick(end - _SECOND)))

    def perhaps_received_between(self, start: datetime, end: datetime, system: System | None = None) -> range:
        """A range of numbers that holds every dossier received from ``start`` (inclusive) to ``end`` (exclusive).

        Received in ``system``, where it makes a difference: what is forwarded arrives later than at its home.
        """
        days = MAX_DAYS_TO_ARRIVAL if system in FORWARDED_TO else MAX_DAYS_TO_ACCEPTANCE
        earliest = max(0, self.tick(start - _SECOND) - days * DAY_S)
        return range(self._first_at(earliest), self._first_at(self.tick(end - _SECOND)))

    def oldest_alive(self, tick: int) -> int:
        """A number below which every life had ended by ``tick``."""
        return self._first_at(max(0, tick - MAX_DAYS * DAY_S))

    def system(self, number: int) -> System:
        """The home of the dossier: the system that received it."""
        return self._procedure(number).sector.system

    def systems(self, number: int, tick: int | None = None) -> tuple[System, ...]:
        """The systems that know the dossier by ``tick`` (or ever): its home, then those that it travels through."""
        route = _route(self._procedure(number))
        if len(route) == 1:
            return route
        life = self.life(number)
        tellers = {event.teller for event in life if tick is None or event.at < tick}
        return tuple(system for teller, system in enumerate(route) if teller in tellers)

    def came_to(self, number: int, system: System) -> int | None:
        """The office second at which the dossier came, or will come, to ``system``; None when it never does."""
        facts = self._facts.of(number)
        position = _PROCEDURE_WHEEL.pick(facts[0])
        route = _route(PROCEDURES[position])
        if system not in route:
            return None
        filed = self._filed(number, facts[15])
        if system is route[HOME]:
            return filed
        teller = route.index(system)
        life = live(filed, _RULES[position], self._fates.of(number))
        return next((event.at for event in life if event.teller == teller), None)

    def life(self, number: int) -> tuple[Event, ...]:
        """The whole life of the dossier, past and to come, in all its systems, in office seconds."""
        facts = self._facts.of(number)
        return live(self._filed(number, facts[15]), _RULES[_PROCEDURE_WHEEL.pick(facts[0])], self._fates.of(number))

    def submitted(self, number: int) -> int:
        """The epoch second at which the dossier was, or will be, filed."""
        return self._calendar.epoch(self._filed(number, self._facts.of(number)[15]))

    def received(self, number: int) -> int | None:
        """The epoch second at which the dossier was, or will be, accepted; None when it never is."""
        for event in self.life(number):
            if event.state is State.ACCEPTED:
                return self._calendar.epoch(event.at)
        return None

    def person(self, number: int) -> Person:
        """Who filed the dossier."""
        return self._people.person(self._facts.of(number)[3])

    def changed(self, number: int, tick: int, system: System | None = None) -> int:
        """The epoch second of the last thing that happened to the dossier by ``tick``; it must have been filed.

        With ``system`` the last thing that this one tells; it must have come there.
        """
        facts = self._facts.of(number)
        position = _PROCEDURE_WHEEL.pick(facts[0])
        procedure = PROCEDURES[position]
        teller = None if system is None or not procedure.through else _route(procedure).index(system)
        last = 0
        for event in live(self._filed(number, facts[15]), _RULES[position], self._fates.of(number)):
            if event.at >= tick:
                break
            if teller is None or event.teller == teller:
                last = event.at
        return self._calendar.epoch(last)

    def code(self, number: int) -> str:
        """The dossier's code in short form: who received it, day of filing, running number of that day."""
        facts = self._facts.of(number)
        return self._code(number, facts, self._filed(number, facts[15]))

    def find(self, code: str) -> int | None:
        """The number of the dossier with this short code, filed or still to come; None when there is none."""
        _, _, rest = code.partition("-")
        day_text, _, running = rest.partition("-")
        try:
            day = self._calendar.number(datetime.strptime(day_text, "%y%m%d").date())
            number = self.first_of_day(day) + int(running) - 1
        except ValueError:
            return None
        is_of_that_day = self.first_of_day(day) <= number < self.first_of_day(day + 1)
        return number if is_of_that_day and self.code(number) == code else None

    def reading(self, number: int, tick: int, system: System | None = None) -> Reading:
        """The dossier as it is at ``tick``, by all that its systems know, or by what ``system`` tells of it.

        ValueError if it has not been filed, or has not come to ``system``, by then.
        """
        facts = self._facts.of(number)
        filed = self._filed(number, facts[15])
        position = _PROCEDURE_WHEEL.pick(facts[0])
        procedure = PROCEDURES[position]
        teller = None if system is None or not procedure.through else _route(procedure).index(system)
        life = live(filed, _RULES[position], self._fates.of(number))
        so_far = progress(life, tick, self._calendar, self._people.officers, facts[10], teller)
        if so_far is None:
            raise ValueError(f"dossier number {number} has not been filed yet, or has not come to this system")
        agency = _agency(procedure, facts)
        channel = _channel(facts)
        code = self._code(number, facts, filed)
        born_national = channel is Channel.ONLINE and unit(facts[11]) < _BORN_NATIONAL
        return Reading(
            number,
            code,
            f"G22.99.99{code[code.index('-') :]}" if born_national else None,
            _mistaken_for(procedure, facts[13]) if so_far.procedure_fixed else procedure,
            agency,
            channel,
            self._people.person(facts[3]),
            self._people.enterprise(facts[12]) if procedure.subject in _SUBJECTS_WITH_TAX_CODE else None,
            ResultDelivery.POST if unit(facts[8]) < _BY_POST else ResultDelivery.DIRECT,
            _payment(procedure, channel, facts[9]),
            *so_far,
        )

    def _filed(self, number: int, jitter: int) -> int:
        """The office second of filing: evenly spread, each dossier somewhere in its own slot."""
        return ((number << 32) + jitter) * self._span // (self.size << 32)

    def _first_at(self, office: int) -> int:
        """The smallest number filed at or after the office second ``office``."""
        number = max(0, office * self.size // self._span - 1)
        while self._filed(number, self._facts.of(number)[15]) < office:
            number += 1
        while number and self._filed(number - 1, self._facts.of(number - 1)[15]) >= office:
            number -= 1
        return number

    def _procedure(self, number: int) -> Procedure:
        return PROCEDURES[_PROCEDURE_WHEEL.pick(self._facts.of(number)[0])]

    def _first_of_day(self, day: int) -> int:
        return self._first_at(day * DAY_S)

    def _code(self, number: int, facts: tuple[int, ...], filed: int) -> str:
        agency = _agency(PROCEDURES[_PROCEDURE_WHEEL.pick(facts[0])], facts)
        day = filed // DAY_S
        return f"{_receiver(agency, facts)}-{self._calendar.days[day]:%y%m%d}-{number - self.first_of_day(day) + 1:04d}"


def _half_year_before(last: date) -> date:
    """The first day of the half-year whose last day is ``last``: 2026-06-30 gives 2026-01-01."""
    after = last + timedelta(days=1)
    year, month = divmod(after.year * 12 + after.month - 1 - 6, 12)
    return date(year, month + 1, min(after.day, monthrange(year, month + 1)[1]))


def _agency(procedure: Procedure, facts: tuple[int, ...]) -> Agency:
    agencies = procedure.sector.agencies
    return agencies[between(facts[1], 0, len(agencies) - 1)]


def _channel(facts: tuple[int, ...]) -> Channel:
    return _CHANNELS[_CHANNEL_WHEEL.pick(facts[2])]


def _route(procedure: Procedure) -> tuple[System, ...]:
    return (procedure.sector.system, *procedure.through)


def _receiver(agency: Agency, facts: tuple[int, ...]) -> str:
    """The code of the agency at whose counter the dossier was received; what is filed online goes to the right one."""
    if _channel(facts) is not Channel.ONLINE:
        where = unit(facts[14])
        if where < _RECEIVED_OUTSIDE:
            return OTHER_PROVINCES[between(facts[7], 0, len(OTHER_PROVINCES) - 1)]
        if where < _RECEIVED_OUTSIDE + _RECEIVED_ELSEWHERE:
            return COMMUNES[between(facts[7], 0, len(COMMUNES) - 1)].code
    return agency.code


def _mistaken_for(procedure: Procedure, draw: int) -> Procedure:
    """The procedure it should have been filed under."""
    others = siblings(procedure) or (procedure,)
    return others[between(draw, 0, len(others) - 1)]


def _payment(procedure: Procedure, channel: Channel, draw: int) -> OnlinePayment:
    if not procedure.pays:
        return OnlinePayment.NONE
    if channel is not Channel.ONLINE:
        return OnlinePayment.NOT_ONLINE
    return OnlinePayment.NATIONAL_PORTAL if unit(draw) < 0.8 else OnlinePayment.AGENCY_GATEWAY
