"""All of the API as one router: every path needs a token, changes need a role, every error has one shape."""

from fastapi import APIRouter, Depends

from app.web.access import as_viewer
from app.web.api import (
    absences,
    activities,
    activity,
    audit,
    calculator,
    calendars,
    cards,
    clients,
    completeness,
    digests,
    effects,
    exceptions,
    people,
    pools,
    portals,
    preview,
    reactions,
    replays,
    reports,
    reviews,
    rules,
    segments,
    tokens,
)
from app.web.bearer import scheme
from app.web.problems import ProblemAnswer

router = APIRouter(
    prefix="/api/v1",
    dependencies=[Depends(scheme), Depends(as_viewer)],
    responses={code: {"model": ProblemAnswer} for code in (400, 401, 403, 422, 429, 503)},
)
router.include_router(cards.router)
router.include_router(activities.router)
router.include_router(activity.router)
router.include_router(portals.router)
router.include_router(pools.router)
router.include_router(completeness.router)
router.include_router(rules.router)
router.include_router(tokens.router)
router.include_router(audit.router)
router.include_router(calculator.router)
router.include_router(clients.router)
router.include_router(exceptions.router)
router.include_router(effects.router)
router.include_router(reviews.router)
router.include_router(preview.router)
router.include_router(reactions.router)
router.include_router(replays.router)
router.include_router(reports.router)
router.include_router(people.router)
router.include_router(calendars.router)
router.include_router(absences.router)
router.include_router(digests.router)
router.include_router(segments.router)
