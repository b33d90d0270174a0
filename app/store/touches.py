"""Touches: what counts as activity, once for each client it belongs to, and added up by days.

Whatever changes what counts leaves a mark (triggers of migrations 0017 and 0021, in the transaction of the change).
`follow` takes marks in portions and counts the marked things anew: what they counted as before is taken off the sums,
what they count as now is added, so a portion costs what it holds, however much is kept. Called at the end of a sweep
and of a backfill's pages; one at a time for each portal.

What counts: a call by its statistics, once for each person who talked, or once for the last who was rung up; a call
without statistics, of which nobody can tell; a letter sent or received; a meeting held; a chat that a person answered;
a proposal, an invoice; an invoice paid; a deal won. A thing belongs to the companies it is bound to and to those of
the leads and deals it is bound to. Its person and moment are those of that time.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import text

from app.store import calendar
from app.store.database import ReadSession, WriteSession

REACHING: Final = ("call_out", "call_in", "letter_out", "meeting", "chat", "quote", "invoice")
"""Kinds in which a person of ours surely reached the client."""
_LOCK: Final = 395_283  # the first half of a two-part advisory lock; the second is the portal
_IN_TURN = text(f"SELECT pg_advisory_xact_lock({_LOCK}, :portal)")
_TAKE = text("""
    DELETE FROM activity_marks WHERE id IN (
        SELECT id FROM activity_marks WHERE portal_id = :portal ORDER BY id LIMIT :limit)
    RETURNING source, source_id
""")
# Whatever is bound to a lead or deal follows it to its company.
_FOLLOW_CARD = """
    INSERT INTO activity_marks (portal_id, source, source_id)
    SELECT :portal, 'activity', activity_id FROM activities
    WHERE portal_id = :portal AND owner_type_id = {type} AND owner_id = ANY(:ids)
      AND kind NOT IN ('todo', 'task', 'other')
    UNION SELECT :portal, 'activity', activity_id FROM activity_bindings
    WHERE portal_id = :portal AND entity_type_id = {type} AND card_id = ANY(:ids)
    UNION SELECT :portal, 'call', statistic_id FROM calls
    WHERE portal_id = :portal AND entity_type_id = {type} AND entity_id = ANY(:ids)
    UNION SELECT :portal, 'quote', quote_id FROM quotes WHERE portal_id = :portal AND {name}_id = ANY(:ids)
    UNION SELECT :portal, 'invoice', invoice_id FROM invoices WHERE portal_id = :portal AND {name}_id = ANY(:ids)
"""
_FOLLOW: Final = {
    "lead": text(_FOLLOW_CARD.format(type=1, name="lead")),
    "deal": text(_FOLLOW_CARD.format(type=2, name="deal")),
}
_ACTIVITIES_OF_CALLS = text("""
    SELECT DISTINCT activity_id FROM calls
    WHERE portal_id = :portal AND statistic_id = ANY(:calls) AND activity_id IS NOT NULL
""")
_CALLS_OF_ACTIVITIES = text(
    "SELECT statistic_id FROM calls WHERE portal_id = :portal AND activity_id = ANY(:activities)"
)
_SUMS: Final = "count(*), sum(talk_seconds), coalesce(sum(amount), 0), count(amount)"
_TAKE_OFF = text(f"""
    WITH gone AS (
        DELETE FROM touches WHERE portal_id = :portal AND (
            source = 'activity' AND source_id = ANY(:activities) OR source = 'call' AND source_id = ANY(:calls)
            OR source = 'quote' AND source_id = ANY(:quotes)
            OR source IN ('invoice', 'payment') AND source_id = ANY(:invoices)
            OR source = 'sale' AND source_id = ANY(:sales))
        RETURNING *
    ), people AS (
        UPDATE activity_days AS known SET count = known.count - less.count,
            talk_seconds = known.talk_seconds - less.talk_seconds, amount = known.amount - less.amount,
            amount_known = known.amount_known - less.amount_known
        FROM (SELECT day, user_id, kind, {_SUMS} FROM gone WHERE main GROUP BY day, user_id, kind)
            AS less (day, user_id, kind, count, talk_seconds, amount, amount_known)
        WHERE known.portal_id = :portal AND known.day = less.day AND known.user_id = less.user_id
          AND known.kind = less.kind
    ), clients AS (
        UPDATE company_days AS known SET count = known.count - less.count,
            talk_seconds = known.talk_seconds - less.talk_seconds, amount = known.amount - less.amount,
            amount_known = known.amount_known - less.amount_known
        FROM (SELECT company_id, day, user_id, kind, {_SUMS} FROM gone GROUP BY company_id, day, user_id, kind)
            AS less (company_id, day, user_id, kind, count, talk_seconds, amount, amount_known)
        WHERE known.portal_id = :portal AND known.company_id = less.company_id AND known.day = less.day
          AND known.user_id = less.user_id AND known.kind = less.kind
    )
    SELECT DISTINCT company_id, day FROM gone
