"""Every counted report against reckoning it by hand from the same cards, and every number against its cards."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from app.domain.interval import Share
from app.domain.ruleset import DEFAULT
from app.reports import (
    buying_centre,
    channels,
    checklist,
    forecast,
    funnel,
    grades,
    losses,
    managers,
    money,
    retention,
    velocity,
)
from app.reports.report import Number, Report
from app.store.database import Database
from tests.reports.world import (
    AHEAD,
    MEANS,
    NOW,
    PEOPLE,
    POOL,
    RANKED,
    SINCE,
    UNTIL,
    Card,
    P,
    asked,
    record,
    there,
    world,
)

pytestmark = pytest.mark.anyio

SLEEPING_DAYS = DEFAULT.segments.sleeping_days
Cells = dict[str, Any]
By = dict[str, Cells]
NARROWED = [
    {},
    {"manager": 8},
    {"department": 1},
    {"pool": POOL},
    {"source": "WEB"},
    {"pipeline": 4},
    {"segment": "regular"},
]


def plain(value: Any) -> Any:
    """A share as its counts, a length of time to the millisecond."""
    if isinstance(value, Share):
        return value.hits, value.of
    return round(value, 3) if isinstance(value, float) else value


def share(hits: int, of: int) -> tuple[int, int] | None:
    return (hits, of) if of else None


def total(values: Iterable[Decimal | None]) -> Decimal | None:
    known = [value for value in values if value is not None]
    return sum(known, Decimal(0)) if known else None


def mean(values: Iterable[Decimal | None]) -> Decimal | None:
    known = [value for value in values if value is not None]
    return (sum(known, Decimal(0)) / len(known)).quantize(Decimal("0.01"), "ROUND_HALF_UP") if known else None


def grouped(cards: Sequence[Card], key: Callable[[Card], Any], cells: Callable[[list[Card]], Cells]) -> By:
    """Cells by key, and of all under None."""
    keys = {key(one) for one in cards}
    told = {"" if name is None else str(name): cells([one for one in cards if key(one) == name]) for name in keys}
    return told | {"whole": cells(list(cards))}


def won(cards: Iterable[Card]) -> list[Card]:
    return [one for one in cards if one.ending == "won"]


def by_grade(made: list[Card], narrowed: dict[str, Any]) -> dict[str, By]:
    def cells(cards: list[Card]) -> Cells:
        good = won(cards)
        return {
            "closed": len(cards),
            "won": len(good),
            "lost": len(cards) - len(good),
            "win_rate": share(len(good), len(cards)),
            "revenue": total(one.of("amount") for one in good),
            "average": mean(one.of("amount") for one in good),
            "profit": total(one.of("profit") for one in good),
            "profit_each": mean(one.of("profit") for one in good),
        }

    def of_made(cards: list[Card]) -> Cells:
        at_work = [one for one in cards if one.ending == "open"]
        return {"deals": len(cards), "open": len(at_work), "money": total(one.of("amount") for one in cards)}

    deals = there(made, 2, **narrowed)
    closed, new = [one for one in deals if one.closed_in()], [one for one in deals if one.made_in()]
    return {
        "grades": grouped(closed, lambda one: one.of("grade"), cells),
        "made": grouped(new, lambda one: one.of("grade"), of_made),
    }


def of_money(made: list[Card], narrowed: dict[str, Any]) -> dict[str, By]:
    def cells(cards: list[Card]) -> Cells:
        profits = [one.of("profit") for one in cards if one.of("profit") is not None]
        return {
            "won": len(cards),
            "revenue": total(one.of("amount") for one in cards),
            "average": mean(one.of("amount") for one in cards),
            "profit": total(profits),
            "profit_each": mean(profits),
            "below": share(sum(profit < 5000 for profit in profits), len(profits)),
        }

    closed = won(one for one in there(made, 2, **narrowed) if one.closed_in())
    return {
        "months": grouped(closed, lambda one: f"{one.closed_on:%Y-%m}", cells),
        "pipelines": grouped(closed, lambda one: one.pipeline, cells),
        "sources": grouped(closed, lambda one: one.source, cells),
    }


def of_channels(made: list[Card], narrowed: dict[str, Any]) -> dict[str, By]:
    sold: dict[int, list[Card]] = {}
    for one in there(made, 2):
        if one.lead is not None:
            sold.setdefault(one.lead, []).append(one)

    def amount(one: Card, what: str) -> Decimal | None:
        return total(deal.of(what) for deal in won(sold.get(one.id, [])))

    def cells(cards: list[Card]) -> Cells:
        solvent = [one for one in cards if one.of("solvent") in {"yes", "no"}]
        client = [one for one in cards if one.of("client") in {"yes", "no"}]
        judged = [one for one in cards if one.judged is not None]
        return {
            "leads": len(cards),
            "hot": share(sum(one.of("heat") == "hot" for one in judged), len(judged)),
            "solvent": share(sum(one.of("solvent") == "yes" for one in solvent), len(solvent)),
            "target": share(sum(one.of("client") == "yes" for one in client), len(client)),
            "with_deal": share(sum(one.id in sold for one in cards), len(cards)),
            "won": sum(bool(won(sold.get(one.id, []))) for one in cards),
            "revenue": total(amount(one, "amount") for one in cards),
            "profit": total(amount(one, "profit") for one in cards),
            "each": mean(amount(one, "amount") or Decimal(0) for one in cards),
        }

    leads = [one for one in there(made, 1, **narrowed) if one.made_in()]
    return {"sources": grouped(leads, lambda one: one.source, cells)}


def of_checklist(made: list[Card], narrowed: dict[str, Any]) -> dict[str, By]:
    deals = [one for one in there(made, 2, **narrowed) if one.made_in()]
    judged = [one for one in deals if one.judged is not None]

    def item(place: int) -> Cells:
        marks = Counter(one.of("checklist")[place] for one in judged)
        done = [one for one in judged if one.of("checklist")[place] == "y" and one.ending != "open"]
        missing = [one for one in judged if one.of("checklist")[place] != "y" and one.ending != "open"]
        return {
            "missing": marks["n"] + marks["u"],
            "no": marks["n"],
            "unknown": marks["u"],
            "done": marks["y"],
            "missing_share": share(marks["n"] + marks["u"], len(judged)),
            "won_with": share(len(won(done)), len(done)),
            "won_without": share(len(won(missing)), len(missing)),
        }

    def scored(cards: list[Card]) -> Cells:
        ended = [one for one in cards if one.ending != "open"]
        return {"deals": len(cards), "won": len(won(cards)), "win_rate": share(len(won(cards)), len(ended))}

    return {
        "items": {str(place + 1): item(place) for place in range(7)} if judged else {},
        "scores": grouped(deals, lambda one: one.of("checklist") and one.of("checklist").count("y"), scored),
    }


def of_buying_centre(made: list[Card], narrowed: dict[str, Any]) -> dict[str, By]:
    deals = [one for one in there(made, 2, **narrowed) if one.made_in()]

    def covered(cards: list[Card]) -> Cells:
        ended = [one for one in cards if one.ending != "open"]
        return {
            "deals": len(cards),
            "won": len(won(cards)),
            "win_rate": share(len(won(cards)), len(ended)),
            "average": mean(one.of("amount") for one in won(cards)),
        }

    filled = [one for one in deals if one.of("roles") is not None]

    def role(name: str) -> Cells:
        having = [one for one in filled if name in one.of("roles")]
        ended = [one for one in having if one.ending != "open"]
        without = [one for one in filled if name not in one.of("roles") and one.ending != "open"]
        return {
            "covered": share(len(having), len(filled)),
            "won_with": share(len(won(ended)), len(ended)),
            "won_without": share(len(won(without)), len(without)),
        }

    return {
        "covered": grouped(deals, lambda one: None if one.of("roles") is None else len(one.of("roles")), covered),
        "roles": {name: role(name) for name in ("economic", "technical", "user")} if filled else {},
    }


def of_managers(made: list[Card], narrowed: dict[str, Any]) -> dict[str, By]:
    leads = [one for one in there(made, 1, **narrowed) if one.made_in() and "pipeline" not in narrowed]
    deals = there(made, 2, **narrowed)
    cards = [*leads, *(one for one in deals if one.made_in() or one.closed_in() or one.ending == "open")]

    def cells(cards: list[Card]) -> Cells:
        leads, deals = ([one for one in cards if one.kind == kind] for kind in (1, 2))
        closed = [one for one in deals if one.closed_in()]
        return {
            "leads": len(leads),
            "hot": sum(one.of("heat") == "hot" for one in leads),
            "made": sum(one.made_in() for one in deals),
            "open": sum(one.ending == "open" for one in deals),
            "won": len(won(closed)),
            "lost": len(closed) - len(won(closed)),
            "win_rate": share(len(won(closed)), len(closed)),
            "revenue": total(one.of("amount") for one in won(closed)),
            "average": mean(one.of("amount") for one in won(closed)),
            "profit": total(one.of("profit") for one in won(closed)),
        }

    return {
        "managers": grouped(cards, lambda one: one.owner, cells),
        "departments": grouped(cards, lambda one: next(iter(PEOPLE.get(one.owner or 0, [])), None), cells),
    }


def in_period(moment: Any) -> bool:
    return SINCE <= (moment + AHEAD).date() <= UNTIL


def cut(lengths: list[float], at: float) -> float:
    """A quantile, between the two nearest where it falls between them."""
    ordered = sorted(lengths)
    place = at * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return round(ordered[low] + (ordered[high] - ordered[low]) * (place - low), 3)


def lengths_of(cards: Iterable[Card], within: Callable[[Any], bool]) -> dict[str, list[tuple[int, float]]]:
    """By working stage, each stay that ended then: which card, and how long."""
    found: dict[str, list[tuple[int, float]]] = {}
    for one in cards:
        for hop, following in one.stays:
            if following and MEANS[one.kind, hop.pipeline, hop.stage] == P and within(following.at):
                length = (following.at - hop.at).total_seconds()
                found.setdefault(f"{hop.pipeline}:{hop.stage}", []).append((one.id, length))
    return found


def passed(cards: list[Card]) -> By:
    return {
        key: {
            "left": len({card for card, _ in of}),
            "median": cut([length for _, length in of], 0.5),
            "three_quarters": cut([length for _, length in of], 0.75),
            "nine_tenths": cut([length for _, length in of], 0.9),
        }
        for key, of in lengths_of(cards, in_period).items()
    }


def of_velocity(made: list[Card], narrowed: dict[str, Any]) -> dict[str, By]:
    # What is usual is known from all deals, the deleted ones too.
    history = lengths_of([one for one in made if one.kind == 2], lambda _: True)
    usual = {key: cut([length for _, length in of], 0.75) for key, of in history.items() if len(of) >= 10}
    standing: dict[str, list[tuple[Card, float]]] = {}
    for one in there(made, 2, **narrowed):
        if one.ending == "open" and one.stays:
            hop = one.stays[-1][0]
            standing.setdefault(f"{hop.pipeline}:{hop.stage}", []).append((one, (NOW - hop.at).total_seconds()))

    def stuck(key: str, of: list[tuple[Card, float]]) -> Cells:
        longer = [one for one, length in of if key in usual and length > usual[key]]
        return {
            "standing": len(of),
            "usual": usual.get(key),
            "stuck": len(longer),
            "stuck_share": share(len(longer), len(of)) if key in usual else None,
            "money": total(one.of("amount") for one in longer),
        }

    return {
        "deals": passed(there(made, 2, **narrowed)),
        "stuck": {key: stuck(key, of) for key, of in standing.items()},
        "leads": passed(there(made, 1, **narrowed)),
    }


def of_losses(made: list[Card], narrowed: dict[str, Any]) -> dict[str, By]:
    def from_stage(one: Card) -> str | None:
        lost = [
            hop
            for hop, following in one.stays
            if following
            and MEANS[one.kind, following.pipeline, following.stage] == "failure"
            and MEANS[one.kind, hop.pipeline, hop.stage] == P
        ]
        return f"{one.pipeline}:{lost[-1].stage}" if lost else None

    def reason(one: Card) -> str | None:
        stage = from_stage(one)
        return stage and f"{stage} {one.last.stage}"

    deals = [one for one in there(made, 2, **narrowed) if one.ending == "lost" and one.closed_in()]
    leads = [one for one in there(made, 1, **narrowed) if one.ending == "lost" and one.closed_in()]

    def of_deals(cards: list[Card]) -> Cells:
        declined = sum(bool(one.of("declined")) for one in cards)
        amounts = total(one.of("amount") for one in cards)
        return {"lost": len(cards), "declined": share(declined, len(cards)), "money": amounts}

    def of_leads(cards: list[Card]) -> Cells:
        return {"lost": len(cards), "junk": sum(one.of("outcome") == "junk" for one in cards)}

    rules: By = {}
    for name in {rule for one in leads for rule in one.of("failed") or ("",)}:
        rules[name] = of_leads([one for one in leads if name in (one.of("failed") or ("",))])
    return {
        "deals": grouped(deals, from_stage, of_deals),
        "reasons": {
            key: {name: cells[name] for name in ("lost", "money")}
            for key, cells in grouped(deals, reason, of_deals).items()
        },
        "leads": grouped(leads, reason, of_leads),
        "rules": rules | {"whole": of_leads(leads)},
    }


def of_funnel(made: list[Card], narrowed: dict[str, Any]) -> dict[str, By]:
    told: dict[str, By] = {}
    for kind, name in ((1, "leads"), (2, "deals")):
        cards = there(made, kind, **narrowed)
        told[f"{name}_made"] = cohort(kind, [one for one in cards if one.made_in()])
        told[f"{name}_moved"] = moved(kind, cards)
    return told


def furthest(one: Card) -> int:
    """The place of the furthest stage it ever stood in, in the pipeline where it is; behind all when it is won."""
    line = RANKED[one.kind, one.pipeline]
    stood = [hop.stage for hop, _ in one.stays if hop.pipeline == one.pipeline] + [one.last.stage]
    if one.ending == "won" or any(MEANS[one.kind, one.pipeline, stage] == "success" for stage in stood):
        return len(line)
    return max([0, *(line.index(stage) for stage in stood if stage in line)])


def cohort(kind: int, cards: list[Card]) -> By:
    told: By = {}
    for pipeline in {one.pipeline for one in cards}:
        of = [one for one in cards if one.pipeline == pipeline]
        success = next(code for (k, p, code), means in MEANS.items() if (k, p, means) == (kind, pipeline, "success"))
        before = None
        for place, stage in enumerate([*RANKED[kind, pipeline], success]):
            reached = [one for one in of if furthest(one) >= place]
            here = [one for one in reached if furthest(one) == place]
            if not reached:
                break
            told[f"{pipeline}:{stage}"] = {
                "reached": len(reached),
                "here": sum(one.ending == "open" for one in here),
                "lost": sum(one.ending == "lost" for one in here),
                "step": None if before is None else share(len(reached), before),
            }
            before = len(reached)
    return told


def moved(kind: int, cards: list[Card]) -> By:
    seen: dict[str, dict[str, set[int]]] = {}
    for one in cards:
        for hop, following in one.stays:
            line = [
                *RANKED[kind, hop.pipeline],
                *(c for (k, p, c), m in MEANS.items() if (k, p, m) == (kind, hop.pipeline, "success")),
            ]
            came, went = in_period(hop.at), following is not None and in_period(following.at)
            if not came and not went:
                continue
            cells = seen.setdefault(
                f"{hop.pipeline}:{hop.stage}", {n: set() for n in ("entered", "left", "ahead", "back", "lost")}
            )
            if came:
                cells["entered"].add(one.id)
            if not went or following is None:
                continue
            cells["left"].add(one.id)
            means = MEANS[kind, following.pipeline, following.stage]
            final = MEANS[kind, hop.pipeline, hop.stage] != P
            if means == "success":
                cells["ahead"].add(one.id)
            elif means == "failure":
                cells["lost"].add(one.id)
            elif not final and following.pipeline == hop.pipeline:
                on = line.index(following.stage) > line.index(hop.stage)
                cells["ahead" if on else "back"].add(one.id)
    return {
        key: {name: len(cards) for name, cards in cells.items()}
        | {"conversion": share(len(cells["ahead"]), len(cells["left"]))}
        for key, cells in seen.items()
    }


def month_start(day: date, months_back: int) -> date:
    first = day.replace(day=1)
    for _ in range(months_back):
        first = (first - timedelta(days=1)).replace(day=1)
    return first


def came_of(made: list[Card], since: date, until: date | None) -> dict[str, tuple[int, int]]:
    """By stage, won and closed deals of those that ever stood in it and closed from one day to before another."""
    counts: dict[str, list[bool]] = {}
    for one in there(made, 2):
        if one.closed_on is None or one.closed_on < since or (until is not None and one.closed_on >= until):
            continue
        stood = {hop.stage for hop, _ in one.stays if hop.pipeline == one.pipeline}
        for stage in stood:
            if MEANS[2, one.pipeline, stage] == P:
                counts.setdefault(f"{one.pipeline}:{stage}", []).append(one.ending == "won")
    return {key: (sum(ends), len(ends)) for key, ends in counts.items() if len(ends) >= 10}


def of_forecast(made: list[Card], narrowed: dict[str, Any]) -> dict[str, By]:
    today = (NOW + AHEAD).date()
    learned = came_of(made, month_start(today, 12), None)
    chances = {key: Decimal(hits) / of for key, (hits, of) in learned.items()}

    def place(one: Card) -> str:
        return f"{one.pipeline}:{one.last.stage}"

    def cells(cards: list[Card]) -> Cells:
        known = [one for one in cards if place(one) in chances]
        money = [one.of("amount") * chances[place(one)] for one in known if one.of("amount") is not None]
        return {
            "deals": len(cards),
            "money": total(one.of("amount") for one in cards),
            "expected": rounded(sum(chances[place(one)] for one in known)) if known else None,
            "money_expected": rounded(sum(money)) if money else None,
        }

    deals = there(made, 2, **narrowed)
    stages = grouped([one for one in deals if one.ending == "open"], place, cells)
    for key in stages.keys() - {"whole"}:
        stages[key]["chance"] = learned.get(key)
    months = [month_start(today, back) for back in range(1, 4)]
    then = {f"{month:%Y-%m}": forecast_then(made, deals, month) for month in months}
    return {"open": stages, "before": {key: told for key, told in then.items() if told["deals"]}}


def forecast_then(made: list[Card], deals: list[Card], month: date) -> Cells:
    """What the forecast of the month's first moment said of the deals then at work, and what came of them."""
    moment = datetime(month.year, month.month, 1, tzinfo=UTC) - AHEAD
    learned = came_of(made, month_start(month, 12), month)
    standing: list[tuple[Card, Decimal | None]] = []
    for one in deals:
        for hop, following in one.stays:
            if hop.at <= moment and (following is None or following.at > moment):
                counts = learned.get(f"{hop.pipeline}:{hop.stage}")
                if MEANS[2, hop.pipeline, hop.stage] == P:
                    standing.append((one, counts and Decimal(counts[0]) / counts[1]))
    ended = [(one, chance) for one, chance in standing if chance is not None and one.ending != "open"]
    errors = [(chance - (one.ending == "won")) ** 2 for one, chance in ended]
    return {
        "deals": len(standing),
        "ended": len(ended),
        "expected": rounded(sum(chance for _, chance in ended)) if ended else None,
        "won": sum(one.ending == "won" for one, _ in ended),
        "error": rounded(sum(errors) / len(errors), "0.0001") if ended else None,
    }


