"""Links between cards that two fields tell: `contactId` with `contactIds`, `companyId` with `companyIds`.

Called by saving. Docs: crm/universal/object-fields.
"""

from typing import Any

from app.sandbox.schema import COMPANY, CONTACT
from app.sandbox.state.store import Item
from app.sandbox.world import World


def linked(world: World, entity_type_id: int, before: Item, values: Item) -> Item:
    """The values with both sides of each link in agreement."""
    if entity_type_id == CONTACT:
        return _paired(values, before, one="companyId", many="companyIds")
    if entity_type_id == COMPANY:
        if "id" in before and "contactIds" in values:
            set_contacts(world, before["id"], values["contactIds"])
        return {name: value for name, value in values.items() if name != "contactIds"}
    return _paired(values, before, one="contactId", many="contactIds")


def _paired(values: Item, before: Item, *, one: str, many: str) -> Item:
    """`many` wins; `one` alone becomes the first of the known ones."""
    if many in values:
        ids = [item for item in values[many] if item]
        return {**values, many: ids, one: ids[0] if ids else 0}
    if one in values:
        first: Any = values[one]
        others = [item for item in before.get(many, []) if item not in {first, before.get(one)}]
        return {**values, many: [first, *others] if first else others}
    return values


def set_contacts(world: World, company_id: int, contact_ids: list[int]) -> None:
    """Make these the people of the company; unknown ids are left out. Raises no event."""
    contacts = world.stores[CONTACT]
    wanted = [one for one in contact_ids if one in contacts.rows]
    for contact_id in set(world.company_contacts.get(company_id, [])) - set(wanted):
        contacts.put(_relinked(contacts.rows[contact_id], company_id, add=False))
    for contact_id in wanted:
        contacts.put(_relinked(contacts.rows[contact_id], company_id, add=True))
    world.company_contacts[company_id] = wanted


def _relinked(contact: Item, company_id: int, *, add: bool) -> Item:
    ids = [one for one in contact.get("companyIds", []) if one != company_id]
    if add:
        ids.append(company_id)
    return {**contact, "companyIds": ids, "companyId": ids[0] if ids else 0}
