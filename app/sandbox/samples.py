"""Invented but lifelike content: clients with a history, and leads of a steam boiler supplier.

Called by the demo, tests and benchmarks. Knows the service's custom fields by name only, as an admin would
who filled them in; written from the customer's story, independent of the service's rules. `outcome` and
`grade` of a sample are what the author meant by the default rules, for reading, not a computed verdict.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from app.sandbox import sample_words as words
from app.sandbox.portal import SandboxPortal
from app.sandbox.schema import COMPANY, CONTACT, DEAL, LEAD
from app.sandbox.wire import as_list

Fields = dict[str, Any]
OPERATOR, SALES = 21, 12
_BILLION = 1_000_000_000

_YES_NO = (("yes", "Да"), ("no", "Нет"))
_VERDICTS = (
    ("deal", "Огонь"),
    ("company", "В развитие"),
    ("junk", "Брак"),
    ("review", "На разбор"),
    ("needs_data", "Нужны данные"),
)
_SEGMENTS = (("new", "Новый"), ("regular", "Постоянный"), ("sleeping", "Спящий"), ("nurture", "Развитие"))
_ROLES = (("economic", "Экономический"), ("technical", "Технический"), ("user", "Пользователь"))

# (object, name after UF_CRM_OGON_, type, label, list rows, multiple)
_FIELDS: tuple[tuple[int, str, str, str, tuple[tuple[str, str], ...], bool], ...] = (
    (LEAD, "STEAM_TPH", "double", "Потребление пара, т/ч", (), False),
    (COMPANY, "STEAM_TPH", "double", "Потребление пара, т/ч", (), False),
    (LEAD, "TURNOVER", "double", "Оборот компании, руб./год", (), False),
    (LEAD, "INDUSTRY", "crm_status", "Отрасль", (), False),
    (LEAD, "REQUEST_FIT", "enumeration", "Запрос наш", _YES_NO, False),
    (LEAD, "VERDICT", "enumeration", "Вердикт", _VERDICTS, False),
    (LEAD, "WHY", "string", "Почему", (), False),
    (DEAL, "WHY", "string", "Почему", (), False),
    (DEAL, "NEED", "enumeration", "Потребность", _YES_NO, False),
    (DEAL, "BUDGET", "enumeration", "Бюджет", _YES_NO, False),
    (DEAL, "NEEDED_BY", "date", "Нужно к дате", (), False),
    (DEAL, "MARGIN", "double", "Ожидаемая прибыль, руб.", (), False),
    (DEAL, "ROLES", "enumeration", "Закупочный центр", _ROLES, True),
    (DEAL, "NEED_SCOPE", "enumeration", "Объём потребности", (("whole", "Вся"), ("part", "Часть")), False),
    (DEAL, "TRIAL", "boolean", "Пробная поставка", (), False),
    (DEAL, "PROSPECTS", "boolean", "Есть перспективы", (), False),
    (DEAL, "GRADE", "enumeration", "Класс", tuple((one, one) for one in ("AAA", "BBB", "CCC", "none")), False),
    (DEAL, "CHECKLIST", "string", "Самопроверка", (), False),
    (COMPANY, "SEGMENT", "enumeration", "Сегмент", _SEGMENTS, False),
)


@dataclass(frozen=True, slots=True)
class SampleLead:
    """One lead and, where it is to become a deal, what the manager will answer there.

    fields and answers take list values by XML_ID and dates as days from now; `place_lead` and `answer_deal`
    translate them for a portal. `rows` are product rows as crm.item.productrow.set takes them.
    """

    fields: Fields
    outcome: str
    rows: tuple[Fields, ...] = ()
    answers: Mapping[str, Any] = field(default_factory=dict[str, Any])
    grade: str | None = None
    story: str = ""


def seed_fields(portal: SandboxPortal) -> None:
    """Make the service's custom fields that are missing, as an administrator by hand."""
    names = {kind: {row["FIELD_NAME"] for row in portal.world.userfields.of(kind).values()} for kind in (1, 2, 4)}
    for kind, name, user_type, label, options, multiple in _FIELDS:
        full = f"UF_CRM_OGON_{name}"
        if full in names[kind]:
            continue
        rows = [{"VALUE": text, "XML_ID": key, "SORT": 10 * n} for n, (key, text) in enumerate(options, 1)]
        settings = {"ENTITY_TYPE": "INDUSTRY"} if user_type == "crm_status" else {}
        portal.world.userfields.add(
            kind,
            {
                "FIELD_NAME": full,
                "USER_TYPE_ID": user_type,
                "LABEL": label,
                "MULTIPLE": "Y" if multiple else "N",
                "LIST": rows,
                "SETTINGS": settings,
            },
        )
        portal.world.fields_changed(kind)


