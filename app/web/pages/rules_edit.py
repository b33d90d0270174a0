"""`/rules/edit`: a draft of rules as a form: checked value by value, tried on a card, replayed, published.

The draft lives in the form alone: each button sends all of it, and the page comes back with what is to be said.
Checking, trying, replaying and publishing are the API's own functions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Literal, cast

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import ValidationError

from app.domain.messages import Message, message
from app.store import completeness
from app.store.ruleset_document import ruleset_to_document
from app.web import rendering
from app.web.access import Caller, demand
from app.web.api.preview import CardAsked, Preview, PreviewAsked, preview
from app.web.api.replays import ReplayAsked, ask_replay
from app.web.api.rules import DraftRules, NewRules, check_rules, one_version, publish_rules, rules_in_force
from app.web.pages.frame import Frame, frame_of
from app.web.problems import WebProblem
from app.web.rules_form import Sent, document_of, facts_called, form_of
from app.web.sign_in import ReaderForm, SignedIn
from app.web.state import Web, WebState

router = APIRouter()
_USUAL_DAYS = 30
_ADD = "add:"


@dataclass(slots=True)
class Editing:
    """A draft and what is to be said about it. `based_on`: the version that was edited."""

    frame: Frame
    document: dict[str, Any]
    based_on: int
    typed: Mapping[str, str] = field(default_factory=dict[str, str])
    said: list[str] = field(default_factory=list[str])
    tried: Preview | None = None
    overtaken: list[Any] = field(default_factory=list[Any])
    status: int = 200


@router.get("/rules/edit", dependencies=[SignedIn])
async def edit_page(
    web: Web, request: Request, *, portal: int | None = None, version: int | None = None
) -> HTMLResponse:
    """The rules in force as a form, or those of an older version."""
    async with web.database.reading() as session:
        frame = await frame_of(session, request, portal)
    current = await rules_in_force(web, Response(), portal=frame.portal.id)
    source = current
    if version is not None:
        source = await one_version(web, Response(), version=version, portal=frame.portal.id)
    return await _page(web, request, Editing(frame, ruleset_to_document(source.document), current.version))


@router.post("/rules/edit")
async def edited(web: Web, request: Request, caller: ReaderForm) -> Response:
    """One of the form's buttons: `do` says which."""
    form = await request.form()
    sent: Sent = {name: [str(one) for one in form.getlist(name)] for name in form}
    typed = {name: values[0] for name, values in sent.items() if values}
    do = typed.get("do", "check")
    async with web.database.reading() as session:
        frame = await frame_of(session, request, _whole(typed.get("portal", "")))
    document = document_of(sent, add=do.removeprefix(_ADD) if do.startswith(_ADD) else "")
    draft = Editing(frame, document, _whole(typed.get("based_on", "")) or 0, typed)
    document["version"] = draft.based_on
    try:
        match do:
            case "publish":
                return await _publish(web, request, caller, draft)
            case "replay":
                return await _replay(web, request, caller, draft)
            case "preview":
                draft.tried = await _try(web, request, draft)
            case _:
                pass
    except ValidationError as error:
        draft.status = 422
        draft.said.append(_unfit(draft, error))
    except WebProblem as problem:
        draft.status = problem.status
        _refused(draft, problem)
    return await _page(web, request, draft)


async def _page(web: WebState, request: Request, draft: Editing) -> HTMLResponse:
    """The form with everything there is to say about the draft."""
    where = draft.frame.portal.id
    checked = await check_rules(web, request, DraftRules(document=cast("Any", draft.document)), portal=where)
    wrong: dict[str, list[str]] = {}
    for remark in checked.wrong:
        wrong.setdefault(remark.path, []).append(remark.message)
    async with web.database.reading() as session:
        today = await completeness.today(session, where, now=web.clock())
    return rendering.page(
        request,
        "rules_edit.html",
        status=draft.status,
        **draft.frame.context,
        draft=draft,
        form=form_of(draft.document, wrong, draft.frame.texts.say),
        facts=facts_called(draft.document, draft.frame.texts.say),
        checked=checked,
        since=draft.typed.get("since") or today - timedelta(days=_USUAL_DAYS),
    )


async def _publish(web: WebState, request: Request, caller: Caller, draft: Editing) -> Response:
    demand(caller, "admin")
    reason = draft.typed.get("reason", "")
    wanted = NewRules(document=cast("Any", draft.document), reason=reason, based_on=draft.based_on)
    where = draft.frame.portal.id
    told = await publish_rules(web, request, Response(), caller, wanted, portal=where)
    return RedirectResponse(rendering.address("/rules", portal=where, published=told.version), status_code=303)


async def _replay(web: WebState, request: Request, caller: Caller, draft: Editing) -> Response:
    demand(caller, "head")
    wanted = ReplayAsked(document=cast("Any", draft.document), since=cast("date", draft.typed.get("since", "")))
    told = await ask_replay(web, request, caller, wanted, portal=draft.frame.portal.id)
    return RedirectResponse(f"/rules/replays/{told.id}", status_code=303)


async def _try(web: WebState, request: Request, draft: Editing) -> Preview:
    asked = CardAsked(
        type=cast("Literal['lead', 'deal']", draft.typed.get("card_type", "lead")),
        id=cast("int", draft.typed.get("card_id", "")),
    )
    wanted = PreviewAsked(document=cast("Any", draft.document), card=asked)
    return await preview(web, request, wanted, portal=draft.frame.portal.id)


def _unfit(draft: Editing, error: ValidationError) -> str:
    """What of the fields beside the rules could not be taken."""
    texts: Mapping[str, Message] = {
        "reason": message("Say in a sentence why the rules change: it is kept with the version."),
        "id": message("Give the number of the card in the portal."),
        "since": message("Give the first day of the period."),
    }
    name = str(error.errors()[0]["loc"][-1])
    return draft.frame.texts.say(texts.get(name) or message("One of the fields beside the rules is wrong."))


def _refused(draft: Editing, problem: WebProblem) -> None:
    """What the page says of a refusal; what was overtaken is shown, and the draft goes on from it."""
    draft.said.append(draft.frame.texts.say(problem.said))
    if problem.code == "rules_changed":
        draft.overtaken = list(problem.more.get("changes", ()))
        draft.based_on = int(problem.more["current"])


def _whole(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 10 else None
