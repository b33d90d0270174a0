"""A portal of a million leads for `benchmarks.reports`: three years of leads, deals and what people did with them.

Made up inside PostgreSQL, statement by statement over ranges of ids, the same at every run. What the portal and the
runs would have told (moves, runs, activities, calls, papers) is made up; what the service works out of it (stays,
touches, sums by days) is worked out by the service's own statements. `check` holds the rest against its sources
afterwards, so that no report is asked of rows that the service could not have written.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import psycopg
from rich.progress import Progress
from sqlalchemy import text

from app.store import stage_stays, touches
from app.store.database import Database

NOW: Final = datetime(2026, 11, 2, 12, tzinfo=UTC)
YEARS: Final = 3
PEOPLE: Final = range(11, 61)
LEAD_LINE: Final = ("NEW", "IN_PROCESS", "PROCESSED")
DEAL_LINE: Final = ("NEW", "PREPARATION", "PREPAYMENT_INVOICE", "EXECUTING", "FINAL_INVOICE")
SOURCES: Final = ("WEB", "CALL", "EMAIL", "FAIR", "PARTNER", "ADVERTISING", "RECOMMENDATION")
INDUSTRIES: Final = ("MANUFACTURING", "GOVERNMENT", "DELIVERY", "IT", "FOOD", "ENERGY")
STAGES: Final = [
    *([1, 0, code, code.title(), 10 * place, "process", False] for place, code in enumerate(LEAD_LINE, 1)),
    [1, 0, "CONVERTED", "Converted", 80, "success", False],
    [1, 0, "JUNK", "Junk", 90, "failure", False],
    *([2, 0, code, code.title(), 10 * place, "process", False] for place, code in enumerate(DEAL_LINE, 1)),
    [2, 0, "WON", "Won", 80, "success", False],
    [2, 0, "LOSE", "Lost", 90, "failure", False],
    [2, 0, "APOLOGY", "Too dear", 95, "failure", True],
]
_PORTION: Final = 100_000
_MARKS: Final = 250_000


@dataclass(frozen=True, slots=True)
class Spread:
    """How many rows there are of each: 0.3 deals, about 5 moves and exactly 5 activities for each lead."""

    leads: int

    @property
    def deals(self) -> int:
        return self.leads * 3 // 10

    @property
    def companies(self) -> int:
        return max(1, self.leads // 20)

    @property
    def activities(self) -> int:
        return self.leads * 5

    @property
    def bound(self) -> dict[str, Any]:
        """What the statements bind."""
        return {
            "now": NOW,
            "past": timedelta(days=365 * YEARS),
            "leads": self.leads,
            "deals": self.deals,
            "companies": self.companies,
            "activities": self.activities,
            "first_person": PEOPLE.start,
            "people": len(PEOPLE),
            "sources": list(SOURCES),
            "industries": list(INDUSTRIES),
        }


@dataclass(frozen=True, slots=True)
class _Step:
    """One statement, run for each range `first` to `last` of the numbers from 1 to `of`."""

    name: str
    of: int
    statement: str
    values: dict[str, Any]

    def portions(self) -> Iterator[tuple[int, int]]:
        for first in range(1, self.of + 1, _PORTION):
            yield first, min(first + _PORTION - 1, self.of)


# A number from 0 up to 1 that is always the same for the same two; and one of some things by it.
_DICE = """
    CREATE FUNCTION pg_temp.chance(number bigint, salt int) RETURNS float8 LANGUAGE sql IMMUTABLE AS
        'SELECT (hashint8extended($1, $2) & 4294967295) / 4294967296.0::float8';
    CREATE FUNCTION pg_temp.pick(number bigint, salt int, of anyarray) RETURNS anyelement LANGUAGE sql IMMUTABLE AS
        'SELECT $3[1 + floor(pg_temp.chance($1, $2) * cardinality($3))::int]';
    CREATE FUNCTION pg_temp.person(number bigint, salt int, first int, of int) RETURNS bigint LANGUAGE sql IMMUTABLE AS
        'SELECT ($3 + floor(pg_temp.chance($1, $2) * $4))::bigint';
    CREATE FUNCTION pg_temp.truth(number bigint, salt int) RETURNS text LANGUAGE sql IMMUTABLE AS
        $$SELECT pg_temp.pick($1, $2, ARRAY['yes', 'no', 'unknown'])$$;
    CREATE TEMP TABLE card (
        kind int, id bigint, created_at timestamptz, last_at timestamptz, stage_id text, semantics text, lead_id bigint,
        company_id bigint, owner bigint, source text, outcome text, grade text, run_id bigint, PRIMARY KEY (kind, id)
    );
    CREATE TEMP TABLE deal (
        id bigint PRIMARY KEY, amount numeric, profit numeric, below boolean, exempt boolean, declined boolean,
        checklist text
    );
