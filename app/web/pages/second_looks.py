"""`/second-looks`: rejected leads drawn by lot, and whether they were rightly rejected. The API's own answers."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from app.store.second_looks import Answer
from app.web import rendering
from app.web.api.reviews import LookAnswer, answer_second_look, list_second_looks
from app.web.pages.frame import frame_of
from app.web.sign_in import HeadForm, SignedIn
from app.web.state import Web

router = APIRouter()
_PER_PAGE = 20
_Said = Annotated[str, Form(min_length=1, max_length=1000, pattern=r"\S")]


@router.get("/second-looks", dependencies=[SignedIn])
async def second_looks_page(
    web: Web,
    request: Request,
    *,
    portal: int | None = None,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
    answered: bool = False,
) -> HTMLResponse:
    """The looks that wait for an answer, and the false-reject rate so far."""
    async with web.database.reading() as session:
        frame = await frame_of(session, request, portal)
    told = await list_second_looks(
        web, answer="none", portal=frame.portal.id, limit=_PER_PAGE, offset=(page - 1) * _PER_PAGE
    )
    return rendering.page(
        request,
        "second_looks.html",
        **frame.context,
        told=told,
        page=page,
        pages=max(1, -(-told.total // _PER_PAGE)),
        answered=answered,
    )


@router.post("/second-looks/{id}")
async def answer_look(
    web: Web,
    caller: HeadForm,
    *,
    id: int,  # noqa: A002 - in the address
    answer: Annotated[Answer, Form()],
    who: _Said,
    why: _Said,
    portal: Annotated[int, Form()],
) -> Response:
    """Keep the answer, and show the next."""
    await answer_second_look(web, caller, id=id, said=LookAnswer(answer=answer, who=who, why=why))
    return RedirectResponse(f"/second-looks?portal={portal}&answered=1", status_code=303)
