"""The rules in force for a portal, as the domain reads them. Called by pipeline and web."""

from app.domain.ruleset import DEFAULT, Ruleset
from app.store import rulesets
from app.store.database import ReadSession, WriteSession
from app.store.ruleset_document import kept_ruleset, ruleset_to_document

FIRST_AUTHOR = "ogon"
FIRST_REASON = "The default rules, as installed."


async def rules_in_force(session: ReadSession, portal_id: int) -> Ruleset:
    """The portal's newest version; the defaults where none is published yet. Raises RulesetInvalid."""
    version = await rulesets.current(session, portal_id)
    return DEFAULT if version is None else kept_ruleset(version.document, version.version)


async def ensure_first_version(session: WriteSession, portal_id: int) -> None:
    """Publish the defaults as version 1 of a portal that has no rules yet."""
    if await rulesets.current(session, portal_id) is None:
        await rulesets.publish(
            session,
            portal_id=portal_id,
            edited_version=0,
            document=ruleset_to_document(DEFAULT),
            author=FIRST_AUTHOR,
            reason=FIRST_REASON,
        )
