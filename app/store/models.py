"""The tables. Alembic compares them with the database; the functions beside this file query them.

Enumerations are texts with a CHECK. Times are timestamptz. `entity_type_id` and `card_id` are Bitrix24's
entityTypeId (1 lead, 2 deal, …) and id. The queue's own tables are procrastinate's, not listed here.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Date,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, DOUBLE_PRECISION, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

JOURNAL_SOURCES = ("webhook", "robot", "sweep", "timer", "replay", "rules")
CARD_STATES = ("open", "final", "deleted", "parked")
RUN_STATUSES = ("open", "done", "failed", "parked", "abandoned")
RUN_MODES = ("live", "shadow")
ACTION_STATES = ("planned", "started", "done", "skipped", "failed")
SECOND_LOOK_ANSWERS = ("right", "wrong")
SECOND_LOOK_WAYS = ("api", "portal")
REPLAY_STATES = ("waiting", "running", "done", "cancelled", "failed")
ROLES = ("viewer", "head", "admin")
ACTIVITY_KINDS = ("call_out", "call_in", "letter_out", "letter_in", "meeting", "chat", "todo", "task", "other")
HAPPENED = ("yes", "no", "unknown")
CLOSED_SEMANTICS = ("success", "failure")
CARD_ENDINGS = ("open", "won", "lost")
STAGE_SEMANTICS = ("process", "success", "failure")
HOW_LEFT = ("moved", "won", "lost", "pipeline", "reopened")
CHOSEN_WHY = ("knows_client", "turn", "free_turn")
CALENDAR_SCOPES = ("portal", "desk", "person")
CALENDAR_SOURCES = ("portal", "set")
TEAM_SOURCES = ("people", "departments", "calendar")
DIGEST_KINDS = ("daily", "weekly")
DIGEST_STATES = ("started", "done", "failed")
TARGETS = ("hot", "warm", "other")
REACTION_STATES = ("waiting", "met", "missed", "closed", "not_seen")
CONTACT_KINDS = ("call_out", "call_in", "letter", "meeting", "chat")
PAPER_SEMANTICS = ("process", *CLOSED_SEMANTICS)
TOUCH_KINDS = (
    "call_out", "call_in", "call_missed", "call_unanswered", "call_unknown", "letter_out", "letter_in", "meeting",
    "chat", "quote", "invoice", "payment", "sale",
)  # fmt: skip


def one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    """CHECK that the text column holds one of the values."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it so
        str: Text,
        datetime: DateTime(timezone=True),
        date: Date,
        float: DOUBLE_PRECISION,
        bytes: LargeBinary,
        dict[str, Any]: JSONB(none_as_null=True),
        Any: JSONB(none_as_null=True),
    }


def _portal_key(*, primary_key: bool = False) -> Mapped[int]:
    return mapped_column(ForeignKey("portals.id"), primary_key=primary_key)


class PortalRow(Base):
    __tablename__ = "portals"
    __table_args__ = ({"comment": "One row per Bitrix24 account we serve; secrets are sealed with SECRET_KEY."},)

    id: Mapped[int] = mapped_column(Integer, Identity(always=True), primary_key=True)
    name: Mapped[str]
    domain: Mapped[str] = mapped_column(unique=True)
    member_id: Mapped[str | None] = mapped_column(unique=True)
    webhook_url_encrypted: Mapped[bytes]
    application_tokens_encrypted: Mapped[bytes]
    requests_per_second: Mapped[float] = mapped_column(server_default=text("2"))
    burst: Mapped[int] = mapped_column(server_default=text("50"))
    language: Mapped[str] = mapped_column(server_default=text("'ru'"))
    enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    integration_user_id: Mapped[int | None] = mapped_column(BigInteger)
    time_zone: Mapped[str | None]
    former_domain: Mapped[str | None]
    trouble: Mapped[str | None]
    trouble_since: Mapped[datetime | None]
    # Since when clocks are watched: nobody is told of a round that began before.
    clocks_since: Mapped[datetime | None]


