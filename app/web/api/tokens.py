"""`/api/v1/tokens`: who may use the API and the pages. For administrators only."""

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from app.domain.messages import message
from app.store import tokens
from app.store.tokens import Role
from app.web.access import AsAdmin
from app.web.api.queries import LARGEST_NUMBER, LARGEST_PORTAL
from app.web.asking import portal_asked
from app.web.problems import ProblemAnswer, WebProblem
from app.web.state import Web
from app.web.team_asking import known_person

router = APIRouter(prefix="/tokens", tags=["access"])

_NAME = f"^{tokens.NAME}$"
TokenName = Annotated[str, Path(pattern=_NAME, description="What the token is called.")]


class TokenLine(BaseModel):
    """One named token; its secret is shown by its creation only."""

    id: int = Field(description="The number that the token itself begins with, after `ogon_`.")
    name: str
    role: Role
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    revoked_by: str | None
    last_used_at: datetime | None = Field(description="At most a minute too old.")
    portal_id: int | None = Field(description="With `user_id`: the portal of the person whose token it is.")
    user_id: int | None = Field(description="The one user of the portal whose token it is; null: nobody's in person.")


class WantedToken(BaseModel):
    """A token to be made."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=_NAME, description="Who or what will use it.", examples=["head of sales"])
    role: Role = Field(description="viewer reads; head also acts on single cards; admin may everything.")
    days: Annotated[int, Field(ge=1, le=tokens.MOST_DAYS)] | None = Field(
        default=None, description="After so many days it ends by itself; null: never."
    )
    user: Annotated[int, Field(ge=1, le=LARGEST_NUMBER)] | None = Field(
        default=None, description="Whose token it is, by the user's id in the portal: he may switch his own digests."
    )
    portal: Annotated[int, Field(ge=1, le=LARGEST_PORTAL)] | None = Field(
        default=None, description="Of which portal `user` is, where there are several."
    )


class NewToken(TokenLine):
    """The token just made."""

    token: str = Field(description="Send it as `Authorization: Bearer <token>`. It is not kept and not shown again.")


@router.get("")
async def list_tokens(
    web: Web,
    _caller: AsAdmin,
    *,
    revoked: Annotated[bool, Query(description="List revoked ones too.")] = False,
) -> list[TokenLine]:
    """Tokens in the order they were made, without their secrets."""
    async with web.database.reading() as session:
        known = await tokens.list_tokens(session, revoked_too=revoked)
    return [TokenLine.model_validate(token, from_attributes=True) for token in known]


@router.post("", status_code=201, responses={code: {"model": ProblemAnswer} for code in (404, 409)})
async def create_token(web: Web, caller: AsAdmin, wanted: WantedToken) -> NewToken:
    """Make a token. The answer is the only place where it is ever shown."""
    expires_at = web.clock() + timedelta(days=wanted.days) if wanted.days is not None else None
    try:
        async with web.database.writing() as session:
            person = None
            if wanted.user is not None:
                where = await portal_asked(session, wanted.portal)
                await known_person(session, where.id, wanted.user)
                person = where.id, wanted.user
            made, secret = await tokens.create(
                session, name=wanted.name, role=wanted.role, by=caller.name, expires_at=expires_at, person=person
            )
    except ValueError as error:
        said = message("The name was not taken: {why}.", why=str(error))
        raise WebProblem(422, "invalid_value", said, path="body.name") from error
    except tokens.TokenExists as error:
        raise WebProblem(409, "name_taken", message("{detail}", detail=str(error)), path="body.name") from error
    line = TokenLine.model_validate(made, from_attributes=True)
    return NewToken(**line.model_dump(), token=secret.get_secret_value())


@router.delete("/{name}", responses={404: {"model": ProblemAnswer}})
async def revoke_token(web: Web, caller: AsAdmin, *, name: TokenName) -> TokenLine:
    """End the token at once, with all sessions that were opened with it."""
    try:
        async with web.database.writing() as session:
            ended = await tokens.revoke(session, name, by=caller.name)
    except tokens.TokenUnknown as error:
        raise WebProblem(404, "token_unknown", message("{detail}", detail=str(error)), path="name") from error
    return TokenLine.model_validate(ended, from_attributes=True)