""")  # noqa: S608 - constants
# One call may have several rows: who talked counts, each for himself; of a call that nobody took, the last rung up.
_CALL_ITEMS = """
    SELECT 'call' AS source, call.statistic_id AS source_id,
        CASE WHEN call.talk_seconds > 0 THEN CASE call.direction WHEN 'in' THEN 'call_in' ELSE 'call_out' END
             WHEN call.talk_seconds IS NULL THEN 'call_unknown'
             WHEN call.direction = 'in' THEN 'call_missed' ELSE 'call_unanswered' END AS kind,
        coalesce(call.started_at, activity.done_at, activity.start_at, activity.created_at) AS at, call.user_id,
        coalesce(call.talk_seconds, 0) AS talk_seconds, CAST(NULL AS numeric) AS amount, call.activity_id,
        call.entity_type_id, call.entity_id
    FROM (
        SELECT *, max(talk_seconds) OVER one AS most, max(statistic_id) OVER one AS last
        FROM calls WHERE portal_id = :portal AND statistic_id = ANY(:calls)
        WINDOW one AS (PARTITION BY coalesce(activity_id, -statistic_id))
    ) AS call
    LEFT JOIN activities AS activity ON activity.portal_id = :portal AND activity.activity_id = call.activity_id
    WHERE call.talk_seconds > 0 OR coalesce(call.most, 0) = 0 AND call.statistic_id = call.last
"""
_ACTIVITY_ITEMS = """
    SELECT 'activity', activity_id,
        CASE WHEN kind NOT IN ('call_out', 'call_in') THEN kind
             WHEN happened = 'no' THEN 'call_missed' ELSE 'call_unknown' END,
        done_at, done_by_id, 0, NULL, activity_id, NULL, NULL
    FROM activities AS activity
    WHERE portal_id = :portal AND activity_id = ANY(:activities)
      AND CASE WHEN kind IN ('letter_out', 'letter_in', 'meeting', 'chat') THEN happened = 'yes'
               WHEN kind IN ('call_out', 'call_in') THEN happened <> 'no' OR kind = 'call_in' END
      AND NOT EXISTS (SELECT FROM calls WHERE portal_id = :portal AND calls.activity_id = activity.activity_id)
"""
_OWN = "CASE WHEN company_id IS NOT NULL THEN 4 WHEN deal_id IS NOT NULL THEN 2 WHEN lead_id IS NOT NULL THEN 1 END"
_PAPER_ITEMS = f"""
    SELECT 'quote', quote_id, 'quote', created_at, made_by_id, 0, amount, NULL, {_OWN},
        coalesce(company_id, deal_id, lead_id)
    FROM quotes WHERE portal_id = :portal AND quote_id = ANY(:quotes)
    UNION ALL
    SELECT 'invoice', invoice_id, 'invoice', created_at, made_by_id, 0, amount, NULL, {_OWN},
        coalesce(company_id, deal_id, lead_id)
    FROM invoices WHERE portal_id = :portal AND invoice_id = ANY(:invoices)
    UNION ALL
    SELECT 'payment', invoice_id, 'payment', succeeded_at, made_by_id, 0, amount, NULL, {_OWN},
        coalesce(company_id, deal_id, lead_id)
    FROM invoices WHERE portal_id = :portal AND invoice_id = ANY(:invoices) AND succeeded_at IS NOT NULL
    UNION ALL
    SELECT 'sale', card_id, 'sale', (closed_on::timestamp - CAST(:ahead AS interval)) AT TIME ZONE 'UTC', responsible,
        0, amount, NULL, CASE WHEN company_id IS NOT NULL THEN 4 END, company_id
    FROM deal_figures
    WHERE portal_id = :portal AND card_id = ANY(:sales) AND ending = 'won' AND NOT deleted AND closed_on IS NOT NULL