def seed_basic(portal: SandboxPortal, *, fields: bool = True) -> None:
    """Clients the firm already has: regular buyers with won deals, a sleeping one, one in development.

    With `fields` the custom fields are made first; without, only those that exist are filled.
    """
    if fields:
        seed_fields(portal)
    dice = random.Random(portal.seed)  # noqa: S311 (invented data)
    for number, name in enumerate(words.PLANTS[:6]):
        company_id = _company(portal, dice, name, number)
        contact_id = _contact(portal, dice, company_id, number)
        # Two regular buyers, one that slept for two years, the others without a purchase.
        for days in {0: (30, 120, 250), 1: (15, 60, 90, 300), 2: (700, 800)}.get(number, ()):
            _won_deal(portal, company_id, contact_id, days)


def generate_leads(source: SandboxPortal | random.Random, n: int) -> list[SampleLead]:
    """`n` leads; every kind appears once before any is repeated. Same seed and portal, same leads.

    Given a portal, some leads carry phones and e-mails of its clients, as returning clients do.
    """
    if isinstance(source, SandboxPortal):
        dice = random.Random(source.seed + 1)  # noqa: S311 (invented data)
        known = _known_contacts(source)
    else:
        dice, known = source, []
    kinds = list(_KINDS)
    dice.shuffle(kinds)
    made: list[SampleLead] = []
    for number in range(n):
        kind = kinds[number] if number < len(kinds) else dice.choices(_KINDS, [one.weight for one in _KINDS])[0]
        made.append(_lead(dice, kind, known, number))
    return made


def place_lead(portal: SandboxPortal, sample: SampleLead, user_id: int = OPERATOR) -> int:
    """The lead arrives: added and its product rows set, with the events of both."""
    lead_id = portal.ui_add(LEAD, translated(portal, LEAD, sample.fields), user_id)
    if sample.rows:
        portal.ui_set_rows(LEAD, lead_id, list(sample.rows), user_id)
    return lead_id


def answer_deal(portal: SandboxPortal, deal_id: int, sample: SampleLead, user_id: int = SALES) -> bool:
    """The manager answers the questions of the second stage; False where there is nothing to answer."""
    return portal.ui_update(DEAL, deal_id, translated(portal, DEAL, sample.answers), user_id)


def translated(portal: SandboxPortal, entity_type_id: int, fields: Mapping[str, Any]) -> Fields:
    """List values by XML_ID become their numbers on this portal, days from now become dates."""
    rows = {row["FIELD_NAME"]: row for row in portal.world.userfields.of(entity_type_id).values()}
    ready: Fields = {}
    for name, value in fields.items():
        row = rows.get(name)
        if row is not None and row["USER_TYPE_ID"] == "enumeration":
            numbers = {option["XML_ID"]: int(option["ID"]) for option in row["LIST"]}
            chosen = [numbers[one] for one in as_list(value)]
            ready[name] = chosen if row["MULTIPLE"] == "Y" else chosen[0]
        elif row is not None and row["USER_TYPE_ID"] == "date":
            ready[name] = (portal.world.time.now() + timedelta(days=value)).date().isoformat()
        else:
            ready[name] = value
    return ready


@dataclass(frozen=True, slots=True)
class _Kind:
    """A way leads come. request: fit / rows / text say yes in that way, no, rows_no, vague."""

    outcome: str
    client: str
    request: str
    weight: int
    story: str
    grade: str | None = None
    answers: Mapping[str, Any] = field(default_factory=dict[str, Any])


def _answers(need: str, budget: str, days: int, margin: float, **more: Any) -> dict[str, Any]:
    return {
        "UF_CRM_OGON_NEED": need,
        "UF_CRM_OGON_BUDGET": budget,
        "UF_CRM_OGON_NEEDED_BY": days,
        "UF_CRM_OGON_MARGIN": margin,
        **{f"UF_CRM_OGON_{name}": value for name, value in more.items()},
    }