"""
# Each card walks its line, one step in ten goes back, some cards come to no end and stand where they are for years.
_MOVES = """
    INSERT INTO stage_moves (portal_id, entity_type_id, history_id, card_id, type_id, stage_id, category_id, semantics,
        created_time)
    SELECT %(portal)s, %(kind)s, id * 8 + place, id,
        CASE WHEN place = 0 THEN 1 WHEN place > steps THEN 3 ELSE 2 END,
        CASE WHEN place <= steps THEN (CAST(%(line)s AS text[]))[1 + greatest(0, least(walked, %(longest)s - 1))]
             WHEN won THEN %(success)s ELSE pg_temp.pick(id, %(kind)s * 100 + 6, CAST(%(failures)s AS text[])) END,
        CASE WHEN %(kind)s = 2 THEN 0 END, CASE WHEN place <= steps THEN 'P' WHEN won THEN 'S' ELSE 'F' END, at
    FROM (
        SELECT id, place, steps, pg_temp.chance(id, %(kind)s * 100 + 5) < 0.3 AS won,
            %(now)s - %(past)s * (1 - (id - pg_temp.chance(id, %(kind)s * 100 + 1)) / %(of)s)
                + interval '1 minute' * sum(CASE WHEN place = 0 THEN 0 ELSE
                    -6000 * ln(1 - pg_temp.chance(id * 8 + place, %(kind)s * 100 + 3)) END) OVER turns AS at,
            CAST(sum(CASE WHEN place = 0 OR place > steps THEN 0 WHEN place = 1 THEN 1
                WHEN pg_temp.chance(id * 8 + place, %(kind)s * 100 + 4) < 0.1 THEN -1 ELSE 1 END) OVER turns AS int)
                AS walked
        FROM (
            SELECT id, CAST(%(least)s + floor(pg_temp.chance(id, %(kind)s * 100 + 2) * %(more)s) AS int) AS steps,
                CAST(pg_temp.chance(id, %(kind)s * 100 + 7) >= 0.04 AS int) AS ends
            FROM generate_series(CAST(%(first)s AS bigint), %(last)s) AS id
        ) AS one CROSS JOIN LATERAL generate_series(0, steps + ends) AS place
        WINDOW turns AS (PARTITION BY id ORDER BY place)
    ) AS hop WHERE at < %(now)s
"""
# A few companies are in many cards, most in few; of one card in ten it is not known.
_CARD = """
    INSERT INTO card
    SELECT kind, id, created_at, last_at, stage_id, semantics, lead_id,
        CASE WHEN pg_temp.chance(request, 11) >= 0.1
             THEN 1 + floor(%(companies)s * pg_temp.chance(request, 12) ^ 1.5)::bigint END,
        pg_temp.person(request, 13, %(first_person)s, %(people)s),
        CASE WHEN pg_temp.chance(request, 14) >= 0.1 THEN pg_temp.pick(request, 15, CAST(%(sources)s AS text[])) END,
        CASE WHEN kind = 1 THEN pg_temp.pick(id, 16, ARRAY['deal', 'company', 'junk', 'review', 'needs_data']) END,
        CASE WHEN kind = 2 THEN pg_temp.pick(id, 17, ARRAY['AAA', 'BBB', 'CCC', 'none']) END
    FROM (
        SELECT %(kind)s AS kind, card_id AS id, min(created_time) AS created_at, max(created_time) AS last_at,
            (array_agg(stage_id ORDER BY history_id DESC))[1] AS stage_id,
            (array_agg(semantics ORDER BY history_id DESC))[1] AS semantics, lead_id,
            coalesce(lead_id, -card_id) AS request
        FROM stage_moves CROSS JOIN LATERAL (
            SELECT CASE WHEN %(kind)s = 2 AND pg_temp.chance(card_id, 10) < 0.8
                THEN greatest(1, card_id * %(leads)s / %(deals)s) END AS lead_id
        ) AS came
        WHERE portal_id = %(portal)s AND entity_type_id = %(kind)s AND card_id BETWEEN %(first)s AND %(last)s
        GROUP BY card_id, lead_id
    ) AS one
"""
# Runs are written in the order of time, leads and deals among each other.
_NUMBERED = """
    UPDATE card SET run_id = numbered.run_id
    FROM (SELECT kind, id, row_number() OVER (ORDER BY last_at, kind, id) AS run_id FROM card) AS numbered
    WHERE card.kind = numbered.kind AND card.id = numbered.id
"""
_DEAL = """
    INSERT INTO deal
    SELECT id, CASE WHEN pg_temp.chance(id, 20) < 0.9 THEN 10000 + floor(pg_temp.chance(id, 21) * 5000000)::numeric END,
        CASE WHEN pg_temp.chance(id, 22) < 0.6 THEN floor(pg_temp.chance(id, 23) * 100000)::numeric - 1000 END,
        below, below AND pg_temp.chance(id, 25) < 0.3, below AND pg_temp.chance(id, 25) >= 0.6,
        (SELECT string_agg(pg_temp.pick(id * 8 + item, 26, ARRAY['y', 'n', 'u']), '' ORDER BY item)
         FROM generate_series(1, 7) AS item)
    FROM generate_series(CAST(%(first)s AS bigint), %(last)s) AS id
    CROSS JOIN LATERAL (SELECT pg_temp.chance(id, 24) < 0.05 AS below) AS judged
"""
_CARDS = """
    INSERT INTO cards (portal_id, entity_type_id, card_id, title, stage_id, assigned_by_id, company_id, outcome, grade,
        why, created_time, updated_time, moved_time, first_seen_at, judged_at, state, parked_reason, last_run_id)
    SELECT %(portal)s, kind, id, 'Boiler house ' || id, stage_id, owner, company_id, outcome, grade,
        jsonb_build_object('template', 'The client uses {steam} t/h.', 'values', jsonb_build_object('steam', '4.5')),
        created_at, last_at, last_at, created_at, last_at, state,
        CASE WHEN state = 'parked' THEN 'A field is gone.' END,
        run_id
    FROM card CROSS JOIN LATERAL (SELECT CASE WHEN semantics <> 'P' THEN 'final'
        WHEN pg_temp.chance(id, 30) < 0.002 THEN 'parked' ELSE 'open' END AS state) AS stands
    WHERE run_id BETWEEN %(first)s AND %(last)s ORDER BY run_id