"""  # noqa: S608 - constants
_ADD = text(f"""
    WITH item AS (
        {_CALL_ITEMS} UNION ALL {_ACTIVITY_ITEMS} UNION ALL {_PAPER_ITEMS}
    ), bound AS (
        SELECT item.source, item.source_id, binding.entity_type_id, binding.card_id FROM item
        JOIN activity_bindings AS binding ON binding.portal_id = :portal AND binding.activity_id = item.activity_id
        UNION
        SELECT item.source, item.source_id, activity.owner_type_id, activity.owner_id FROM item
        JOIN activities AS activity ON activity.portal_id = :portal AND activity.activity_id = item.activity_id
        UNION
        SELECT source, source_id, entity_type_id, entity_id FROM item WHERE entity_type_id IS NOT NULL
    ), client AS (
        SELECT DISTINCT bound.source, bound.source_id,
            CASE bound.entity_type_id WHEN 4 THEN bound.card_id WHEN 2 THEN deal.company_id ELSE lead.company_id END
            AS company_id
        FROM bound
        LEFT JOIN deal_figures AS deal
            ON deal.portal_id = :portal AND deal.card_id = bound.card_id AND bound.entity_type_id = 2
        LEFT JOIN lead_figures AS lead
            ON lead.portal_id = :portal AND lead.card_id = bound.card_id AND bound.entity_type_id = 1
    ), added AS (
        INSERT INTO touches
            (portal_id, source, source_id, company_id, main, kind, at, day, user_id, talk_seconds, amount)
        SELECT :portal, source, source_id, coalesce(client.company_id, 0),
            row_number() OVER (PARTITION BY source, source_id ORDER BY client.company_id) = 1,
            item.kind, item.at, ((item.at AT TIME ZONE 'UTC') + CAST(:ahead AS interval))::date,
            coalesce(item.user_id, 0), item.talk_seconds, item.amount
        FROM item LEFT JOIN (SELECT * FROM client WHERE company_id IS NOT NULL) AS client USING (source, source_id)
        WHERE item.at IS NOT NULL
        RETURNING *
    ), people AS (
        INSERT INTO activity_days AS known (portal_id, day, user_id, kind, count, talk_seconds, amount, amount_known)
        SELECT :portal, day, user_id, kind, {_SUMS} FROM added WHERE main GROUP BY day, user_id, kind
        ON CONFLICT (portal_id, day, user_id, kind) DO UPDATE SET
            count = known.count + excluded.count, talk_seconds = known.talk_seconds + excluded.talk_seconds,
            amount = known.amount + excluded.amount, amount_known = known.amount_known + excluded.amount_known
    ), clients AS (
        INSERT INTO company_days AS known
            (portal_id, company_id, day, user_id, kind, count, talk_seconds, amount, amount_known)
        SELECT :portal, company_id, day, user_id, kind, {_SUMS} FROM added WHERE company_id <> 0
        GROUP BY company_id, day, user_id, kind
        ON CONFLICT (portal_id, company_id, day, user_id, kind) DO UPDATE SET
            count = known.count + excluded.count, talk_seconds = known.talk_seconds + excluded.talk_seconds,
            amount = known.amount + excluded.amount, amount_known = known.amount_known + excluded.amount_known
    )
    SELECT DISTINCT company_id FROM added
