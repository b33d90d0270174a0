"""`/api/v1/rules/{version}/rejudging` and `/effect`: what follows the publishing of a version."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from app.domain.messages import message
from app.store import effects, rejudging, rulesets
from app.store.database import ReadSession
from app.store.effects import Effect
from app.store.rejudging import Rejudging, State
from app.web.api.queries import WhichPortal
from app.web.asking import portal_asked
from app.web.problems import ProblemAnswer, WebProblem
from app.web.shapes import TYPE_NAMES, CardType
from app.web.state import Web

router = APIRouter(prefix="/rules", tags=["rules"], responses={404: {"model": ProblemAnswer}})

Version = Annotated[int, Path(ge=1, le=2**31 - 1, description="Number of a published version.")]
_RESULT = "A lead's outcome; a deal's grade, with _declined where it is declined."


class RejudgedChange(BaseModel):
    """Cards that went from one result to another."""

    type: CardType
    before: str = Field(description=_RESULT, examples=["review"])
    after: str = Field(examples=["junk"])
    cards: int


class RejudgingProgress(BaseModel):
    """How far the open cards are judged again; done = judged + parked + deleted."""

    version: int
    state: State = Field(
        description="due: begins in a moment; running; finished; superseded: a newer version took over."
    )
    noted_at: datetime = Field(description="When the version was published.")
    started_at: datetime | None
    finished_at: datetime | None
    superseded_at: datetime | None
    total: int = Field(description="Cards that were or will be judged again, as far as is known now.")
    done: int
    judged: int = Field(description="Cards that have a run under this version or a later one.")
    changed: int = Field(description="Of these, the ones whose outcome or grade is not what it was.")
    parked: int = Field(description="Cards that could not be judged and wait for a person.")
    deleted: int = Field(description="Cards that are no longer in the portal.")
    changes: list[RejudgedChange] = Field(description="The changed cards, by what they were and are.")


class CardShare(BaseModel):
    """Cards of one result, and their share in all of their type, 0 to 1."""

    cards: int
    share: float


class EffectLine(BaseModel):
    """One result as it was forecast, as it came, and as it was before; null where nothing is known of that side."""

    type: CardType
    result: str = Field(description=_RESULT, examples=["junk"])
    forecast: CardShare | None
    fact: CardShare | None
    fact_new: CardShare | None = Field(description="Only of cards first seen in that time.")
    previous: CardShare | None
    previous_new: CardShare | None = Field(description="Only of cards first seen in that time.")


class ForecastBasis(BaseModel):
    """The replay whose figures are the forecast."""

    replay: int = Field(description="Its number.")
    since: datetime
    until: datetime
    compared: int = Field(description="Recorded cards that it judged by the draft.")
    changed: int = Field(description="Of these, the ones that would change.")
    not_compared: int = Field(description="Cards of which too little was recorded.")


class EffectSpan(BaseModel):
    """The time in which a version was in force, as far as it counts here."""

    version: int
    since: datetime
    until: datetime
    cards: int = Field(description="Cards judged by that version in that time, each by its last verdict.")
    new_cards: int = Field(description="Of these, the ones first seen in that time.")


class RejudgedCards(BaseModel):
    """Open cards that were judged again, and how many changed."""

    judged: int
    changed: int


class RulesetEffect(BaseModel):
    """What a version made of the cards of its first 14 days, beside the forecast and the version before."""

    version: int
    state: Literal["waiting", "computed"]
    due_at: datetime = Field(description="14 days after publishing; computed within minutes of it, and never changed.")
    computed_at: datetime | None
    forecast: ForecastBasis | None = Field(description="Null: no replay of this very draft was made before publishing.")
    fact: EffectSpan | None
    previous: EffectSpan | None = Field(description="The 14 days before publishing; null: there was no version then.")
    rejudged: RejudgedCards | None = Field(description="What judging open cards again changed at once.")
    lines: list[EffectLine]


@router.get("/{version}/rejudging")
async def rejudging_progress(web: Web, *, version: Version, portal: WhichPortal = None) -> RejudgingProgress:
    """How far the open cards are that this version judges again. Closed cards are not judged again."""
    async with web.database.reading() as session:
        where = await portal_asked(session, portal)
        await _published(session, where.id, version)
        told = await rejudging.progress(session, where.id, version)
    if told is None:
        said = message("Version {version} was published before Ogon judged cards again.", version=str(version))
        raise WebProblem(404, "rejudging_unknown", said)
    return _progress(told)


@router.get("/{version}/effect")
async def ruleset_effect(web: Web, *, version: Version, portal: WhichPortal = None) -> RulesetEffect:
    """The effect of a version: forecast against fact against before. Waiting until 14 days after publishing."""
    async with web.database.reading() as session:
        where = await portal_asked(session, portal)
        told = await effects.get(session, where.id, version)
    if told is None:
        raise _unknown(version)
    return _effect(told)


async def _published(session: ReadSession, portal_id: int, version: int) -> None:
    if await rulesets.get(session, portal_id, version) is None:
        raise _unknown(version)


def _unknown(version: int) -> WebProblem:
    return WebProblem(404, "version_unknown", message("Version {version} was never published.", version=str(version)))


def _progress(told: Rejudging) -> RejudgingProgress:
    return RejudgingProgress(
        version=told.version,
        state=told.state,
        noted_at=told.noted_at,
        started_at=told.started_at,
        finished_at=told.finished_at,
        superseded_at=told.superseded_at,
        total=told.total,
        done=told.done,
        judged=told.judged,
        changed=told.changed,
        parked=told.parked,
        deleted=told.deleted,
        changes=[
            RejudgedChange(
                type=TYPE_NAMES[change.entity_type_id], before=change.before, after=change.after, cards=change.cards
            )
            for change in told.changes
        ],
    )


_Counts = Counter[tuple[int, str]]


def _effect(told: Effect) -> RulesetEffect:
    document = told.document or {}
    fact, previous = document.get("fact"), document.get("previous")
    sides = (
        _forecast_counts(told.forecast),
        _counts(fact, new=False),
        _counts(fact, new=True),
        _counts(previous, new=False),
        _counts(previous, new=True),
    )
    keys = sorted({key for side in sides if side is not None for key in side})
    return RulesetEffect(
        version=told.version,
        state="waiting" if told.document is None else "computed",
        due_at=told.due_at,
        computed_at=told.computed_at,
        forecast=_basis(told.forecast) if told.forecast is not None else None,
        fact=_span(fact),
        previous=_span(previous),
        rejudged=RejudgedCards(**document["rejudged"]) if document.get("rejudged") else None,
        lines=[_line(key, *(_share(side, key) for side in sides)) for key in keys],
    )


def _line(
    key: tuple[int, str],
    forecast: CardShare | None,
    fact: CardShare | None,
    fact_new: CardShare | None,
    previous: CardShare | None,
    previous_new: CardShare | None,
) -> EffectLine:
    return EffectLine(
        type=TYPE_NAMES[key[0]],
        result=key[1],
        forecast=forecast,
        fact=fact,
        fact_new=fact_new,
        previous=previous,
        previous_new=previous_new,
    )


def _share(side: _Counts | None, key: tuple[int, str]) -> CardShare | None:
    """The key's share in its type; None where the side is not known or had no card of the type."""
    if side is None:
        return None
    of = sum(cards for (kind, _), cards in side.items() if kind == key[0])
    return CardShare(cards=side[key], share=side[key] / of) if of else None