"""
_RUNS = """
    INSERT INTO runs (id, portal_id, entity_type_id, card_id, ruleset_version, mode, opened_at, closed_at, status, seen,
        facts, facts_digest, verdict, plan)
    OVERRIDING SYSTEM VALUE
    SELECT run_id, %(portal)s, kind, card.id, 1, 'live', last_at, last_at, 'done',
        jsonb_build_object('stage', stage_id, 'semantics', means, 'responsible', owner, 'source', source, 'updated_by',
            owner, 'close_date', CASE WHEN semantics <> 'P' THEN (last_at + interval '3 hours')::date END),
        jsonb_build_object(
            'margin', jsonb_build_object('kind', 'number', 'value', profit::text, 'source', 'deal.UF_CRM_MARGIN'),
            'amount', jsonb_build_object('kind', 'number', 'value', amount::text, 'source', 'deal.opportunity'),
            'turnover', jsonb_build_object('kind', 'number', 'source', 'company.revenue', 'value',
                CASE WHEN pg_temp.chance(company_id, 32) < 0.7
                     THEN (floor(pg_temp.chance(company_id, 33) * 12000) * 1000000)::text END),
            'steam_tph', jsonb_build_object('kind', 'number', 'source', 'company.UF_CRM_STEAM', 'value',
                CASE WHEN pg_temp.chance(company_id, 34) < 0.6
                     THEN floor(pg_temp.chance(company_id, 35) * 60)::text END),
            'industry', jsonb_build_object('kind', 'code', 'source', 'company.industry', 'value',
                CASE WHEN pg_temp.chance(company_id, 36) < 0.8
                     THEN pg_temp.pick(company_id, 37, CAST(%(industries)s AS text[])) END),
            'phone', jsonb_build_object('kind', 'flag', 'source', 'lead.phone', 'value', true),
            'trial', jsonb_build_object('kind', 'flag', 'source', 'deal.UF_CRM_TRIAL', 'value', false),
            'prospects', jsonb_build_object('kind', 'text', 'source', 'deal.UF_CRM_PROSPECTS', 'value', NULL)),
        md5(run_id::text), CASE kind
            WHEN 1 THEN jsonb_build_object('outcome', outcome, 'client', pg_temp.truth(card.id, 40), 'request',
                pg_temp.truth(card.id, 41))
            ELSE jsonb_build_object('grade', grade, 'client', pg_temp.truth(card.id, 40), 'declined', declined,
                'above_minimum', CASE WHEN below THEN 'no' ELSE 'yes' END,
                'exemption', CASE WHEN exempt THEN 'regular' END) END
            || '{"why": {"template": "The client uses {steam} t/h.", "values": {"steam": "4.5"}}}',
        '{"actions": [], "held": []}'
    FROM card LEFT JOIN deal ON kind = 2 AND deal.id = card.id
    CROSS JOIN LATERAL (SELECT CASE semantics WHEN 'S' THEN 'success' WHEN 'F' THEN 'failure' ELSE 'process' END
        AS means) AS stands
    WHERE run_id BETWEEN %(first)s AND %(last)s ORDER BY run_id
"""
_STANDING = """
    %(portal)s, card.id, created_at, last_at, last_at,
    CASE WHEN semantics <> 'P' THEN (last_at + interval '3 hours')::date END,
    CASE semantics WHEN 'S' THEN 'won' WHEN 'F' THEN 'lost' ELSE 'open' END, stage_id, source, owner, company_id,
    pg_temp.pick(card.id, 42, ARRAY['hot', 'warm', 'other']), pg_temp.truth(card.id, 40)
"""
_FIGURES = """portal_id, card_id, created_at, updated_at, judged_at, closed_on, ending, stage_id, source, responsible,
    company_id, heat, client"""
_LEAD_FIGURES = f"""
    INSERT INTO lead_figures ({_FIGURES}, outcome, request, solvent, failed)
    SELECT {_STANDING}, outcome, pg_temp.truth(id, 41), pg_temp.truth(id, 43),
        array_remove(ARRAY[CASE WHEN pg_temp.chance(id, 44) < 0.3 THEN 'steam_tph' END,
            CASE WHEN pg_temp.chance(id, 45) < 0.3 THEN 'turnover' END,
            CASE WHEN pg_temp.chance(id, 46) < 0.3 THEN 'industry' END], NULL)
    FROM card WHERE kind = 1 AND id BETWEEN %(first)s AND %(last)s ORDER BY id
"""
_DEAL_FIGURES = f"""
    INSERT INTO deal_figures ({_FIGURES}, lead_id, pipeline, grade, amount, profit, declined, exemption, checklist,
        industry, turnover, steam_tph, roles)
    SELECT {_STANDING}, lead_id, 0, grade, amount, profit, declined, CASE WHEN exempt THEN 'regular' END, checklist,
        run.facts->'industry'->>'value', (run.facts->'turnover'->>'value')::numeric,
        (run.facts->'steam_tph'->>'value')::numeric,
        CASE WHEN pg_temp.chance(card.id, 50) < 0.6 THEN array_remove(ARRAY[
            CASE WHEN pg_temp.chance(card.id, 51) < 0.6 THEN 'economic' END,
            CASE WHEN pg_temp.chance(card.id, 52) < 0.4 THEN 'technical' END,
            CASE WHEN pg_temp.chance(card.id, 53) < 0.4 THEN 'user' END], NULL) END
    FROM card JOIN deal ON deal.id = card.id JOIN runs AS run ON run.id = card.run_id
    WHERE kind = 2 AND card.id BETWEEN %(first)s AND %(last)s ORDER BY card.id