def rounded(value: Any, to: str = "0.01") -> Decimal:
    return Decimal(value).quantize(Decimal(to), "ROUND_HALF_UP")


def of_retention(made: list[Card], narrowed: dict[str, Any]) -> dict[str, By]:
    bought: dict[int, list[Card]] = {}
    for one in sorted(won(there(made, 2)), key=lambda one: (one.closed_on or date.max, one.id)):
        if one.company is not None:
            bought.setdefault(one.company, []).append(one)
    kinds: dict[int, str] = {}
    for purchases in bought.values():
        for before, one in pairwise([None, *purchases]):
            slept = before is not None and days(before, one) > SLEEPING_DAYS
            kinds[one.id] = "first" if before is None else "won_back" if slept else "repeat"

    def of_deals(cards: list[Card]) -> Cells:
        return {
            "deals": len(cards),
            "revenue": total(one.of("amount") for one in cards),
            "average": mean(one.of("amount") for one in cards),
            "profit": total(one.of("profit") for one in cards),
        }

    counted = won(there(made, 2, **narrowed))
    until = {
        company: [one for one in purchases if one in counted and one.closed_on and one.closed_on <= UNTIL]
        for company, purchases in bought.items()
    }
    clients = [purchases for purchases in until.values() if purchases]

    def state(purchases: list[Card]) -> str:
        last = purchases[-1].closed_on or date.min
        if (UNTIL - last).days <= SLEEPING_DAYS:
            return "active"
        return "fell_asleep" if (SINCE - last).days <= SLEEPING_DAYS else "asleep"

    def of_clients(some: list[list[Card]]) -> Cells:
        sums = [total(one.of("amount") for one in purchases) for purchases in some]
        profits = [total(one.of("profit") for one in purchases) for purchases in some]
        return {
            "clients": len(some),
            "purchases": mean(Decimal(len(purchases)) for purchases in some),
            "revenue": total(sums),
            "value": mean(sums),
            "profit": mean(profits),
        }

    def again(some: list[list[Card]]) -> Cells:
        twice = [purchases for purchases in some if len(purchases) > 1]
        soon = [purchases for purchases in twice if days(purchases[0], purchases[1]) <= SLEEPING_DAYS]
        return {
            "clients": len(some),
            "again": share(len(twice), len(some)),
            "soon": share(len(soon), len(some)),
        }

    new = [purchases for purchases in clients if (purchases[0].closed_on or date.min) >= SINCE]
    return {
        "purchases": grouped([one for one in counted if one.closed_in()], lambda one: kinds.get(one.id), of_deals),
        "clients": grouped_lists(clients, state, of_clients),
        "again": grouped_lists(new, lambda some: f"{some[0].closed_on:%Y-%m}", again),
    }