def _forecast_counts(forecast: dict[str, Any] | None) -> _Counts | None:
    if forecast is None:
        return None
    return _added((kind, after, cards) for kind, _, after, cards in forecast["cells"])


def _counts(span: dict[str, Any] | None, *, new: bool) -> _Counts | None:
    if span is None:
        return None
    return _added((kind, result, fresh if new else cards) for kind, result, cards, fresh in span["counts"])


def _added(rows: Iterable[tuple[int, str, int]]) -> _Counts:
    counts: _Counts = Counter()
    for kind, result, cards in rows:
        counts[kind, result] += cards
    return counts


def _basis(forecast: dict[str, Any]) -> ForecastBasis:
    cells: list[tuple[int, str, str, int]] = forecast["cells"]
    return ForecastBasis(
        replay=forecast["replay"],
        since=forecast["since"],
        until=forecast["until"],
        compared=sum(cards for *_, cards in cells),
        changed=sum(cards for _, before, after, cards in cells if before != after),
        not_compared=forecast["not_compared"],
    )


def _span(span: dict[str, Any] | None) -> EffectSpan | None:
    if span is None:
        return None
    return EffectSpan(
        version=span["version"],
        since=span["since"],
        until=span["until"],
        cards=sum(cards for _, _, cards, _ in span["counts"]),
        new_cards=sum(new for *_, new in span["counts"]),
    )