""")  # noqa: S608 - constants
_DROP_EMPTY: Final = (
    text("DELETE FROM activity_days WHERE portal_id = :portal AND day = ANY(:days) AND count = 0"),
    text("""
        DELETE FROM company_days
        WHERE portal_id = :portal AND company_id = ANY(:companies) AND day = ANY(:days) AND count = 0
    """),
)
_LAST = text("""
    INSERT INTO company_touches (portal_id, company_id, last_at, last_by_id, last_kind, perhaps_at)
    SELECT :portal, company.id, last.at, last.user_id, last.kind, perhaps.at
    FROM unnest(CAST(:companies AS bigint[])) AS company (id)
    LEFT JOIN LATERAL (
        SELECT at, user_id, kind FROM touches
        WHERE portal_id = :portal AND company_id = company.id AND kind = ANY(:reaching)
        ORDER BY at DESC, source, source_id LIMIT 1
    ) AS last ON true
    LEFT JOIN LATERAL (
        SELECT max(at) AS at FROM touches
        WHERE portal_id = :portal AND company_id = company.id AND kind = 'call_unknown'
          AND at > coalesce(last.at, '-infinity')
    ) AS perhaps ON true
    ON CONFLICT (portal_id, company_id) DO UPDATE SET last_at = excluded.last_at, last_by_id = excluded.last_by_id,
        last_kind = excluded.last_kind, perhaps_at = excluded.perhaps_at
""")


@dataclass(slots=True)
class _Marked:
    """Ids of what is to be counted anew, by what they are ids of."""

    ids: dict[str, set[int]] = field(default_factory=dict[str, "set[int]"])

    def add(self, source: str, ids: Iterable[int]) -> None:
        self.ids.setdefault(source, set()).update(ids)

    def of(self, source: str) -> list[int]:
        return sorted(self.ids.get(source, ()))


async def follow(session: WriteSession, portal_id: int, *, limit: int = 5000) -> int:
    """Count anew what the next marks name; how many marks there were, 0 when all is counted."""
    await session.execute(_IN_TURN, {"portal": portal_id})
    marks = (await session.execute(_TAKE, {"portal": portal_id, "limit": limit})).all()
    marked = _Marked()
    for source, source_id in marks:
        marked.add(source, (source_id,))
    for name, statement in _FOLLOW.items():
        if ids := marked.of(name):
            await session.execute(statement, {"portal": portal_id, "ids": ids})
    marked.add("sale", marked.of("deal"))
    if marks:
        await _count_anew(session, portal_id, await _whole(session, portal_id, marked))
    return len(marks)


async def behind(session: ReadSession, portal_id: int) -> bool:
    """Whether something changed that is not counted yet."""
    query = text("SELECT EXISTS (SELECT FROM activity_marks WHERE portal_id = :portal)")
    return bool(await session.scalar(query, {"portal": portal_id}))


async def _whole(session: WriteSession, portal_id: int, marked: _Marked) -> Mapping[str, Any]:
    """A call's rows and its activity are counted together: which of them count is told by all of them."""
    values = {"portal": portal_id, "calls": marked.of("call")}
    marked.add("activity", (await session.scalars(_ACTIVITIES_OF_CALLS, values)).all())
    values = {"portal": portal_id, "activities": marked.of("activity")}
    marked.add("call", (await session.scalars(_CALLS_OF_ACTIVITIES, values)).all())
    return {
        "activities": marked.of("activity"),
        "calls": marked.of("call"),
        "quotes": marked.of("quote"),
        "invoices": marked.of("invoice"),
        "sales": marked.of("sale"),
    }


async def _count_anew(session: WriteSession, portal_id: int, ids: Mapping[str, Any]) -> None:
    values = {"portal": portal_id, "ahead": await calendar.offset(session, portal_id), **ids}
    gone = (await session.execute(_TAKE_OFF, values)).all()
    added = (await session.scalars(_ADD, values)).all()
    companies = sorted({row[0] for row in gone} | set(added))
    where = {"portal": portal_id, "companies": companies, "days": sorted({row[1] for row in gone})}
    if gone:
        for statement in _DROP_EMPTY:
            await session.execute(statement, where)
    clients = [company for company in companies if company]
    if clients:
        last = {"portal": portal_id, "companies": clients, "reaching": list(REACHING)}
        await session.execute(_LAST, last)
