"""Every method of the emulated portal by its lower-case name. `method.get` reads this same table."""

from app.sandbox.methods import (
    activities,
    catalog,
    dictionaries,
    items,
    legacy,
    openlines,
    people,
    rows,
    system,
    timeline,
    userfields,
)
from app.sandbox.methods.base import Call, Method, Reply
from app.sandbox.world import World

METHODS: dict[str, Method] = {
    name: method
    for family in (
        activities,
        catalog,
        dictionaries,
        items,
        legacy,
        openlines,
        people,
        rows,
        system,
        timeline,
        userfields,
    )
    for name, method in family.METHODS.items()
}


def allowed(world: World, method: Method) -> bool:
    """Whether the webhook's scopes cover the method."""
    return not method.scope or bool(world.scopes & {method.scope, *method.alternatives})


def method_get(call: Call) -> Reply:
    found = METHODS.get(str(call.legacy().get("name") or "").lower())
    available = found is not None and not found.app_only and allowed(call.world, found)
    return Reply({"isExisting": found is not None, "isAvailable": available})


METHODS["method.get"] = Method(method_get)