_FULL = {"ROLES": ["economic", "technical", "user"], "NEED_SCOPE": "whole"}
_KINDS: tuple[_Kind, ...] = (
    _Kind("deal", "target", "rows", 8, "всё сошлось", "AAA", _answers("yes", "yes", 14, 420_000, **_FULL)),
    _Kind("deal", "target", "fit", 8, "не срочно", "BBB", _answers("yes", "yes", 120, 180_000)),
    _Kind("deal", "target", "text", 6, "пока присматриваются", "CCC", _answers("yes", "no", 200, 65_000)),
    _Kind("deal", "target", "fit", 3, "без плюсов", "none", _answers("no", "no", 180, 30_000)),
    _Kind("deal", "target", "rows", 3, "ниже минимума", "AAA", _answers("yes", "yes", 10, 3_200)),
    _Kind("deal", "regular", "rows", 3, "постоянный взял мало", "BBB", _answers("yes", "yes", 60, 2_900)),
    _Kind(
        "deal",
        "target",
        "fit",
        3,
        "пробная поставка",
        "BBB",
        _answers("yes", "no", 20, 1_800, TRIAL="Y", PROSPECTS="Y"),
    ),
    _Kind("company", "target", "no", 8, "целевой клиент, не наш запрос"),
    _Kind("company", "target", "rows_no", 3, "целевой клиент, чужие позиции"),
    _Kind("junk", "small", "no", 16, "не наш клиент и не наш запрос"),
    _Kind("junk", "half_small", "no", 5, "пар неизвестен, но уже не важен"),
    _Kind("review", "small", "fit", 9, "малый клиент, запрос наш"),
    _Kind("review", "wrong_industry", "text", 4, "крупный, но не производство"),
    _Kind("needs_data", "unknown", "fit", 9, "о клиенте ничего не известно"),
    _Kind("needs_data", "half_known", "rows", 5, "известен пар, но не оборот"),
    _Kind("needs_data", "target", "vague", 7, "клиент целевой, запрос неясен"),
    _Kind("needs_data", "unknown", "vague", 6, "пустая заявка"),
)


def _lead(dice: random.Random, kind: _Kind, known: list[Fields], number: int) -> SampleLead:
    tph = round(dice.uniform(3.2, 25), 1)
    title, text = _request(dice, kind.request, tph)
    small = kind.client in {"small", "half_small"}
    firm = dice.choice(words.SMALL_FIRMS if small else words.PLANTS)
    name, last_name = dice.choice(words.PEOPLE)
    fields: Fields = {
        "title": title,
        "comments": text,
        "companyTitle": f"{dice.choice(words.FORMS)} «{firm} {dice.choice(words.CITIES)}»",
        "name": name,
        "lastName": last_name,
        "post": dice.choice(words.POSTS),
        "sourceId": dice.choice(words.SOURCES),
        "fm": _contacts(dice, number),
        **_client(dice, kind.client, tph),
    }
    if kind.request == "fit":
        fields["UF_CRM_OGON_REQUEST_FIT"] = "yes"
    if kind.request == "no":
        fields["UF_CRM_OGON_REQUEST_FIT"] = "no"
    if kind.client == "regular" and known:
        fields |= known[dice.randrange(min(2, len(known)))]
    elif known and kind.client == "target" and dice.random() < _RETURNING:
        fields["fm"] = dice.choice(known)["fm"]
    if kind.client == "unknown" and dice.random() < _NAMELESS:
        fields["companyTitle"] = ""
    return SampleLead(
        fields=fields,
        outcome=kind.outcome,
        rows=_rows(dice, kind.request),
        answers=kind.answers,
        grade=kind.grade,
        story=kind.story,
    )


_RETURNING, _NAMELESS = 0.2, 0.5


def _request(dice: random.Random, request: str, tph: float) -> tuple[str, str]:
    pool = {
        "fit": words.FITTING_REQUESTS + words.VAGUE_REQUESTS,
        "rows": words.FITTING_REQUESTS + words.VAGUE_REQUESTS,
        "text": words.FITTING_REQUESTS,
        "no": words.FOREIGN_REQUESTS,
        "rows_no": words.FOREIGN_REQUESTS,
        "vague": words.VAGUE_REQUESTS,
    }[request]
    title, text = dice.choice(pool)
    printed = str(tph).replace(".", ",")
    return title.format(tph=printed), text.format(tph=printed)