"""
_ORIGINS = """
    INSERT INTO card_origins (portal_id, entity_type_id, card_id, created_at, lead_id)
    SELECT %(portal)s, kind, id, created_at, lead_id FROM card WHERE run_id BETWEEN %(first)s AND %(last)s
"""
# A round for each card, answered within minutes or days or never; of a lead that became a deal the deal's counts.
_REACTIONS = """
    INSERT INTO reactions (portal_id, entity_type_id, card_id, arrived_at, deal_id, assigned_at, responded_at,
        responded_by, kind, source_id, closed_at, running, holder, holder_since, holder_due_at, target, minutes, due_at,
        system_seconds, person_seconds, working_seconds, state, met, computed_at)
    SELECT %(portal)s, kind, id, arrived_at, deal_id, assigned_at, responded_at, CASE WHEN answered THEN owner END,
        CASE WHEN answered THEN pg_temp.pick(id, 65, ARRAY['call_out', 'call_in', 'letter', 'meeting', 'chat']) END,
        CASE WHEN answered THEN 'activity-' || id END,
        CASE WHEN NOT answered AND semantics <> 'P' THEN last_at END, running, owner, assigned_at,
        assigned_at + minutes * interval '1 minute', target, minutes, due_at,
        CASE WHEN NOT running THEN extract(epoch FROM assigned_at - arrived_at)::bigint END,
        CASE WHEN NOT running THEN extract(epoch FROM ended - assigned_at)::bigint END,
        CASE WHEN NOT running THEN extract(epoch FROM ended - arrived_at)::bigint END,
        CASE WHEN running AND due_at > %(now)s THEN 'waiting' WHEN running THEN 'missed'
             WHEN answered AND ended > due_at THEN 'missed' WHEN answered THEN 'met'
             WHEN ended <= due_at THEN 'closed' ELSE 'missed' END,
        CASE WHEN running AND due_at > %(now)s THEN 'unknown' WHEN ended > due_at THEN 'no' ELSE 'yes' END, %(now)s
    FROM (
        SELECT *, responded_at IS NOT NULL AS answered, responded_at IS NULL AND semantics = 'P' AS running,
            coalesce(responded_at, CASE WHEN semantics <> 'P' THEN greatest(last_at, assigned_at) END, %(now)s)
                AS ended,
            arrived_at + minutes * interval '1 minute' AS due_at
        FROM (
            SELECT *, CASE WHEN pg_temp.chance(request, 64) < 0.9 AND answer < %(now)s AND (
                semantics = 'P' OR answer < last_at) THEN answer END AS responded_at
            FROM (
                SELECT card.*, coalesce(lead_id, id * 10000000) AS request, assigned_at - given AS arrived_at,
                    assigned_at, target, deal_id,
                    CASE target WHEN 'hot' THEN 60 WHEN 'warm' THEN 240 ELSE 480 END AS minutes,
                    assigned_at - interval '1 minute' * 200 * ln(1 - pg_temp.chance(id, 63)) AS answer
                FROM card
                CROSS JOIN LATERAL (SELECT pg_temp.chance(id, 61) * interval '10 minutes' AS given,
                    pg_temp.pick(id, 42, ARRAY['hot', 'warm', 'other']) AS target) AS drawn
                CROSS JOIN LATERAL (SELECT created_at + given AS assigned_at) AS had
                LEFT JOIN LATERAL (SELECT min(made.card_id) AS deal_id FROM deal_figures AS made
                    WHERE made.portal_id = %(portal)s AND made.lead_id = card.id AND card.kind = 1) AS goes_on ON true
                WHERE run_id BETWEEN %(first)s AND %(last)s
            ) AS card
        ) AS round
    ) AS one
"""
# One card in ten was somebody else's first.
_HOLDERS = """
    INSERT INTO reaction_holders (portal_id, entity_type_id, card_id, arrived_at, since, user_id, until, due_at,
        working_seconds)
    SELECT %(portal)s, entity_type_id, card_id, arrived_at, since, user_id, until,
        since + minutes * interval '1 minute', extract(epoch FROM until - since)::bigint
    FROM reactions JOIN card ON card.kind = entity_type_id AND card.id = card_id
    CROSS JOIN LATERAL (
        SELECT holder AS user_id,
            CASE WHEN passed THEN assigned_at + interval '30 minutes' ELSE assigned_at END AS since,
            CASE WHEN passed THEN greatest(coalesce(responded_at, closed_at), assigned_at + interval '30 minutes')
                 ELSE coalesce(responded_at, closed_at) END AS until
        FROM (SELECT pg_temp.chance(card_id, 66) < 0.1 AS passed) AS drawn
        UNION ALL
        SELECT pg_temp.person(card_id, 67, %(first_person)s, %(people)s), assigned_at,
            assigned_at + interval '30 minutes'
        WHERE pg_temp.chance(card_id, 66) < 0.1
        UNION ALL SELECT NULL, arrived_at, assigned_at WHERE assigned_at > arrived_at
    ) AS held
    WHERE reactions.portal_id = %(portal)s AND run_id BETWEEN %(first)s AND %(last)s
    ON CONFLICT DO NOTHING