class JournalRow(Base):
    __tablename__ = "journal"
    __table_args__ = (
        one_of("source", JOURNAL_SOURCES),
        Index(
            "ix_journal_undispatched", "lane", "id", postgresql_where=text("dispatched_at IS NULL AND rejected IS NULL")
        ),
        Index("ix_journal_portal_id_card", "portal_id", "entity_type_id", "card_id", "id"),
        # Rows arrive in the order of time: a summary of block ranges finds a day, and costs the intake nothing.
        Index("ix_journal_received_at", "received_at", postgresql_using="brin"),
        {"comment": "Everything that ever asked for a card to be judged, in order of arrival; the queue's record."},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    portal_id: Mapped[int | None] = mapped_column(Integer)  # no foreign key: the intake's INSERT stays plain
    received_at: Mapped[datetime] = mapped_column(server_default=func.now())
    source: Mapped[str]
    event: Mapped[str]
    entity_type_id: Mapped[int | None] = mapped_column(Integer)
    card_id: Mapped[int | None] = mapped_column(BigInteger)
    change: Mapped[str | None]
    lane: Mapped[int] = mapped_column(SmallInteger, server_default=text("1"))
    body: Mapped[Any | None]
    dispatched_at: Mapped[datetime | None]
    rejected: Mapped[str | None]


class RulesetRow(Base):
    __tablename__ = "rulesets"
    __table_args__ = (
        CheckConstraint("version > 0", name="version"),
        CheckConstraint("restores < version", name="restores"),
        {"comment": "Every version of a portal's rules; never changed nor deleted, the highest is in force."},
    )

    portal_id: Mapped[int] = _portal_key(primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    document: Mapped[dict[str, Any]]
    author: Mapped[str]
    reason: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    restores: Mapped[int | None] = mapped_column(Integer)


_LAST_JUDGED_FIRST = (text("judged_at DESC NULLS LAST"), text("card_id DESC"))


class CardRow(Base):
    __tablename__ = "cards"
    __table_args__ = (
        one_of("state", CARD_STATES),
        # In the order of the list, the last judged first: a page of it is read without sorting all the others.
        Index("ix_cards_listing", "portal_id", *_LAST_JUDGED_FIRST),
        Index("ix_cards_type", "portal_id", "entity_type_id", *_LAST_JUDGED_FIRST),
        Index("ix_cards_outcome", "portal_id", "entity_type_id", "outcome", *_LAST_JUDGED_FIRST),
        Index("ix_cards_grade", "portal_id", "entity_type_id", "grade", *_LAST_JUDGED_FIRST),
        Index("ix_cards_counted", "portal_id", "entity_type_id", "outcome", "grade", "state"),
        Index("ix_cards_company", "portal_id", "company_id"),
        Index("ix_cards_parked", "portal_id", postgresql_where=text("state = 'parked'")),
        Index(
            "ix_cards_undecided",
            "portal_id",
            "outcome",
            "judged_at",
            postgresql_where=text("state = 'open' AND outcome IN ('review', 'needs_data')"),
        ),
        Index(
            "ix_cards_open_owner",
            "portal_id",
            "entity_type_id",
            "assigned_by_id",
            postgresql_where=text("state = 'open'"),
        ),
        {"comment": "What we know of each card after its last run: one row per lead, deal or company."},
    )

    portal_id: Mapped[int] = _portal_key(primary_key=True)
    entity_type_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    card_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    title: Mapped[str | None]
    stage_id: Mapped[str | None]
    assigned_by_id: Mapped[int | None] = mapped_column(BigInteger)
    company_id: Mapped[int | None] = mapped_column(BigInteger)
    outcome: Mapped[str | None]
    grade: Mapped[str | None]
    why: Mapped[Any | None]
    checklist: Mapped[str | None]
    facts_digest: Mapped[str | None]
    last_run_id: Mapped[int | None] = mapped_column(BigInteger)
    created_time: Mapped[datetime | None]
    updated_time: Mapped[datetime | None]
    moved_time: Mapped[datetime | None]
    moved_by: Mapped[int | None] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(server_default=text("'open'"))
    parked_reason: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    first_seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    judged_at: Mapped[datetime | None]
    # When the portal was asked for what the last run judged; before `judged_at`, by however long the writes took.
    read_at: Mapped[datetime | None]
    # The `updatedTime` that a sweep last asked about while the card was parked or gone: it asks once for each.
    swept_time: Mapped[datetime | None]


class RunRow(Base):
    __tablename__ = "runs"
    __table_args__ = (
        one_of("mode", RUN_MODES),
        one_of("status", RUN_STATUSES),
        Index("ix_runs_card", "portal_id", "entity_type_id", "card_id", "id"),
        Index("ix_runs_open", "portal_id", "opened_at", postgresql_where=text("status = 'open'")),
        # As with the journal: a span of days is found by a summary of blocks, at no cost for the run that is written.
        Index("ix_runs_opened_at", "opened_at", postgresql_using="brin"),
        Index(
            "ix_runs_below_minimum",
            "portal_id",
            "card_id",
            "id",
            postgresql_where=text("entity_type_id = 2 AND verdict ->> 'above_minimum' = 'no'"),
        ),
        {"comment": "Every pass of a card through the flow, with the facts it was judged on; kept for ever."},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    portal_id: Mapped[int] = _portal_key()
    entity_type_id: Mapped[int] = mapped_column(Integer)
    card_id: Mapped[int] = mapped_column(BigInteger)
    # The journal row that asked; no foreign key, since journal rows are pruned and runs are not.
    journal_id: Mapped[int | None] = mapped_column(BigInteger)
    ruleset_version: Mapped[int | None] = mapped_column(Integer)
    mode: Mapped[str]
    opened_at: Mapped[datetime] = mapped_column(server_default=func.now())
    closed_at: Mapped[datetime | None]
    status: Mapped[str] = mapped_column(server_default=text("'open'"))
    seen: Mapped[dict[str, Any]]
    facts: Mapped[Any]
    facts_digest: Mapped[str]
    verdict: Mapped[Any | None]
    plan: Mapped[Any | None]
    error: Mapped[str | None]
    # The cards behind the facts, without what is empty or long: for rules that map other fields.
    snapshot: Mapped[Any | None]


class ActionRow(Base):
    __tablename__ = "actions"
    __table_args__ = (
        one_of("state", ACTION_STATES),
        UniqueConstraint("run_id", "key"),
        Index("ix_actions_portal_id_key", "portal_id", "key"),
        {"comment": "Each single write a run planned, and what became of it; the key is the same in every run."},
    )

    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    portal_id: Mapped[int] = _portal_key()
    key: Mapped[str]
    kind: Mapped[str]
    payload: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(server_default=text("'planned'"))
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    result: Mapped[Any | None]
    error: Mapped[str | None]


class PortalDictionaryRow(Base):
    __tablename__ = "portal_dictionary"
    __table_args__ = (
        {"comment": "What a portal calls things: fields, pipelines, stages, users, rates; as last read."},
    )

    portal_id: Mapped[int] = _portal_key(primary_key=True)
    document: Mapped[dict[str, Any]]
    read_at: Mapped[datetime]


class RequestBucketRow(Base):
    __tablename__ = "request_buckets"
    __table_args__ = (
        {
            "comment": "How full each portal's request bucket is; shared by all processes, forgotten by a crash.",
            "prefixes": ["UNLOGGED"],
        },
    )

    portal_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    level: Mapped[float]
    updated_at: Mapped[datetime]


class CounterRow(Base):
    __tablename__ = "counters"
    __table_args__ = (
        {"comment": "Daily counts of what leaves no row, e.g. rejected deliveries. Portal 0: none known."},
    )

    name: Mapped[str] = mapped_column(primary_key=True)
    portal_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    day: Mapped[date] = mapped_column(primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))


class TimerRow(Base):
    __tablename__ = "timers"
    __table_args__ = (
        Index("ix_timers_due", "due_at", postgresql_where=text("fired_at IS NULL")),
        {"comment": "When a card wants to be judged again without anything having changed; one per card and reason."},
    )

    portal_id: Mapped[int] = _portal_key(primary_key=True)
    entity_type_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    card_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    reason: Mapped[str] = mapped_column(primary_key=True)
    due_at: Mapped[datetime]
    fired_at: Mapped[datetime | None]
    lane: Mapped[int] = mapped_column(SmallInteger, server_default=text("1"))


class GapRow(Base):
    __tablename__ = "gaps"
    __table_args__ = (
        Index("ix_gaps_unswept", "id", postgresql_where=text("swept_at IS NULL")),
        {"comment": "Times in which deliveries may have been lost, and when a sweep made up for them."},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    noticed_at: Mapped[datetime]
    reason: Mapped[str]
    swept_at: Mapped[datetime | None]


class CursorRow(Base):
    __tablename__ = "cursors"
    __table_args__ = (
        {"comment": "How far each source of the sweep has been read without an error, by portal; it resumes there."},
    )

    portal_id: Mapped[int] = _portal_key(primary_key=True)
    source: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    floor: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    since: Mapped[datetime | None]
    through: Mapped[datetime | None]
    moved_at: Mapped[datetime]


class SweepRow(Base):
    __tablename__ = "sweeps"
    __table_args__ = ({"comment": "The state of sweeping, one row per portal: when, how far, and what went wrong."},)

    portal_id: Mapped[int] = _portal_key(primary_key=True)
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    complete_at: Mapped[datetime | None]
    gap_id: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    failures: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    error: Mapped[str | None]
    utc_offset: Mapped[int] = mapped_column(Integer, server_default=text("0"))


class StageMoveRow(Base):
    __tablename__ = "stage_moves"
    __table_args__ = (
        Index("ix_stage_moves_card", "portal_id", "entity_type_id", "card_id", "history_id"),
        {"comment": "Each hop of a card between stages, from the portal's stage history; kept for reports."},
    )

    portal_id: Mapped[int] = _portal_key(primary_key=True)
    entity_type_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    history_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    card_id: Mapped[int] = mapped_column(BigInteger)
    type_id: Mapped[int] = mapped_column(SmallInteger)
    stage_id: Mapped[str]
    category_id: Mapped[int | None] = mapped_column(Integer)
    semantics: Mapped[str | None]
    created_time: Mapped[datetime | None]


class ActivityRow(Base):
    __tablename__ = "activities"
    __table_args__ = (
        one_of("kind", ACTIVITY_KINDS),
        one_of("happened", HAPPENED),
        Index("ix_activities_owner", "portal_id", "owner_type_id", "owner_id", "activity_id"),
        Index("ix_activities_responsible", "portal_id", "responsible_id", "start_at"),
        {"comment": "What people did: calls, letters, meetings, chats, to-dos, as the portal's activities tell it."},
    )

    portal_id: Mapped[int] = _portal_key(primary_key=True)
    activity_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    kind: Mapped[str]
    provider: Mapped[str | None]
    direction: Mapped[str | None]
    completed: Mapped[bool]
    owner_type_id: Mapped[int | None] = mapped_column(Integer)
    owner_id: Mapped[int | None] = mapped_column(BigInteger)
    responsible_id: Mapped[int | None] = mapped_column(BigInteger)
    author_id: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime | None]
    start_at: Mapped[datetime | None]
    end_at: Mapped[datetime | None]
    updated_at: Mapped[datetime | None]
    talk_seconds: Mapped[int | None] = mapped_column(Integer)
    happened: Mapped[str]
    why_unknown: Mapped[str | None]
    # Whether `activity_bindings` holds every card it belongs to; else its owner is all that is known.
    bindings_known: Mapped[bool] = mapped_column(server_default=text("false"))
    # When it was done and by whom, as we first saw it: later changes of owner or date do not move past figures.
    done_at: Mapped[datetime | None]
    done_by_id: Mapped[int | None] = mapped_column(BigInteger)


class ActivityBindingRow(Base):
    __tablename__ = "activity_bindings"
    __table_args__ = (
        Index("ix_activity_bindings_activity", "portal_id", "activity_id"),
        {"comment": "Every card that an activity belongs to, the owner among them."},
    )

    portal_id: Mapped[int] = _portal_key(primary_key=True)
    entity_type_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    card_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    activity_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)


class CallRow(Base):
    __tablename__ = "calls"
    __table_args__ = (
        Index("ix_calls_activity", "portal_id", "activity_id"),
        Index("ix_calls_user", "portal_id", "user_id", "started_at"),
        Index("ix_calls_entity", "portal_id", "entity_type_id", "entity_id"),
        {"comment": "Each call by the portal's call statistics: who, when, how long, with what result."},
    )

    portal_id: Mapped[int] = _portal_key(primary_key=True)
    statistic_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    call_id: Mapped[str | None]
    direction: Mapped[str | None]
    user_id: Mapped[int | None] = mapped_column(BigInteger)
    started_at: Mapped[datetime | None]
    duration_seconds: Mapped[int | None] = mapped_column(Integer)
    talk_seconds: Mapped[int | None] = mapped_column(Integer)
    failed_code: Mapped[str | None]
    entity_type_id: Mapped[int | None] = mapped_column(Integer)
    entity_id: Mapped[int | None] = mapped_column(BigInteger)
    activity_id: Mapped[int | None] = mapped_column(BigInteger)


class OwnerChangeRow(Base):
    __tablename__ = "owner_changes"
    __table_args__ = (
        {"comment": "Who was responsible for a card since when, as we saw it; the portal keeps no such history."},
    )

    portal_id: Mapped[int] = _portal_key(primary_key=True)
    entity_type_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    card_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    # The card's last change when the owner was first seen: it was theirs by then, and perhaps a little earlier.
    since: Mapped[datetime] = mapped_column(primary_key=True)
    user_id: Mapped[int | None] = mapped_column(BigInteger)
    seen_at: Mapped[datetime]


class HistoryRow(Base):
    __tablename__ = "histories"
    __table_args__ = (
        {"comment": "From when on each source of a portal's past is kept whole, and whether it can be read at all."},
    )

    portal_id: Mapped[int] = _portal_key(primary_key=True)
    source: Mapped[str] = mapped_column(primary_key=True)
    # What happened before it may be missing; None until a sweep has read the source to its end.
    whole_since: Mapped[datetime | None]
    read_at: Mapped[datetime | None]
    # Why the portal does not let us read it; None where it does.
    refused: Mapped[str | None]
    refused_at: Mapped[datetime | None]


class PastDealRow(Base):
    __tablename__ = "past_deals"
    __table_args__ = (
        one_of("semantics", CLOSED_SEMANTICS),
        Index("ix_past_deals_company", "portal_id", "company_id"),
        {"comment": "Closed deals as lists of the portal tell them, also from before any run; money in RUB."},
    )

    portal_id: Mapped[int] = _portal_key(primary_key=True)
    deal_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    company_id: Mapped[int | None] = mapped_column(BigInteger)
    responsible: Mapped[int | None] = mapped_column(BigInteger)
    stage_id: Mapped[str | None]
    semantics: Mapped[str]
    source: Mapped[str | None]
    created_at: Mapped[datetime | None]
    closed_on: Mapped[date]
    # Converted by the rates that were known when the deal was read.
    amount: Mapped[Decimal | None]
    profit: Mapped[Decimal | None]
    # What the deal itself says of its client; it goes before what the company says.
    industry: Mapped[str | None]
    turnover: Mapped[Decimal | None]
    steam_tph: Mapped[Decimal | None]
    read_at: Mapped[datetime]


class PastCompanyRow(Base):
    __tablename__ = "past_companies"
    __table_args__ = ({"comment": "Companies of closed deals: industry and size as last read; money in RUB."},)

    portal_id: Mapped[int] = _portal_key(primary_key=True)
    company_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    industry: Mapped[str | None]
    turnover: Mapped[Decimal | None]
    steam_tph: Mapped[Decimal | None]
    read_at: Mapped[datetime]


class PastReadingRow(Base):
    __tablename__ = "past_readings"
    __table_args__ = ({"comment": "How far the reading of each portal's closed deals is, and how far back it goes."},)

    portal_id: Mapped[int] = _portal_key(primary_key=True)
    # Digest of what the rules say about where facts are read: with other words all is read again.
    mapping: Mapped[str]
    # Names of custom fields in lists by their own names, for deals and for companies.
    names: Mapped[dict[str, Any]]
    began_at: Mapped[datetime]
    closed_from: Mapped[date]
    # The last deal that is read, by id; a broken-off reading goes on after it.
    position: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    finished_at: Mapped[datetime | None]
    # All deals closed from this day on were read at least once; None until then.
    whole_from: Mapped[date | None]


class ChangedCardRow(Base):
    __tablename__ = "changed_cards"
    __table_args__ = (
        {"comment": "Which leads and deals a sweep saw changed, by the portal's calendar day; proof of completeness."},
    )

    portal_id: Mapped[int] = _portal_key(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    entity_type_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    card_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    changed_at: Mapped[datetime]


class ApiTokenRow(Base):
    __tablename__ = "api_tokens"
    __table_args__ = (
        one_of("role", ROLES),
        # A name is free again once its token is revoked, so that a token can be changed for a new one.
        Index("uq_api_tokens_live_name", "name", unique=True, postgresql_where=text("revoked_at IS NULL")),
        {"comment": "Who may use the API and the pages, with which role; of each secret only a hash. Kept for ever."},
    )

    id: Mapped[int] = mapped_column(Integer, Identity(always=True), primary_key=True)
    name: Mapped[str]
    role: Mapped[str]
    digest: Mapped[bytes]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    created_by: Mapped[str]
    # Whose token it is, where it is one person's: he may switch his own digests.
    portal_id: Mapped[int | None] = mapped_column(ForeignKey("portals.id"))
    user_id: Mapped[int | None] = mapped_column(BigInteger)
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    revoked_by: Mapped[str | None]
    last_used_at: Mapped[datetime | None]


class AuditRow(Base):
    __tablename__ = "audit_log"
    __table_args__ = (
        Index("ix_audit_log_who", "who", "id"),
        Index("ix_audit_log_what", "what", "id"),
        Index("ix_audit_log_subject", "subject", "id"),
        {"comment": "Who changed what and when; a trigger refuses every UPDATE, DELETE and TRUNCATE."},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    who: Mapped[str]
    what: Mapped[str]
    subject: Mapped[str]
    portal_id: Mapped[int | None] = mapped_column(ForeignKey("portals.id"))
    detail: Mapped[Any | None]


class RejudgingRow(Base):
    __tablename__ = "rejudgings"
    __table_args__ = (
        ForeignKeyConstraint(["portal_id", "version"], ["rulesets.portal_id", "rulesets.version"]),
        {"comment": "How far the open cards are that each published version of the rules has judged again."},
    )

    portal_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    noted_at: Mapped[datetime] = mapped_column(server_default=func.now())
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    superseded_at: Mapped[datetime | None]
    # The last card that was asked for, in the order of the cards' key; all before it were.
    entity_type_id: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    card_id: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    # The few cards asked for and not judged yet, as pairs of entityTypeId and id; and when one was asked for last.
    waiting: Mapped[Any] = mapped_column(server_default=text("'[]'"))
    asked_at: Mapped[datetime | None]
    total: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    judged: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    parked: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    deleted: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    changes: Mapped[Any] = mapped_column(server_default=text("'[]'"))


class RulesetForecastRow(Base):
    __tablename__ = "ruleset_forecasts"
    __table_args__ = (
        ForeignKeyConstraint(["portal_id", "version"], ["rulesets.portal_id", "rulesets.version"]),
        {"comment": "What the last replay of a draft forecast when it was published; none where nobody replayed it."},
    )

    portal_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    document: Mapped[dict[str, Any]]


class RulesetEffectRow(Base):
    __tablename__ = "ruleset_effects"
    __table_args__ = (
        ForeignKeyConstraint(["portal_id", "version"], ["rulesets.portal_id", "rulesets.version"]),
        {"comment": "What a version of the rules made of its first 14 days' cards; computed once, never changed."},
    )

    portal_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    computed_at: Mapped[datetime]
    document: Mapped[dict[str, Any]]


class SecondLookWeekRow(Base):
    __tablename__ = "second_look_weeks"
    __table_args__ = (
        {"comment": "The weekly draw of rejected leads: a row for each portal and week, so that it happens once."},
    )

    portal_id: Mapped[int] = _portal_key(primary_key=True)
    week: Mapped[date] = mapped_column(primary_key=True)
    drawn_at: Mapped[datetime]
    seed: Mapped[int] = mapped_column(BigInteger)
    size: Mapped[int] = mapped_column(Integer)
    population: Mapped[dict[str, Any]]


class SecondLookRow(Base):
    __tablename__ = "second_looks"
    __table_args__ = (
        ForeignKeyConstraint(["portal_id", "week"], ["second_look_weeks.portal_id", "second_look_weeks.week"]),
        UniqueConstraint("portal_id", "card_id", "week"),
        one_of("answer", SECOND_LOOK_ANSWERS),
        one_of("answered_how", SECOND_LOOK_WAYS),
        {"comment": "Leads whose rejection was drawn for a person to look at again, and what the person said."},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    portal_id: Mapped[int] = mapped_column(Integer)
    # The Monday of the week in which the verdict was reached.
    week: Mapped[date]
    card_id: Mapped[int] = mapped_column(BigInteger)
    outcome: Mapped[str]
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id"))
    facts_digest: Mapped[str]
    # When the to-do was first seen completed.
    completed_at: Mapped[datetime | None]
    answer: Mapped[str | None]
    answered_at: Mapped[datetime | None]
    answered_by: Mapped[str | None]
    answered_how: Mapped[str | None]
    why: Mapped[str | None]


class ReplayRow(Base):
    __tablename__ = "replays"
    __table_args__ = (
        one_of("state", REPLAY_STATES),
        Index("ix_replays_unfinished", "id", postgresql_where=text("state IN ('waiting', 'running')")),
        Index("ix_replays_portal_id", "portal_id", "id"),
        {"comment": "Drafts of rules tried on recorded cards: what was asked, how far it is, what came of it."},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    portal_id: Mapped[int] = _portal_key()
    draft: Mapped[dict[str, Any]]
    since: Mapped[datetime]
    until: Mapped[datetime]
    asked_by: Mapped[str]
    asked_at: Mapped[datetime] = mapped_column(server_default=func.now())
    state: Mapped[str] = mapped_column(server_default=text("'waiting'"))
    # Whoever takes the replay up counts one more; what an earlier attempt still writes is refused by it.
    attempt: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    heartbeat_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    total: Mapped[int | None] = mapped_column(Integer)
    looked: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    # The last card that is in the tally, in the order of the cards' key; a broken-off replay goes on after it.
    entity_type_id: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    card_id: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    tally: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    error: Mapped[str | None]


class ReplayCardRow(Base):
    __tablename__ = "replay_cards"
    __table_args__ = (
        {"comment": "The cards that a replay changes, or cannot compare, with what became of them in truth."},
    )

    replay_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("replays.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    entity_type_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    card_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    run_id: Mapped[int] = mapped_column(BigInteger)
    before: Mapped[str]
    after: Mapped[str | None]
    gap: Mapped[str | None]
    truth: Mapped[str | None]


class CompanyRow(Base):
    __tablename__ = "companies"
    __table_args__ = ({"comment": "The portal's companies: what each is called and who is responsible for it now."},)

    portal_id: Mapped[int] = _portal_key(primary_key=True)
    company_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    title: Mapped[str | None]
    assigned_by_id: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime | None]
    updated_at: Mapped[datetime | None]


class PersonRow(Base):
    __tablename__ = "people"
    __table_args__ = ({"comment": "Users of the portal as last read; those who were dismissed stay, not active."},)

    portal_id: Mapped[int] = _portal_key(primary_key=True)
    user_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    name: Mapped[str]
    position: Mapped[str | None]
    active: Mapped[bool]
    department_ids: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    time_zone: Mapped[str | None]
    read_at: Mapped[datetime]


class DepartmentRow(Base):
    __tablename__ = "departments"
    __table_args__ = ({"comment": "Departments of the portal as last read."},)

    portal_id: Mapped[int] = _portal_key(primary_key=True)
    department_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    name: Mapped[str]
    parent_id: Mapped[int | None] = mapped_column(BigInteger)
    head_id: Mapped[int | None] = mapped_column(BigInteger)
    read_at: Mapped[datetime]


class TeamReadingRow(Base):
    __tablename__ = "team_readings"
    __table_args__ = (
        one_of("source", TEAM_SOURCES),
        {"comment": "When people, departments and working hours were last read, or why the portal does not let us."},
    )

    portal_id: Mapped[int] = _portal_key(primary_key=True)
    source: Mapped[str] = mapped_column(primary_key=True)
    read_at: Mapped[datetime | None]
    refused: Mapped[str | None]


class CalendarRow(Base):
    __tablename__ = "calendars"
    __table_args__ = (
        one_of("scope", CALENDAR_SCOPES),
        one_of("source", CALENDAR_SOURCES),
        CheckConstraint("(scope = 'portal') = (subject_id = 0)", name="subject"),
        CheckConstraint("source = 'set' OR scope = 'portal'", name="portal_source"),
        {"comment": "Working time in layers: a person's over a desk's over the portal's; each says what it wants to."},
    )

    portal_id: Mapped[int] = _portal_key(primary_key=True)
    scope: Mapped[str] = mapped_column(primary_key=True)
    # A pool's or a user's number; 0 for the portal.
    subject_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    # `portal`: read from the portal's own settings; `set`: by a person.
    source: Mapped[str] = mapped_column(primary_key=True)
    document: Mapped[dict[str, Any]]
    changed_by: Mapped[str]
    changed_at: Mapped[datetime]


class AbsenceRow(Base):
    __tablename__ = "absences"
    __table_args__ = (
        CheckConstraint("starts_at < ends_at", name="span"),
        Index("ix_absences_portal_id_ends_at", "portal_id", "ends_at"),
        {"comment": "Who is away from when until when; withdrawn ones stay, and count no more."},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    portal_id: Mapped[int] = _portal_key()
    user_id: Mapped[int] = mapped_column(BigInteger)
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    note: Mapped[str | None]
    added_by: Mapped[str]
    added_at: Mapped[datetime]
    withdrawn_by: Mapped[str | None]
    withdrawn_at: Mapped[datetime | None]


class DigestSwitchRow(Base):
    __tablename__ = "digest_switches"
    __table_args__ = ({"comment": "Who switched a person's digests on or off; null: on for who leads people."},)

    portal_id: Mapped[int] = _portal_key(primary_key=True)
    user_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    daily: Mapped[bool | None]
    weekly: Mapped[bool | None]
    changed_by: Mapped[str]
    changed_at: Mapped[datetime]


class DigestRow(Base):
    __tablename__ = "digests"
    __table_args__ = (
        one_of("kind", DIGEST_KINDS),
        one_of("state", DIGEST_STATES),
        Index("ix_digests_started_at", "started_at"),
        {"comment": "One digest of one person and day or week: a row for each, so that it goes out once."},
    )

    portal_id: Mapped[int] = _portal_key(primary_key=True)
    user_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(primary_key=True)
    # Of a daily one when it went out by the person's calendar, of a weekly one that week's Monday.
    day: Mapped[date] = mapped_column(primary_key=True)
    since: Mapped[date]
    until: Mapped[date]
    state: Mapped[str] = mapped_column(server_default=text("'started'"))
    attempts: Mapped[int] = mapped_column(Integer, server_default=text("1"))
    # Of the last attempt.
    started_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    said: Mapped[str | None]
    error: Mapped[str | None]


# What reports count


class LeadFiguresRow(Base):
    __tablename__ = "lead_figures"
    __table_args__ = (
        one_of("ending", CARD_ENDINGS),
        Index("ix_lead_figures_created_at", "portal_id", "created_at"),
        Index("ix_lead_figures_closed_on", "portal_id", "closed_on", postgresql_where=text("closed_on IS NOT NULL")),
        Index("ix_lead_figures_company", "portal_id", "company_id", postgresql_where=text("company_id IS NOT NULL")),
        # Whose lead makes a potential client, as the activity rating asks.
        Index(
            "ix_lead_figures_potential",
            "portal_id",
            "company_id",
            postgresql_where=text("NOT deleted AND (ending = 'open' AND client = 'yes' OR outcome = 'company')"),
        ),
        {"comment": "One narrow row for each lead: where it stands and what judging it gave; what reports count."},
    )

    portal_id: Mapped[int] = _portal_key(primary_key=True)
    card_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime | None]
    judged_at: Mapped[datetime | None]
    closed_on: Mapped[date | None]
    deleted: Mapped[bool] = mapped_column(server_default=text("false"))
    ending: Mapped[str]
    stage_id: Mapped[str | None]
    source: Mapped[str | None]
    # Of a closed card whose it was when it was first seen closed.
    responsible: Mapped[int | None] = mapped_column(BigInteger)
    company_id: Mapped[int | None] = mapped_column(BigInteger)
    outcome: Mapped[str | None]
    heat: Mapped[str | None]
    client: Mapped[str | None]
    request: Mapped[str | None]
    solvent: Mapped[str | None]
    failed: Mapped[list[str] | None] = mapped_column(ARRAY(Text))


class DealFiguresRow(Base):
    __tablename__ = "deal_figures"
    __table_args__ = (
        one_of("ending", CARD_ENDINGS),
        Index("ix_deal_figures_created_at", "portal_id", "created_at"),
        Index("ix_deal_figures_closed_on", "portal_id", "closed_on", postgresql_where=text("closed_on IS NOT NULL")),
        Index("ix_deal_figures_company", "portal_id", "company_id", "closed_on"),
        Index(
            "ix_deal_figures_open",
            "portal_id",
            "company_id",
            postgresql_where=text("ending = 'open' AND NOT deleted"),
        ),
        # All that a client ever bought, in its order.
        Index(
            "ix_deal_figures_won",
            "portal_id",
            "company_id",
            "closed_on",
            "card_id",
            postgresql_include=["amount", "profit"],
            postgresql_where=text("ending = 'won' AND NOT deleted"),
        ),
        Index("ix_deal_figures_lead", "portal_id", "lead_id", postgresql_where=text("lead_id IS NOT NULL")),
        {"comment": "One narrow row for each deal: where it stands and what judging it gave; money in RUB."},
    )

    portal_id: Mapped[int] = _portal_key(primary_key=True)
    card_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    lead_id: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime | None]
    judged_at: Mapped[datetime | None]
    closed_on: Mapped[date | None]
    deleted: Mapped[bool] = mapped_column(server_default=text("false"))
    ending: Mapped[str]
    pipeline: Mapped[int] = mapped_column(Integer)
    stage_id: Mapped[str | None]
    source: Mapped[str | None]
    # Of a closed card whose it was when it was first seen closed.
    responsible: Mapped[int | None] = mapped_column(BigInteger)
    company_id: Mapped[int | None] = mapped_column(BigInteger)
    grade: Mapped[str | None]
    heat: Mapped[str | None]
    amount: Mapped[Decimal | None]
    profit: Mapped[Decimal | None]
    declined: Mapped[bool | None]
    exemption: Mapped[str | None]
    client: Mapped[str | None]
    # y, n or u for each of the seven items of the self-check list, in their order.
    checklist: Mapped[str | None]
    roles: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    # Of the client, as the deal or the facts of its run tell.
    industry: Mapped[str | None]
    turnover: Mapped[Decimal | None]
    steam_tph: Mapped[Decimal | None]


class StageStayRow(Base):
    __tablename__ = "stage_stays"
    __table_args__ = (
        one_of("semantics", STAGE_SEMANTICS),
        one_of("how_left", HOW_LEFT),
        Index("ix_stage_stays_entered_at", "portal_id", "entity_type_id", "entered_at"),
        Index("ix_stage_stays_left_at", "portal_id", "entity_type_id", "left_at"),
        # Where deals ever stood at work, and until when: for forecast and usual times, without reading the rows.
        Index(
            "ix_stage_stays_stood",
            "portal_id",
            "card_id",
            "pipeline",
            "stage_id",
            postgresql_where=text("entity_type_id = 2 AND semantics = 'process'"),
        ),
        Index(
            "ix_stage_stays_until",
            "portal_id",
            "left_at",
            postgresql_include=["card_id", "pipeline", "stage_id", "entered_at"],
            postgresql_where=text("entity_type_id = 2 AND semantics = 'process'"),
        ),
        {"comment": "How long each lead and deal stood in each stage and how it left, from its stage moves."},
    )

    portal_id: Mapped[int] = _portal_key(primary_key=True)
    entity_type_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    card_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    # The move that began it.
    history_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    pipeline: Mapped[int] = mapped_column(Integer)
    stage_id: Mapped[str]
    semantics: Mapped[str]
    entered_at: Mapped[datetime]
    left_at: Mapped[datetime | None]
    next_stage: Mapped[str | None]
    how_left: Mapped[str | None]


# --- pools and assignments


class PoolRow(Base):
    __tablename__ = "pools"
    __table_args__ = (
        CheckConstraint("entity_type_id IN (1, 2)", name="entity_type_id"),
        # A name is free again once its pool is closed.
        Index(
            "uq_pools_live_name",
            "portal_id",
            "entity_type_id",
            "name",
            unique=True,
            postgresql_where=text("closed_at IS NULL"),
        ),
        {"comment": "People who share out cards of one kind, and whose turn it is; the first that takes a card wins."},
    )

    id: Mapped[int] = mapped_column(Integer, Identity(always=True), primary_key=True)
    portal_id: Mapped[int] = _portal_key()
    entity_type_id: Mapped[int] = mapped_column(Integer)
    name: Mapped[str]
    position: Mapped[int] = mapped_column(Integer)
    document: Mapped[dict[str, Any]]
    turns: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    # Cards that were made earlier are not shared out: somebody may be at work on them.
    since: Mapped[datetime]
    set_by: Mapped[str]
    set_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[str | None]


class AssignmentRow(Base):
    __tablename__ = "assignments"
    __table_args__ = (
        one_of("why", CHOSEN_WHY),
        UniqueConstraint("portal_id", "entity_type_id", "card_id", "occasion"),
        Index("ix_assignments_card", "portal_id", "entity_type_id", "card_id", "id"),
        Index("ix_assignments_chosen_at", "portal_id", "entity_type_id", "chosen_at"),
        {"comment": "Whom a pool chose for a card, when and why, who was passed over, and whether it cost a turn."},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    portal_id: Mapped[int] = _portal_key()
    entity_type_id: Mapped[int] = mapped_column(Integer)
    card_id: Mapped[int] = mapped_column(BigInteger)
    pool_id: Mapped[int | None] = mapped_column(ForeignKey("pools.id"))
    # Nobody could take the card where it is empty.
    user_id: Mapped[int | None] = mapped_column(BigInteger)
    from_user: Mapped[int | None] = mapped_column(BigInteger)
    # `arrival`, or what made the card pass on.
    reason: Mapped[str]
    # Names the one time for which this was chosen; asked again for it, nobody is chosen anew.
    occasion: Mapped[str | None]
    why: Mapped[str | None]
    barred: Mapped[dict[str, Any]]
    shares: Mapped[dict[str, Any]]
    cost_turn: Mapped[bool]
    chosen_at: Mapped[datetime]
    given_back_at: Mapped[datetime | None]
    given_back_why: Mapped[str | None]


class _Paper:
    """What quotes and invoices have in common."""

    number: Mapped[str | None]
    deal_id: Mapped[int | None] = mapped_column(BigInteger)
    lead_id: Mapped[int | None] = mapped_column(BigInteger)
    company_id: Mapped[int | None] = mapped_column(BigInteger)
    responsible_id: Mapped[int | None] = mapped_column(BigInteger)
    # Who was responsible when we first saw it.
    made_by_id: Mapped[int | None] = mapped_column(BigInteger)
    stage_id: Mapped[str | None]
    semantics: Mapped[str | None]
    # Its last change when it was first seen accepted or paid.
    succeeded_at: Mapped[datetime | None]
    # Converted by the rates that were known when it was read.
    amount: Mapped[Decimal | None]
    currency: Mapped[str | None]
    amount_in_currency: Mapped[Decimal | None]
    created_at: Mapped[datetime | None]
    updated_at: Mapped[datetime | None]


class QuoteRow(_Paper, Base):
    __tablename__ = "quotes"
    __table_args__ = (
        one_of("semantics", PAPER_SEMANTICS),
        Index("ix_quotes_deal", "portal_id", "deal_id"),
        Index("ix_quotes_lead", "portal_id", "lead_id"),
        {"comment": "Proposals (CRM quotes); money in RUB by the rates of when it was read."},
    )

    portal_id: Mapped[int] = _portal_key(primary_key=True)
    quote_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)


class InvoiceRow(_Paper, Base):
    __tablename__ = "invoices"
    __table_args__ = (
        one_of("semantics", PAPER_SEMANTICS),
        Index("ix_invoices_deal", "portal_id", "deal_id"),
        Index("ix_invoices_lead", "portal_id", "lead_id"),
        {"comment": "Invoices (smart invoices); money in RUB by the rates of when it was read."},
    )

    portal_id: Mapped[int] = _portal_key(primary_key=True)
    invoice_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)


class ChatRow(Base):
    __tablename__ = "chats"
    __table_args__ = (
        Index("ix_chats_wanted", "portal_id", "read_at", postgresql_where=text("wanted")),
        {"comment": "Each session of an open line: when the client wrote first, when a person answered first, who."},
    )

    portal_id: Mapped[int] = _portal_key(primary_key=True)
    activity_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    # Both as the activity tells them: the session's number, or else the chat in which to ask for it.
    session_id: Mapped[int | None] = mapped_column(BigInteger)
    user_code: Mapped[str | None]
    first_client_at: Mapped[datetime | None]
    first_operator_at: Mapped[datetime | None]
    operator_id: Mapped[int | None] = mapped_column(BigInteger)
    client_messages: Mapped[int | None] = mapped_column(Integer)
    operator_messages: Mapped[int | None] = mapped_column(Integer)
    ended: Mapped[bool]
    # The activity's last change that we know of.
    changed_at: Mapped[datetime | None]
    # Whether the messages are to be read: never read, changed since, or open without an answer.
    wanted: Mapped[bool] = mapped_column(server_default=text("true"))
    read_at: Mapped[datetime | None]
    # Why the portal does not let us read this session.
    refused: Mapped[str | None]


class ActivityMarkRow(Base):
    __tablename__ = "activity_marks"
    __table_args__ = (
        Index("ix_activity_marks_portal_id", "portal_id", "id"),
        {"comment": "What changed and is not counted anew yet; rows live for one sweep."},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    portal_id: Mapped[int] = mapped_column(Integer)
    source: Mapped[str]
    source_id: Mapped[int] = mapped_column(BigInteger)


class TouchRow(Base):
    __tablename__ = "touches"
    __table_args__ = (
        one_of("kind", TOUCH_KINDS),
        Index("ix_touches_company", "portal_id", "company_id", "at"),
        Index("ix_touches_day", "portal_id", "kind", "day", "user_id", postgresql_where=text("main")),
        {"comment": "Each thing that counts, once for each company it belongs to: what, when, who."},
    )

    portal_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    source: Mapped[str] = mapped_column(primary_key=True)
    source_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    # 0 where no company is known.
    company_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    # One of the rows of a thing: the one that counts for people, who did it once for however many companies.
    main: Mapped[bool]
    kind: Mapped[str]
    at: Mapped[datetime]
    day: Mapped[date]
    # 0 is nobody.
    user_id: Mapped[int] = mapped_column(BigInteger)
    talk_seconds: Mapped[int] = mapped_column(Integer)
    amount: Mapped[Decimal | None]


class _Counts:
    """What is added up. `amount`: RUB, of those `amount_known` whose amount is known."""

    count: Mapped[int] = mapped_column(Integer)
    talk_seconds: Mapped[int] = mapped_column(BigInteger)
    amount: Mapped[Decimal]
    amount_known: Mapped[int] = mapped_column(Integer)


class ActivityDayRow(_Counts, Base):
    __tablename__ = "activity_days"
    __table_args__ = (
        {"comment": "What each person did on each day of the portal's calendar, added up; user 0 is nobody."},
    )

    portal_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    day: Mapped[date] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(primary_key=True)


class CompanyDayRow(_Counts, Base):
    __tablename__ = "company_days"
    __table_args__ = (
        Index(
            "ix_company_days_day",
            "portal_id",
            "day",
            "company_id",
            "user_id",
            "kind",
            postgresql_include=["count"],
        ),
        {"comment": "What was done for each company on each day, added up, and by whom; company 0 is none known."},
    )

    portal_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    company_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    day: Mapped[date] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(primary_key=True)


class CompanyTouchRow(Base):
    __tablename__ = "company_touches"
    __table_args__ = ({"comment": "When somebody of ours last reached each company, who and how."},)

    portal_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    company_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    last_at: Mapped[datetime | None]
    last_by_id: Mapped[int | None] = mapped_column(BigInteger)
    last_kind: Mapped[str | None]
    # A call later than that of which nobody can tell whether there was a talk.
    perhaps_at: Mapped[datetime | None]


SEGMENTS = ("new", "regular", "sleeping", "nurture")


class CompanySegmentRow(Base):
    __tablename__ = "company_segments"
    __table_args__ = (
        one_of("segment", SEGMENTS),
        one_of("decided", SEGMENTS),
        Index("ix_company_segments_segment", "portal_id", "segment", "since"),
        Index(
            "ix_company_segments_due",
            "portal_id",
            "next_contact_on",
            postgresql_where=text("next_contact_on IS NOT NULL"),
        ),
        {"comment": "Each company that bought or carries a mark: its segment, since when, why; its next contact."},
    )

    portal_id: Mapped[int] = _portal_key(primary_key=True)
    company_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    # The one in force, a person's where one set it; `decided` is the one by the facts.
    segment: Mapped[str | None]
    since: Mapped[date | None]
    decided: Mapped[str | None]
    # What our last run left in the portal's field.
    field_code: Mapped[str | None]
    by_person: Mapped[bool]
    why: Mapped[Any]
    owner: Mapped[int | None] = mapped_column(BigInteger)
    # None where the won deals could not be read whole.
    won_deals: Mapped[int | None] = mapped_column(Integer)
    last_purchase_on: Mapped[date | None]
    changes_on: Mapped[date | None]
    last_contact_at: Mapped[datetime | None]
    next_contact_on: Mapped[date | None]
    # Our newest to-do; it is open until a person completes or deletes it.
    todo_id: Mapped[int | None] = mapped_column(BigInteger)
    todo_done_at: Mapped[datetime | None]
    # The bounds and cadences that the last run judged by.
    bounds: Mapped[str]
    looked_on: Mapped[date]


class SegmentChangeRow(Base):
    __tablename__ = "segment_changes"
    __table_args__ = (
        one_of("before", SEGMENTS),
        one_of("after", SEGMENTS),
        Index("ix_segment_changes_company", "portal_id", "company_id", "id"),
        Index("ix_segment_changes_changed_on", "portal_id", "changed_on"),
        {"comment": "Each time a company came into another segment; kept for ever, for retention and winning back."},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    portal_id: Mapped[int] = _portal_key()
    company_id: Mapped[int] = mapped_column(BigInteger)
    changed_on: Mapped[date]
    before: Mapped[str | None]
    after: Mapped[str | None]
    won_back: Mapped[bool]
    by_person: Mapped[bool]
    owner: Mapped[int | None] = mapped_column(BigInteger)
    seen_at: Mapped[datetime]
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id"))


class ContactTurnRow(Base):
    __tablename__ = "contact_turns"
    __table_args__ = (
        Index("ix_contact_turns_day", "portal_id", "day", "user_id"),
        {"comment": "Each place in a person's daily cap of contact to-dos that was given to a company."},
    )

    portal_id: Mapped[int] = _portal_key(primary_key=True)
    company_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    due_on: Mapped[date] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(BigInteger)
    day: Mapped[date]


# --- reactions: how long each card waited for its first response


class CardOriginRow(Base):
    __tablename__ = "card_origins"
    __table_args__ = (
        Index("ix_card_origins_lead", "portal_id", "lead_id", postgresql_where=text("lead_id IS NOT NULL")),
        {"comment": "When each lead and deal came to be and out of which lead; up to when its contacts were read."},
    )

    portal_id: Mapped[int] = _portal_key(primary_key=True)
    entity_type_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    card_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    created_at: Mapped[datetime | None]
    # Of a deal: the lead it was made from.
    lead_id: Mapped[int | None] = mapped_column(BigInteger)
    # Up to when the card's own activities, and the statistics of its calls, were asked for one by one.
    activities_read_at: Mapped[datetime | None]
    calls_read_at: Mapped[datetime | None]


class ReactionRow(Base):
    __tablename__ = "reactions"
    __table_args__ = (
        one_of("target", TARGETS),
        one_of("state", REACTION_STATES),
        one_of("met", HAPPENED),
        one_of("kind", CONTACT_KINDS),
        Index("ix_reactions_waiting", "portal_id", "due_at", postgresql_where=text("state = 'waiting'")),
        Index("ix_reactions_running", "portal_id", "holder_due_at", postgresql_where=text("running")),
        Index("ix_reactions_arrived", "portal_id", "arrived_at"),
        Index("ix_reactions_holder", "portal_id", "holder", "arrived_at"),
        {"comment": "How each card was answered, one row for each round: its clocks, its target, whether it was met."},
    )

    portal_id: Mapped[int] = _portal_key(primary_key=True)
    entity_type_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    card_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    # When the round began: the card's creation, for a deal its lead's, or its reopening.
    arrived_at: Mapped[datetime] = mapped_column(primary_key=True)
    # Of a lead: the deal that goes on with this round; whoever counts requests leaves such rows out.
    deal_id: Mapped[int | None] = mapped_column(BigInteger)
    assigned_at: Mapped[datetime | None]
    responded_at: Mapped[datetime | None]
    responded_by: Mapped[int | None] = mapped_column(BigInteger)
    kind: Mapped[str | None]
    # The row of the portal by which the client was reached, e.g. activity-880.
    source_id: Mapped[str | None]
    made_from_call: Mapped[bool] = mapped_column(server_default=text("false"))
    closed_at: Mapped[datetime | None]
    running: Mapped[bool]
    # Whose the card is, or was at the end, since when, and when that person's own time runs out.
    holder: Mapped[int | None] = mapped_column(BigInteger)
    holder_since: Mapped[datetime | None]
    holder_due_at: Mapped[datetime | None]
    target: Mapped[str]
    minutes: Mapped[int] = mapped_column(Integer)
    due_at: Mapped[datetime | None]
    # Working time; empty while the clock runs.
    system_seconds: Mapped[int | None] = mapped_column(BigInteger)
    person_seconds: Mapped[int | None] = mapped_column(BigInteger)
    working_seconds: Mapped[int | None] = mapped_column(BigInteger)
    state: Mapped[str]
    met: Mapped[str]
    # Sources that could not be read, and contacts of which the portal does not tell whether they reached the client.
    missing: Mapped[Any] = mapped_column(server_default=text("'[]'"))
    doubtful: Mapped[Any] = mapped_column(server_default=text("'[]'"))
    # When the first warning of the round, and the first notice that its time was over, went out.
    warned_at: Mapped[datetime | None]
    breached_at: Mapped[datetime | None]
    computed_at: Mapped[datetime]


class ReactionTargetRow(Base):
    __tablename__ = "reaction_targets"
    __table_args__ = (
        one_of("target", TARGETS),
        ForeignKeyConstraint(["run_id"], ["runs.id"]),
        {"comment": "Which target a round had since when, what it was before, and which run changed it."},
    )

    portal_id: Mapped[int] = _portal_key(primary_key=True)
    entity_type_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    card_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    arrived_at: Mapped[datetime] = mapped_column(primary_key=True)
    since: Mapped[datetime] = mapped_column(primary_key=True)
    target: Mapped[str]
    minutes: Mapped[int] = mapped_column(Integer)
    # Empty for the first one.
    from_target: Mapped[str | None]
    from_minutes: Mapped[int | None] = mapped_column(Integer)
    # Empty for rounds from before any run.
    run_id: Mapped[int | None] = mapped_column(BigInteger)


class ReactionHolderRow(Base):
    __tablename__ = "reaction_holders"
    __table_args__ = (
        Index("ix_reaction_holders_user", "portal_id", "user_id", "since"),
        {"comment": "Who had a card before the client was reached, and how much of his working time that took."},
    )

    portal_id: Mapped[int] = _portal_key(primary_key=True)
    entity_type_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    card_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    arrived_at: Mapped[datetime] = mapped_column(primary_key=True)
    since: Mapped[datetime] = mapped_column(primary_key=True)
    # Empty: it was nobody's, and the system's clock ran.
    user_id: Mapped[int | None] = mapped_column(BigInteger)
    until: Mapped[datetime | None]
    # When the target ran out counted from `since`, by this person's calendar.
    due_at: Mapped[datetime | None]
    # Working time; empty while it runs.
    working_seconds: Mapped[int | None] = mapped_column(BigInteger)


class StaleReactionRow(Base):
    __tablename__ = "stale_reactions"
    __table_args__ = (
        {"comment": "Cards of which something came that may change their reactions; worked off in order."},
    )

    portal_id: Mapped[int] = _portal_key(primary_key=True)
    entity_type_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    card_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)


class ContactHintRow(Base):
    __tablename__ = "contact_hints"
    __table_args__ = ({"comment": "Activities that the portal said were new or changed, to be read at once."},)

    portal_id: Mapped[int] = _portal_key(primary_key=True)
    activity_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    asked_at: Mapped[datetime] = mapped_column(server_default=func.now())
    # When somebody set out to read it; tried again when nothing came of it.
    taken_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(Integer, server_default=text("0"))
