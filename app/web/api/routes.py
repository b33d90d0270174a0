"""All of the API as one router: every path needs ADMIN_TOKEN, every error has one shape."""

from fastapi import APIRouter, Depends

from app.web.api import cards, completeness, portals
from app.web.bearer import admin_only, scheme
from app.web.problems import ProblemAnswer

router = APIRouter(
    prefix="/api/v1",
    dependencies=[Depends(scheme), Depends(admin_only)],
    responses={code: {"model": ProblemAnswer} for code in (401, 422, 503)},
)
router.include_router(cards.router)
router.include_router(portals.router)
router.include_router(completeness.router)