"""
_ASSIGNMENTS = """
    INSERT INTO assignments (portal_id, entity_type_id, card_id, pool_id, user_id, from_user, reason, occasion, why,
        barred, shares, cost_turn, chosen_at, given_back_at, given_back_why)
    SELECT %(portal)s, 1, id,
        (SELECT min(pools.id) FROM pools) + CASE WHEN pg_temp.chance(id, 70) < 0.5 THEN 1 ELSE 0 END,
        user_id, NULL, reason, reason, why, '{}', '{}', why <> 'knows_client', created_at + after,
        CASE WHEN why <> 'knows_client' AND outcome = 'junk' THEN last_at END,
        CASE WHEN why <> 'knows_client' AND outcome = 'junk' THEN 'junk' END
    FROM card CROSS JOIN LATERAL (
        SELECT 'arrival' AS reason, pg_temp.person(id, 67, %(first_person)s, %(people)s) AS user_id,
            interval '1 minute' AS after
        UNION ALL SELECT 'breach', owner, interval '30 minutes' WHERE pg_temp.chance(id, 66) < 0.1
    ) AS given
    CROSS JOIN LATERAL (SELECT pg_temp.pick(id, 71, ARRAY['turn', 'turn', 'turn', 'knows_client', 'free_turn']) AS why)
        AS drawn
    WHERE kind = 1 AND id BETWEEN %(first)s AND %(last)s
"""
# Of the cards that were new about then; a to-do reached nobody, of one call in ten the portal keeps no statistics.
_ACTIVITIES = """
    INSERT INTO activities (portal_id, activity_id, kind, provider, direction, completed, owner_type_id, owner_id,
        responsible_id, author_id, created_at, start_at, end_at, updated_at, talk_seconds, happened, why_unknown,
        bindings_known, done_at, done_by_id)
    SELECT %(portal)s, id, kind, 'CRM', CASE WHEN kind LIKE '%%_in' THEN 'in' WHEN kind LIKE '%%_out' THEN 'out' END,
        kind <> 'todo', owner_kind, greatest(1, newest - floor(pg_temp.chance(id, 84) * 200)::bigint), person, person,
        at, at, at, at, talked, happened, CASE WHEN happened = 'unknown' THEN 'no_call_statistics' END, true,
        CASE WHEN happened <> 'no' OR kind = 'call_in' THEN at END,
        CASE WHEN happened <> 'no' OR kind = 'call_in' THEN person END
    FROM (
        SELECT *, CASE WHEN kind = 'todo' OR talked = 0 THEN 'no' WHEN kind LIKE 'call%%' AND talked IS NULL
                THEN 'unknown' ELSE 'yes' END AS happened,
            CASE owner_kind WHEN 1 THEN %(leads)s ELSE %(deals)s END * id / %(activities)s AS newest
        FROM (
            SELECT id, %(now)s - %(past)s * (1 - id::float8 / %(activities)s) AS at, kind,
                1 + (pg_temp.chance(id, 81) < 0.4)::int AS owner_kind,
                pg_temp.person(id, 82, %(first_person)s, %(people)s) AS person,
                CASE WHEN kind LIKE 'call%%' AND pg_temp.chance(id, 83) >= 0.1
                     THEN greatest(0, floor(pg_temp.chance(id, 85) * 800) - 200)::int END AS talked
            FROM generate_series(CAST(%(first)s AS bigint), %(last)s) AS id
            CROSS JOIN LATERAL (SELECT pg_temp.pick(id, 80, ARRAY['call_out', 'call_out', 'call_in', 'letter_out',
                'letter_in', 'meeting', 'chat', 'todo']) AS kind) AS drawn
        ) AS drawn
    ) AS one
"""
_BINDINGS = """
    INSERT INTO activity_bindings (portal_id, entity_type_id, card_id, activity_id)
    SELECT portal_id, owner_type_id, owner_id, activity_id FROM activities
    WHERE portal_id = %(portal)s AND activity_id BETWEEN %(first)s AND %(last)s AND kind <> 'todo'
    UNION ALL
    SELECT portal_id, 4, company_id, activity_id FROM activities
    JOIN card ON card.kind = owner_type_id AND card.id = owner_id AND company_id IS NOT NULL
    WHERE portal_id = %(portal)s AND activity_id BETWEEN %(first)s AND %(last)s AND activities.kind <> 'todo'
      AND pg_temp.chance(activity_id, 86) < 0.3
"""
_CALLS = """
    INSERT INTO calls (portal_id, statistic_id, call_id, direction, user_id, started_at, duration_seconds, talk_seconds,
        failed_code, entity_type_id, entity_id, activity_id)
    SELECT portal_id, activity_id, 'call.' || activity_id, direction, responsible_id, start_at, talk_seconds + 12,
        talk_seconds, CASE WHEN talk_seconds > 0 THEN '200' ELSE '304' END,
        CASE WHEN owner_type_id = 1 THEN 1 END, CASE WHEN owner_type_id = 1 THEN owner_id END, activity_id
    FROM activities WHERE portal_id = %(portal)s AND activity_id BETWEEN %(first)s AND %(last)s
      AND kind IN ('call_out', 'call_in') AND talk_seconds IS NOT NULL
