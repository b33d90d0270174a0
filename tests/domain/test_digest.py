"""Digests: whom they are about, when one is due, about which days, and what it says."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.assignment import Pool
from app.domain.calendars import NO_COUNTRY, Calendars, Layer
from app.domain.digest import (
    Digest,
    Due,
    Kind,
    Led,
    Pages,
    Part,
    Switch,
    Week,
    about,
    due,
    led_by,
    notice,
    text,
)
from app.domain.interval import share
from app.domain.messages import message
from app.domain.shares import Member
from app.domain.snapshot import Entity
from app.domain.team import Department, Person
from app.domain.working_time import Hours
from app.texts import catalogue

MOSCOW = ZoneInfo("Europe/Moscow")
FAR = ZoneInfo("Asia/Vladivostok")
USER, TRAVELLER, LATE_BIRD, FREE = 7, 8, 9, 10
NINE = time(9)
BOTH = tuple(Kind)
D, W = Kind.DAILY, Kind.WEEKLY


def moscow(day: int, hour: int, minute: int = 0) -> datetime:
    """November 2026; the 2nd, 9th, 16th and 23rd are Mondays."""
    return datetime(2026, 11, day, hour, minute, tzinfo=MOSCOW)


def nov(day: int) -> date:
    return date(2026, 11, day)


def times(**more) -> Calendars:
    late = Layer(week=dict.fromkeys(range(5), (Hours(14 * 60, 22 * 60),)))
    return Calendars(
        portal=(Layer(zone=MOSCOW, country=NO_COUNTRY, days={nov(4): ()}),),
        people={LATE_BIRD: late, FREE: Layer(week=dict.fromkeys(range(7), ()))},
        zones={TRAVELLER: FAR},
        **more,
    )


@pytest.mark.parametrize(
    ("user", "now", "told"),
    [
        pytest.param(USER, moscow(18, 8, 59), {}, id="before nine"),
        pytest.param(USER, moscow(18, 9), {D: (17, 17)}, id="at nine, about yesterday"),
        pytest.param(USER, moscow(18, 17, 59), {D: (17, 17)}, id="a worker that was down sends late"),
        pytest.param(USER, moscow(18, 18), {}, id="but not in the evening"),
        pytest.param(USER, moscow(16, 9), {D: (13, 15), W: (9, 15)}, id="Monday: since Friday, and the last week"),
        pytest.param(USER, moscow(17, 9), {D: (16, 16)}, id="weekly on the first day only"),
        pytest.param(USER, moscow(21, 12), {}, id="Saturday"),
        pytest.param(USER, moscow(4, 12), {}, id="a holiday"),
        pytest.param(USER, moscow(5, 9), {D: (3, 4)}, id="the holiday belongs to the day before it"),
        pytest.param(LATE_BIRD, moscow(18, 13, 59), {}, id="not before the shift"),
        pytest.param(LATE_BIRD, moscow(18, 14), {D: (17, 17)}, id="with the shift"),
        pytest.param(LATE_BIRD, moscow(18, 21, 59), {D: (17, 17)}, id="while it lasts"),
        pytest.param(TRAVELLER, moscow(18, 1, 59), {}, id="nine o'clock there is two o'clock here"),
        pytest.param(TRAVELLER, moscow(18, 2), {D: (17, 17)}, id="by his own clock"),
        pytest.param(TRAVELLER, moscow(18, 11), {}, id="his evening"),
        pytest.param(FREE, moscow(18, 9), {}, id="who never works"),
    ],
)
def test_when_and_about_which_days(user: int, now: datetime, told: dict) -> None:
    found = due(BOTH, user, times(), at=NINE, now=now, today=now.astimezone(MOSCOW).date())
    assert {one.kind: (one.since, one.until) for one in found} == {
        kind: (nov(since), nov(until)) for kind, (since, until) in told.items()
    }


def test_who_is_away_gets_none_and_the_weekly_one_when_back() -> None:
    away = times(absences={USER: [(moscow(16, 0), moscow(17, 0)), (moscow(19, 0), moscow(19, 12))]})
    assert due(BOTH, USER, away, at=NINE, now=moscow(16, 10), today=nov(16)) == ()
    back = due(BOTH, USER, away, at=NINE, now=moscow(17, 9), today=nov(17))
    assert back == (Due(D, nov(17), nov(16), nov(16)), Due(W, nov(16), nov(9), nov(15)))
    assert [one.kind for one in due(BOTH, USER, away, at=NINE, now=moscow(18, 9), today=nov(18))] == [D]
    assert due(BOTH, USER, away, at=NINE, now=moscow(19, 11), today=nov(19)) == ()
    assert len(due(BOTH, USER, away, at=NINE, now=moscow(19, 12), today=nov(19))) == 1
    gone = times(dismissed=frozenset({USER}))
    assert due(BOTH, USER, gone, at=NINE, now=moscow(18, 10), today=nov(18)) == ()


def test_an_hour_behind_the_working_day_still_counts() -> None:
    """An evening digest: the working day ends when it is due."""
    for hour, minute, sent in ((17, 59, 0), (18, 0, 1), (18, 59, 1), (19, 0, 0)):
        found = due({D}, USER, times(), at=time(18), now=moscow(18, hour, minute), today=nov(18))
        assert len(found) == sent


def test_a_day_that_is_not_over_in_the_portal_is_not_told() -> None:
    assert about(D, TRAVELLER, times(), day=nov(19), today=nov(18)) == Due(D, nov(19), nov(17), nov(17))


@given(
    st.lists(st.integers(0, 5 * 7 * 24 * 60), max_size=60),
    st.sampled_from([USER, TRAVELLER, LATE_BIRD, FREE]),
    st.lists(st.tuples(st.integers(0, 34), st.integers(1, 5)), max_size=3),
)
@settings(deadline=None)
def test_whatever_the_ticks_no_period_is_told_twice_and_none_on_a_day_off(
    minutes: list[int], user: int, away: list[tuple[int, int]]
) -> None:
    start = datetime(2026, 11, 2, tzinfo=UTC)
    spans = [(start + timedelta(days=a), start + timedelta(days=a + n)) for a, n in away]
    calendars = times(absences={user: spans})
    zone = calendars.of(user).zone
    sent: list[tuple[Kind, date]] = []
    for minute in sorted(minutes):
        now = start + timedelta(minutes=minute)
        for one in due(BOTH, user, calendars, at=NINE, now=now, today=now.astimezone(MOSCOW).date()):
            day = now.astimezone(zone).date()
            assert one.since <= one.until < day
            assert one.day == (day if one.kind is D else day - timedelta(days=day.weekday()))
            assert calendars.day(day, user).hours
            assert not calendars.absent(user, now)
            if (one.kind, one.day) not in sent:
                sent.append((one.kind, one.day))
    weeks = [day for kind, day in sent if kind is W]
    assert len(weeks) == len(set(weeks))
    assert all(day.weekday() == 0 for day in weeks)


@given(st.integers(0, 24 * 60 - 1), st.sampled_from([USER, TRAVELLER, LATE_BIRD]), st.integers(10, 60))
@settings(max_examples=30, deadline=None)
def test_a_worker_that_is_up_sends_every_working_day_once(at: int, user: int, every: int) -> None:
    """Ticks within an hour of each other miss no working day, whatever the time of day that is set."""
    start, calendars = datetime(2026, 11, 8, 12, tzinfo=UTC), times()
    sent: dict[Kind, set[date]] = {D: set(), W: set()}
    for tick in range(14 * 24 * 60 // every):
        now = start + timedelta(minutes=tick * every)
        for one in due(BOTH, user, calendars, at=time(at // 60, at % 60), now=now, today=now.date()):
            sent[one.kind].add(one.day)
    # What is set for less than an hour before midnight may fall between two ticks.
    if at + every < 24 * 60:
        assert sent[D] >= {nov(day) for day in (*range(9, 14), *range(16, 21))}
        assert sent[W] >= {nov(9), nov(16)}
    assert all(day.weekday() < 5 for day in sent[D])


PEOPLE = {
    1: Person(user_id=1, name="Директор", department_ids=(1,)),
    2: Person(user_id=2, name="Голова", department_ids=(2,)),
    3: Person(user_id=3, name="Менеджер", department_ids=(3,)),
}
DEPARTMENTS = {
    1: Department(department_id=1, name="Завод", head_id=1),
    2: Department(department_id=2, name="Продажи", parent_id=1, head_id=2),
    3: Department(department_id=3, name="Первая линия", parent_id=2, head_id=2),
    4: Department(department_id=4, name="Сервис", parent_id=1, head_id=2),
}
POOL = Pool(5, "Смена", Entity.LEAD, moscow(1, 0), (Member(3, 1, None),), head=1)


def test_who_leads_what() -> None:
    assert led_by(1, PEOPLE, DEPARTMENTS, [POOL]) == (
        Led(name="Завод", department=1, people=frozenset({1, 2, 3})),
        Led(name="Смена", pool=5, people=frozenset({3})),
    )
    assert [(one.name, one.filters) for one in led_by(2, PEOPLE, DEPARTMENTS, [POOL])] == [
        ("Продажи", {"department": 2}),
        ("Сервис", {"department": 4}),
    ], "the first line is within sales"
    assert led_by(3, PEOPLE, DEPARTMENTS, [POOL]) == ()


def test_departments_in_a_ring_end() -> None:
    ring = {
        1: Department(department_id=1, name="A", parent_id=2, head_id=1),
        2: Department(department_id=2, name="B", parent_id=1),
    }
    assert [one.name for one in led_by(1, PEOPLE, ring, [])] == ["A"]


@pytest.mark.parametrize(
    ("switch", "leads", "kinds"),
    [
        pytest.param(Switch(), True, (D, W), id="on for heads"),
        pytest.param(Switch(), False, (), id="off for the rest"),
        pytest.param(Switch(daily=False), True, (W,), id="one switched off"),
        pytest.param(Switch(weekly=True), False, (W,), id="one switched on"),
        pytest.param(Switch(daily=False, weekly=False), True, (), id="both off"),
    ],
)
def test_who_gets_what(switch: Switch, leads: bool, kinds: tuple) -> None:
    assert switch.on(leads=leads) == kinds


FULL = Part(
    led=Led(name="Продажи [URL=x]", department=2),
    leads=1234,
    grades=[("AAA", 2), (message("No grade"), 1)],
    within=share(17, 25),
    median=725.0,
    waiting=5,
    overdue=2,
    hot=1,
    parked=1,
)
QUIET = Part(
    led=Led(name="Смена", pool=5),
    leads=0,
    grades=[],
    within=None,
    median=None,
    waiting=0,
    overdue=0,
    hot=0,
    parked=0,
)
WEEK = Week(
    won=4,
    revenue=Decimal("1200000.50"),
    profit=None,
    expected=Decimal("86000.49"),
    shares=[("Смена: Анна", 12), ("Смена: Пётр", 11)],
)
RU = catalogue("ru").say


def test_a_daily_digest_in_words() -> None:
    told = Digest(due=Due(D, nov(16), nov(13), nov(15)), parts=[FULL, QUIET], unjudged=3, nobodys=2, left_out=1)
    asked = "portal=1&department=2&since=2026-11-13&until=2026-11-15"
    base = "[URL=https://ogon.example"
    assert text(told, Pages("https://ogon.example", 1), RU).splitlines() == [
        "[B]Сводка с 13.11.2026 по 15.11.2026[/B]",
        f"[B]{base}/?portal=1]Изменились сегодня и не оценены: 3[/URL][/B]",
        f"[B]{base}/?portal=1]Ждут первой реакции и ни за кем не закреплены: 2[/URL][/B]",
        "",
        "[B]Продажи ［URL=x］[/B]",
        f"{base}/reports/channels?{asked}]Новые лиды[/URL]: 1\xa0234",
        f"{base}/reports/grades?{asked}]Новые сделки[/URL]: AAA 2, Сделка без класса 1",
        f"{base}/reports/reaction?{asked}]Первая реакция[/URL]: 68 % в нормативе (17 из 25), половина за 12 мин",
        f"{base}/?portal=1&department=2]Ждут сейчас[/URL]: 5, из них просрочено 2, горячих 1",
        f"{base}/?portal=1&department=2]Остановлены: нужен человек[/URL]: 1",
        "",
        "[B]Пул «Смена»[/B]",
        f"{base}/reports/channels?{asked.replace('department=2', 'pool=5')}]Новые лиды[/URL]: 0",
        f"{base}/reports/grades?{asked.replace('department=2', 'pool=5')}]Новые сделки[/URL]: нет",
        f"{base}/reports/reaction?{asked.replace('department=2', 'pool=5')}]Первая реакция[/URL]: нечего измерять",
        f"{base}/?portal=1&pool=5]Ждут сейчас[/URL]: никто",
        "",
        f"{base}/reports?portal=1]Отделов и пулов, которые сюда не вошли: 1.[/URL]",
        "",
        f"{base}/team?portal=1]Включить и отключить сводки[/URL]",
    ]


def test_a_weekly_digest_without_links() -> None:
    part = Part(**{name: getattr(FULL, name) for name in Part.__slots__} | {"week": WEEK, "parked": 0})
    told = Digest(due=Due(W, nov(16), nov(9), nov(15)), parts=[part])
    assert text(told, Pages(None, 1), RU).splitlines() == [
        "[B]Неделя с 09.11.2026 по 15.11.2026[/B]",
        "",
        "[B]Продажи ［URL=x］[/B]",
        "Новые лиды: 1\xa0234",
        "Новые сделки: AAA 2, Сделка без класса 1",
        "Первая реакция: 68 % в нормативе (17 из 25), половина за 12 мин",
        "Ждут сейчас: 5, из них просрочено 2, горячих 1",
        "Роздано карточек: Смена: Анна 12, Смена: Пётр 11",
        "Выигранные сделки: 4, выручка: 1\xa0200\xa0000 руб., прибыль: неизвестно",
        "Ожидается денег: 86\xa0000 руб.",
    ]


def test_each_person_and_kind_has_a_line_of_notifications() -> None:
    told = Digest(due=Due(D, nov(17), nov(16), nov(16)), parts=[])
    sent = notice(told, 7, Pages(None, 1), RU)
    assert (sent.user, sent.tag, sent.key) == (7, "ogon:digest-7:daily", "digest-7:daily:2026-11-17")
    assert sent.text == "[B]Сводка за 16.11.2026[/B]"