def _client(dice: random.Random, client: str, tph: float) -> Fields:
    """What is known of the client, in the three facts of the first stage."""
    steam, turnover, industry = "UF_CRM_OGON_STEAM_TPH", "UF_CRM_OGON_TURNOVER", "UF_CRM_OGON_INDUSTRY"
    big = round(dice.uniform(1.1, 30), 2) * _BILLION
    little = dice.randrange(5, 600) * 1_000_000
    match client:
        case "target" | "regular":
            return {steam: tph, turnover: big, industry: "MANUFACTURING"}
        case "small":
            dry = round(dice.uniform(0.1, 2.5), 1)
            return {steam: dry, turnover: little, industry: dice.choice(words.SMALL_INDUSTRIES)}
        case "half_small":
            return {turnover: little}
        case "wrong_industry":
            return {steam: tph, turnover: big, industry: "ENTERTAINMENT"}
        case "half_known":
            return {steam: tph, industry: "MANUFACTURING"}
        case _:
            return {}


def _rows(dice: random.Random, request: str) -> tuple[Fields, ...]:
    if request == "rows":
        picked = dice.sample(range(100, 129), dice.randint(1, 3))
        rows: list[Fields] = [
            {"productId": one, "price": 50_000 * dice.randint(1, 60), "quantity": dice.randint(1, 3)} for one in picked
        ]
        if dice.random() < _MIXED:
            rows.append({"productName": "Доставка до объекта", "price": 85_000, "quantity": 1})
        return tuple(rows)
    if request == "rows_no":
        return ({"productName": dice.choice(words.FREE_ROWS), "price": 120_000, "quantity": 1},)
    return ()


_MIXED = 0.3


def _contacts(dice: random.Random, number: int) -> list[Fields]:
    phone = f"79{dice.randrange(10, 99)}{dice.randrange(10**6, 10**7)}"
    shapes = ("+7 ({0}) {1}-{2}-{3}", "8{0}{1}{2}{3}", "+7{0}{1}{2}{3}", "8 {0} {1} {2} {3}")
    parts = (phone[1:4], phone[4:7], phone[7:9], phone[9:11])
    rows: list[Fields] = []
    if dice.random() < _WITH_PHONE:
        rows.append({"typeId": "PHONE", "valueType": "WORK", "value": dice.choice(shapes).format(*parts)})
    if not rows or dice.random() < _WITH_EMAIL:
        rows.append({"typeId": "EMAIL", "valueType": "WORK", "value": f"zakupki{number}@client{number % 97}.example"})
    return rows


_WITH_PHONE, _WITH_EMAIL = 0.85, 0.6


def _known_contacts(portal: SandboxPortal) -> list[Fields]:
    """Phones and e-mails of the portal's contacts with the title of their company."""
    found: list[Fields] = []
    for item in portal.items(CONTACT):
        company = portal.item(COMPANY, item["companyId"]) if item["companyId"] else {"title": ""}
        fm = [{key: row[key] for key in ("typeId", "valueType", "value")} for row in item["fm"]]
        person = {"name": item["name"], "lastName": item["lastName"], "companyTitle": company["title"]}
        found.append({**person, "fm": fm})
    return found


def _company(portal: SandboxPortal, dice: random.Random, name: str, number: int) -> int:
    fields: Fields = {
        "title": f"{dice.choice(words.FORMS)} «{name}»",
        "industry": "MANUFACTURING",
        "revenue": dice.randint(2, 20) * _BILLION,
        "UF_CRM_OGON_STEAM_TPH": round(dice.uniform(4, 20), 1),
        "fm": [{"typeId": "PHONE", "valueType": "WORK", "value": f"+7 495 000-10-{number:02d}"}],
    }
    return portal.ui_add(COMPANY, fields, SALES)


def _contact(portal: SandboxPortal, dice: random.Random, company_id: int, number: int) -> int:
    name, last_name = dice.choice(words.PEOPLE)
    fields: Fields = {
        "name": name,
        "lastName": last_name,
        "post": words.POSTS[number % 5],
        "companyId": company_id,
        "fm": [
            {"typeId": "PHONE", "valueType": "WORK", "value": f"+7 (912) 000-20-{number:02d}"},
            {"typeId": "EMAIL", "valueType": "WORK", "value": f"energo{number}@plant{number}.example"},
        ],
    }
    return portal.ui_add(CONTACT, fields, SALES)


def _won_deal(portal: SandboxPortal, company_id: int, contact_id: int, days_ago: int) -> None:
    closed = (portal.world.time.now() - timedelta(days=days_ago)).date().isoformat()
    fields: Fields = {
        "title": "Поставка запасных частей",
        "companyId": company_id,
        "contactIds": [contact_id],
        "opportunity": 900_000,
        "isManualOpportunity": "Y",
        "begindate": closed,
        "closedate": closed,
    }
    deal_id = portal.ui_add(DEAL, fields, SALES)
    portal.ui_update(DEAL, deal_id, {"stageId": "WON"}, SALES)