"""
_PAPERS = """
    INSERT INTO {table}s (portal_id, {table}_id, number, deal_id, company_id, responsible_id, made_by_id, semantics,
        succeeded_at, amount, currency, amount_in_currency, created_at, updated_at)
    SELECT portal_id, card_id, card_id::text, card_id, company_id, responsible, responsible,
        CASE ending WHEN 'won' THEN 'success' WHEN 'lost' THEN 'failure' ELSE 'process' END,
        CASE WHEN ending = 'won' THEN updated_at END, amount, 'RUB', amount, created_at + interval '1 hour', updated_at
    FROM deal_figures WHERE portal_id = %(portal)s AND card_id BETWEEN %(first)s AND %(last)s
      AND pg_temp.chance(card_id, {salt}) < {share} AND created_at + interval '1 hour' < %(now)s
"""
# What a delivery and a sweep leave of each change; older days are pruned by the service.
_JOURNAL = """
    INSERT INTO journal (portal_id, received_at, source, event, entity_type_id, card_id, change, lane, dispatched_at)
    SELECT portal_id, created_time, CASE WHEN pg_temp.chance(history_id, 90) < 0.97 THEN 'webhook' ELSE 'sweep' END,
        'ONCRMUPDATE', entity_type_id, card_id, 'update', 1, created_time
    FROM stage_moves WHERE portal_id = %(portal)s AND created_time >= %(now)s - interval '90 days'
    ORDER BY created_time
"""
_CHANGED = """
    INSERT INTO changed_cards (portal_id, day, entity_type_id, card_id, changed_at)
    SELECT portal_id, (created_time + interval '3 hours')::date, entity_type_id, card_id, max(created_time)
    FROM stage_moves WHERE portal_id = %(portal)s AND created_time >= %(now)s - interval '90 days'
    GROUP BY 1, 2, 3, 4
"""
_PLACES = """
    INSERT INTO people (portal_id, user_id, name, active, department_ids, read_at)
    SELECT %(portal)s, id, 'Person ' || id, true, ARRAY[id %% 5 + 1], %(now)s
    FROM generate_series(%(first_person)s, %(first_person)s + %(people)s - 1) AS id;
    INSERT INTO companies (portal_id, company_id, title, assigned_by_id, created_at, updated_at)
    SELECT %(portal)s, id, 'Plant ' || id, pg_temp.person(id, 91, %(first_person)s, %(people)s), %(now)s - %(past)s,
        %(now)s
    FROM generate_series(1, %(companies)s) AS id;
    INSERT INTO pools (portal_id, entity_type_id, name, position, document, since, set_by, set_at)
    SELECT %(portal)s, 1, 'Pool ' || id, id, '{"members": []}', %(now)s - %(past)s, 'benchmark', %(now)s
    FROM generate_series(1, 2) AS id;
    INSERT INTO histories (portal_id, source, whole_since, read_at)
    SELECT %(portal)s, source, %(now)s - %(past)s - interval '1 day', %(now)s FROM unnest(ARRAY['activities', 'calls',
        'chats', 'quotes', 'invoices', 'lead_moves', 'deal_moves', 'lead_owners', 'deal_owners']) AS source;
    INSERT INTO past_readings (portal_id, mapping, names, began_at, closed_from, finished_at, whole_from)
    SELECT %(portal)s, 'benchmark', '{}', %(now)s, (%(now)s - %(past)s)::date, %(now)s, (%(now)s - %(past)s)::date;
    INSERT INTO sweeps (portal_id, started_at, finished_at, complete_at, utc_offset)
    SELECT %(portal)s, %(now)s - interval '1 minute', %(now)s, %(now)s - interval '1 minute', 10800
"""
_SEGMENTS = """
    INSERT INTO company_segments (portal_id, company_id, segment, decided, by_person, why, won_deals, last_purchase_on,
        since, bounds, looked_on)
    SELECT portal_id, company_id, segment, segment, false, '{}', won, last_on, last_on, '', CAST(%(now)s AS date)
    FROM (
        SELECT portal_id, company_id, count(*) AS won, max(closed_on) AS last_on,
            CASE WHEN max(closed_on) < CAST(%(now)s AS date) - 180 THEN 'sleeping' WHEN count(*) >= 2 THEN 'regular'
                 ELSE 'new' END AS segment
        FROM deal_figures WHERE portal_id = %(portal)s AND ending = 'won' AND company_id IS NOT NULL
        GROUP BY portal_id, company_id
    ) AS bought
"""
# As the migration that began to count left its marks: each thing once, whatever it hangs on.
_MARK = """
    INSERT INTO activity_marks (portal_id, source, source_id)
    SELECT portal_id, 'activity', activity_id FROM activities WHERE kind NOT IN ('todo', 'task', 'other')
    UNION ALL SELECT portal_id, 'sale', card_id FROM deal_figures WHERE ending = 'won'
    UNION ALL SELECT portal_id, 'quote', quote_id FROM quotes
    UNION ALL SELECT portal_id, 'invoice', invoice_id FROM invoices