def days(before: Card, after: Card) -> int:
    assert before.closed_on is not None
    assert after.closed_on is not None
    return (after.closed_on - before.closed_on).days


def grouped_lists(items: list[list[Card]], key: Callable[[list[Card]], str], cells: Callable[..., Cells]) -> By:
    keys = {key(one) for one in items}
    return {name: cells([one for one in items if key(one) == name]) for name in keys} | {"whole": cells(items)}


CASES: list[tuple[Report, Callable[[list[Card], dict[str, Any]], dict[str, By]]]] = [
    (grades.REPORT, by_grade),
    (money.REPORT, of_money),
    (channels.REPORT, of_channels),
    (checklist.REPORT, of_checklist),
    (buying_centre.REPORT, of_buying_centre),
    (managers.REPORT, of_managers),
    (velocity.REPORT, of_velocity),
    (losses.REPORT, of_losses),
    (funnel.REPORT, of_funnel),
    (forecast.REPORT, of_forecast),
    (retention.REPORT, of_retention),
]


@pytest.mark.parametrize("seed", [1, 2])
async def test_figures_are_what_reckoning_by_hand_gives(database: Database, portal_id: int, seed: int) -> None:
    made = world(seed)
    async with database.writing() as session:
        await record(session, portal_id, made)
    for report, by_hand in CASES:
        for narrowed in NARROWED:
            if not set(narrowed) <= report.filters:
                continue
            scope = await asked(database, portal_id, **narrowed)
            async with database.reading() as session:
                told = await report.tell(session, scope)
            wanted = by_hand(made, narrowed)
            tables = {table.name: table for table in told.tables}
            assert set(wanted) <= set(tables)
            for name, by_key in wanted.items():
                rows = {row.key: {n: plain(v) for n, v in row.cells.items()} for row in tables[name].rows}
                whole = by_key.pop("whole", None)
                assert rows == by_key, (report.name, name, narrowed)
                if tables[name].totals is not None:
                    cells = {n: plain(v) for n, v in tables[name].totals.cells.items()}
                    assert cells == whole, (report.name, name, narrowed)


async def test_each_number_opens_to_as_many_cards_as_it_says(database: Database, portal_id: int) -> None:
    made = world(4)
    async with database.writing() as session:
        await record(session, portal_id, made)
    scope, opened = await asked(database, portal_id), 0
    for report, _ in CASES:
        async with database.reading() as session:
            for table in (await report.tell(session, scope)).tables:
                for column in table.columns:
                    for row in [*table.rows[:2], *([table.totals] if table.totals else [])]:
                        value = row.cells.get(column.name)
                        count = value.hits if isinstance(value, Share) else value
                        if not column.cards or not isinstance(count, int):
                            continue
                        number = Number(table.name, column.name, None if row is table.totals else row.key)
                        found = await report.open(session, scope, number, 1000, 0)
                        assert (found.total, len(found.cards)) == (count, count), (report.name, number)
                        titles = {(card.entity_type_id, card.title == f"Card {card.card_id}") for card in found.cards}
                        assert titles <= {(1, True), (2, True), (4, False)}
                        opened += 1
    assert opened > 100
