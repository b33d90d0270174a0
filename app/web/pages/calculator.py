"""`/calculator`: what one deal must earn for the month to pay, beside what past deals earned and the rules demand."""

from decimal import Decimal
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import ValidationError

from app.domain.messages import message
from app.web import rendering
from app.web.api.calculator import MinimumAnswer, MinimumQuestion, minimum_of
from app.web.figures import Writer
from app.web.pages.frame import Frame, frame_of
from app.web.problems import WebProblem
from app.web.sign_in import SignedIn
from app.web.state import Web, WebState

router = APIRouter()
_Field = Annotated[str, Query(max_length=30)]


@router.get("/calculator", dependencies=[SignedIn])
async def calculator_page(
    web: Web,
    request: Request,
    *,
    portal: int | None = None,
    monthly_cost: _Field = "",
    deals_a_month: _Field = "",
    since: _Field = "",
    until: _Field = "",
) -> HTMLResponse:
    """The form, and the answer where it was asked."""
    async with web.database.reading() as session:
        frame = await frame_of(session, request, portal)
    typed = {"monthly_cost": monthly_cost, "deals_a_month": deals_a_month, "since": since, "until": until}
    told, wrong = (await _answer(web, frame, typed)) if monthly_cost or deals_a_month else (None, {})
    return rendering.page(
        request,
        "calculator.html",
        status=422 if wrong else 200,
        **frame.context,
        typed=typed,
        told=told,
        wrong=wrong,
        money=partial(_money, Writer(frame.texts)),
    )


def _money(writer: Writer, value: Decimal | None) -> str:
    return writer.figure(value, "money").text


async def _answer(web: WebState, frame: Frame, typed: dict[str, str]) -> tuple[MinimumAnswer | None, dict[str, str]]:
    """The answer, or what is wrong with each field."""
    numbers = {"monthly_cost", "deals_a_month"}
    given: dict[str, Any] = {
        name: text.replace(" ", "").replace("\xa0", "").replace(",", ".") if name in numbers else text
        for name, text in typed.items()
        if text
    }
    say = frame.texts.say
    try:
        return await minimum_of(web, MinimumQuestion(**given, portal=frame.portal.id)), {}
    except ValidationError as error:
        number, day = say(message("Give a number.")), say(message("Give a day."))
        return None, {str(one["loc"][0]): number if one["loc"][0] in numbers else day for one in error.errors()}
    except WebProblem as problem:
        return None, {problem.path or "monthly_cost": say(problem.said)}