"""


def load(conninfo: str, portal_id: int, spread: Spread, watch: Progress) -> None:
    """Make up what the portal and the runs would have told, and ANALYZE it."""
    bound = spread.bound | {"portal": portal_id}
    _tidying(conninfo, "off")
    with psycopg.connect(conninfo) as connection:
        # Marks are left once at the end, instead of by a trigger for each row; all else holds as ever.
        connection.execute(
            "SET synchronous_commit = off; SET session_replication_role = replica; SET work_mem = '256MB'"
        )
        connection.execute(_DICE)
        _run(connection, _PLACES, bound)
        for step in _first_steps(spread):
            _walk(connection, step, bound, watch)
        connection.execute(_NUMBERED)
        connection.execute("CREATE UNIQUE INDEX ON card (run_id)")
        connection.execute("ANALYZE card; ANALYZE deal; ANALYZE stage_moves")
        count = connection.execute("SELECT count(*) FROM card").fetchone()
        for step in _steps(spread, cards=count[0] if count else 0):
            _walk(connection, step, bound, watch)
        connection.execute("SELECT setval(pg_get_serial_sequence('runs', 'id'), max(id)) FROM runs")
        connection.commit()
        connection.execute("ANALYZE")


def _first_steps(spread: Spread) -> Iterator[_Step]:
    lead = {"kind": 1, "of": spread.leads, "line": list(LEAD_LINE), "longest": len(LEAD_LINE), "least": 1, "more": 2}
    deal = {"kind": 2, "of": spread.deals, "line": list(DEAL_LINE), "longest": len(DEAL_LINE), "least": 2, "more": 3}
    ends = ({"success": "CONVERTED", "failures": ["JUNK"]}, {"success": "WON", "failures": ["LOSE", "APOLOGY"]})
    for kind, end, name in zip((lead, deal), ends, ("leads", "deals"), strict=True):
        yield _Step(f"stage_moves of {name}", kind["of"], _MOVES, kind | end)
        yield _Step(f"{name} as they stand", kind["of"], _CARD, kind)
    yield _Step("what deals are worth", spread.deals, _DEAL, {})


def _steps(spread: Spread, *, cards: int) -> list[_Step]:
    papers = [
        _Step(f"{table}s", spread.deals, _PAPERS.format(table=table, salt=salt, share=share), {})
        for table, salt, share in (("quote", 92, 0.5), ("invoice", 93, 0.3))
    ]
    return [
        _Step("cards", cards, _CARDS, {}),
        _Step("runs", cards, _RUNS, {}),
        _Step("lead_figures", spread.leads, _LEAD_FIGURES, {}),
        _Step("deal_figures", spread.deals, _DEAL_FIGURES, {}),
        _Step("card_origins", cards, _ORIGINS, {}),
        _Step("reactions", cards, _REACTIONS, {}),
        _Step("reaction_holders", cards, _HOLDERS, {}),
        _Step("assignments", spread.leads, _ASSIGNMENTS, {}),
        _Step("activities", spread.activities, _ACTIVITIES, {}),
        _Step("activity_bindings", spread.activities, _BINDINGS, {}),
        _Step("calls", spread.activities, _CALLS, {}),
        *papers,
        _Step("journal", 1, _JOURNAL, {}),
        _Step("changed_cards", 1, _CHANGED, {}),
        _Step("company_segments", 1, _SEGMENTS, {}),
        _Step("activity_marks", 1, _MARK, {}),
    ]


def _walk(connection: psycopg.Connection[Any], step: _Step, bound: dict[str, Any], watch: Progress) -> None:
    bar = watch.add_task(step.name, total=step.of)
    for first, last in step.portions():
        _run(connection, step.statement, bound | step.values | {"first": first, "last": last})
        watch.advance(bar, last - first + 1)
        connection.commit()


def _run(connection: psycopg.Connection[Any], statement: str, bound: dict[str, Any]) -> None:
    # Values are put in by the client: several statements at once take none, and each is planned for its own range.
    with psycopg.ClientCursor(connection) as cursor:
        cursor.execute(statement.encode(), bound)


# Portions fifty times those of a sweep want more room to sort in, and lose nothing by a crash.
_ROOM: Final = text("SELECT set_config('work_mem', '256MB', true), set_config('synchronous_commit', 'off', true)")


async def follow(database: Database, portal_id: int, spread: Spread, watch: Progress) -> None:
    """Work out of it what the service works out: stays of the moves, and the sums of activity of what was marked."""
    bar = watch.add_task("stage_stays", total=spread.leads + spread.deals)
    for kind, count in ((1, spread.leads), (2, spread.deals)):
        for first in range(1, count + 1, _PORTION):
            cards = range(first, min(first + _PORTION, count + 1))
            async with database.writing() as session:
                await session.execute(_ROOM)
                await stage_stays.alone(session, portal_id, kind)
                await stage_stays.follow(session, portal_id, kind, cards)
            watch.advance(bar, len(cards))
    bar = watch.add_task("touches and their sums", total=None)
    done = counted = 0
    while True:
        async with database.writing() as session:
            await session.execute(_ROOM)
            counted = await touches.follow(session, portal_id, limit=_MARKS)
        if not counted:
            break
        done += counted
        watch.update(bar, completed=done)
    watch.update(bar, total=done)


# What must hold of the rows, whoever wrote them; each counts what does not.
_CHECKS: Final = {
    "moves without their stay": """
        SELECT count(*) FROM stage_moves FULL JOIN stage_stays USING (portal_id, entity_type_id, card_id, history_id)
        WHERE stage_moves.stage_id IS DISTINCT FROM stage_stays.stage_id""",
    "cards that stand elsewhere than their last stay": """
        SELECT count(*) FROM cards LEFT JOIN stage_stays AS stay USING (portal_id, entity_type_id, card_id)
        WHERE stay.left_at IS NULL AND stay.stage_id IS DISTINCT FROM cards.stage_id""",
    "leads with other figures than their last run": """
        SELECT count(*) FROM cards JOIN runs ON runs.id = cards.last_run_id
        FULL JOIN lead_figures AS lead ON lead.portal_id = cards.portal_id AND lead.card_id = cards.card_id
        WHERE coalesce(cards.entity_type_id, 1) = 1 AND (lead.outcome, lead.client, lead.request, lead.source,
            lead.responsible, lead.stage_id) IS DISTINCT FROM (runs.verdict->>'outcome', runs.verdict->>'client',
            runs.verdict->>'request', runs.seen->>'source', cards.assigned_by_id, cards.stage_id)""",
    "deals with other figures than their last run": """
        SELECT count(*) FROM cards JOIN runs ON runs.id = cards.last_run_id
        JOIN deal_figures AS deal ON deal.portal_id = cards.portal_id AND deal.card_id = cards.card_id
        WHERE cards.entity_type_id = 2 AND (deal.amount, deal.profit, deal.grade, deal.declined, deal.exemption,
            deal.industry, deal.turnover, deal.source, deal.closed_on, deal.ending) IS DISTINCT FROM (
            (runs.facts->'amount'->>'value')::numeric,
            (runs.facts->'margin'->>'value')::numeric, runs.verdict->>'grade', (runs.verdict->>'declined')::boolean,
            runs.verdict->>'exemption', runs.facts->'industry'->>'value',
            (runs.facts->'turnover'->>'value')::numeric, runs.seen->>'source', (runs.seen->>'close_date')::date,
            CASE runs.seen->>'semantics' WHEN 'success' THEN 'won' WHEN 'failure' THEN 'lost' ELSE 'open' END)""",
    "days with other sums than their touches": """
        SELECT count(*) FROM activity_days FULL JOIN (
            SELECT portal_id, day, user_id, kind, count(*) AS things, sum(talk_seconds) AS talked FROM touches
            WHERE main GROUP BY 1, 2, 3, 4) AS one USING (portal_id, day, user_id, kind)
        WHERE (count, talk_seconds) IS DISTINCT FROM (things, talked)""",
    "days of clients with other sums than their touches": """
        SELECT count(*) FROM company_days FULL JOIN (
            SELECT portal_id, company_id, day, user_id, kind, count(*) AS things FROM touches WHERE company_id <> 0
            GROUP BY 1, 2, 3, 4, 5) AS one USING (portal_id, company_id, day, user_id, kind)
        WHERE count IS DISTINCT FROM things""",
    "activities that reached somebody and count nowhere": """
        SELECT count(*) FROM activities WHERE kind IN ('letter_out', 'letter_in', 'meeting', 'chat')
          AND happened = 'yes' AND NOT EXISTS (SELECT FROM touches WHERE touches.portal_id = activities.portal_id
              AND source = 'activity' AND source_id = activity_id)""",
    "marks that wait": "SELECT count(*) FROM activity_marks",
    "rounds without the person who had the card": """
        SELECT count(*) FROM reactions WHERE NOT EXISTS (SELECT FROM reaction_holders AS held
            WHERE held.portal_id = reactions.portal_id AND held.entity_type_id = reactions.entity_type_id
              AND held.card_id = reactions.card_id AND held.arrived_at = reactions.arrived_at
              AND held.user_id = reactions.holder)""",
    "running rounds that are answered": """
        SELECT count(*) FROM reactions WHERE running AND coalesce(responded_at, closed_at) IS NOT NULL
            OR running <> (working_seconds IS NULL)""",
}


class NotAsWritten(Exception):  # noqa: N818 - what the rows are
    """Rows were loaded that the service would not have written."""


def check(conninfo: str) -> None:
    """Raises NotAsWritten where the loaded rows contradict each other."""
    with psycopg.connect(conninfo) as connection:
        connection.execute("SET work_mem = '256MB'; SET max_parallel_workers_per_gather = 2")
        for said, statement in _CHECKS.items():
            found = connection.execute(statement.encode()).fetchone()
            if found is None or found[0]:
                raise NotAsWritten(f"{said}: {found and found[0]}")


def _tidying(conninfo: str, state: str) -> None:
    """Autovacuum would read again and again what is being loaded."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(f"ALTER SYSTEM SET autovacuum = {state}".encode())
        connection.execute("SELECT pg_reload_conf()")


def settle(conninfo: str) -> None:
    """What autovacuum does in its own time."""
    _tidying(conninfo, "on")
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")


def rows_of(conninfo: str) -> dict[str, int]:
    """How many rows there are, by table."""
    tables = ("lead_figures", "deal_figures", "stage_moves", "activities", "touches", "reactions", "assignments")
    with psycopg.connect(conninfo) as connection:
        counted = {table: connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone() for table in tables}
    return {table: row[0] if row else 0 for table, row in counted.items()}


def dictionary_document() -> dict[str, Any]:
    """The portal's words, as the pipeline keeps them."""
    return {
        "integration_user_id": 1,
        "offset": 10800,
        "stages": STAGES,
        "enumerations": [],
        "fields": [],
        "rates": {"RUB": "1"},
        "heads": {},
        "industries": {},
        "sources": {source: source.title() for source in SOURCES},
    }
