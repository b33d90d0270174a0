"""The custom fields Ogon keeps in a portal: the single table behind provision, check and the dictionary.

Design section 4. Names and XML_IDs are public; labels are what people see in the portal. Data only.
"""

from dataclasses import dataclass
from typing import Final, Literal

from app.domain.snapshot import Entity

FieldKind = Literal["string", "double", "boolean", "date", "enumeration", "crm_status"]


@dataclass(frozen=True, slots=True)
class Label:
    """A name in both languages of the product."""

    ru: str
    en: str


@dataclass(frozen=True, slots=True)
class Item:
    """One value of an enumeration: its XML_ID and its name (the portal keeps one text for all languages)."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class PortalField:
    """One custom field. `precision` for double; `directory` for crm_status; `items` for enumeration."""

    entity: Entity
    name: str
    kind: FieldKind
    label: Label
    items: tuple[Item, ...] = ()
    multiple: bool = False
    precision: int | None = None
    directory: str | None = None


_YES_NO: Final = (Item("yes", "Да"), Item("no", "Нет"))
_VERDICTS: Final = (
    Item("deal", "Огонь: сделка"),
    Item("company", "Группа развития"),
    Item("junk", "Брак"),
    Item("review", "Решает человек"),
    Item("needs_data", "Не хватает данных"),
)
_GRADES: Final = (Item("AAA", "AAA"), Item("BBB", "BBB"), Item("CCC", "CCC"), Item("none", "Без класса"))
_ROLES: Final = (Item("economic", "Экономический"), Item("technical", "Технический"), Item("user", "Пользователь"))
_SCOPES: Final = (Item("whole", "Вся потребность"), Item("part", "Часть потребности"))
_SEGMENTS: Final = (
    Item("new", "Новый"),
    Item("regular", "Постоянный"),
    Item("sleeping", "Спящий"),
    Item("nurture", "Группа развития"),
)
_STEAM: Final = Label("Огонь: потребление пара, т/ч", "Ogon: steam consumption, t/h")
_WHY: Final = Label("Огонь: почему", "Ogon: why")

FIELDS: Final[tuple[PortalField, ...]] = (
    PortalField(Entity.LEAD, "UF_CRM_OGON_STEAM_TPH", "double", _STEAM, precision=3),
    PortalField(
        Entity.LEAD,
        "UF_CRM_OGON_TURNOVER",
        "double",
        Label("Огонь: оборот компании, руб. в год", "Ogon: company turnover, RUB a year"),
        precision=2,
    ),
    PortalField(
        Entity.LEAD,
        "UF_CRM_OGON_INDUSTRY",
        "crm_status",
        Label("Огонь: отрасль", "Ogon: industry"),
        directory="INDUSTRY",
    ),
    PortalField(
        Entity.LEAD,
        "UF_CRM_OGON_REQUEST_FIT",
        "enumeration",
        Label("Огонь: запрос в номенклатуре", "Ogon: request fits the nomenclature"),
        _YES_NO,
    ),
    PortalField(Entity.LEAD, "UF_CRM_OGON_VERDICT", "enumeration", Label("Огонь: вердикт", "Ogon: verdict"), _VERDICTS),
    PortalField(Entity.LEAD, "UF_CRM_OGON_WHY", "string", _WHY),
    PortalField(
        Entity.DEAL, "UF_CRM_OGON_NEED", "enumeration", Label("Огонь: есть потребность", "Ogon: need"), _YES_NO
    ),
    PortalField(Entity.DEAL, "UF_CRM_OGON_BUDGET", "enumeration", Label("Огонь: есть бюджет", "Ogon: budget"), _YES_NO),
    PortalField(
        Entity.DEAL,
        "UF_CRM_OGON_NEEDED_BY",
        "date",
        Label("Огонь: срок поставки", "Ogon: needed by"),
    ),
    PortalField(
        Entity.DEAL,
        "UF_CRM_OGON_MARGIN",
        "double",
        Label("Огонь: ожидаемая прибыль, руб.", "Ogon: expected profit, RUB"),
        precision=2,
    ),
    PortalField(
        Entity.DEAL,
        "UF_CRM_OGON_ROLES",
        "enumeration",
        Label("Огонь: закупочный центр", "Ogon: buying centre covered"),
        _ROLES,
        multiple=True,
    ),
    PortalField(
        Entity.DEAL,
        "UF_CRM_OGON_NEED_SCOPE",
        "enumeration",
        Label("Огонь: объём потребности", "Ogon: need scope"),
        _SCOPES,
    ),
    PortalField(Entity.DEAL, "UF_CRM_OGON_TRIAL", "boolean", Label("Огонь: пробная поставка", "Ogon: trial delivery")),
    PortalField(
        Entity.DEAL, "UF_CRM_OGON_PROSPECTS", "boolean", Label("Огонь: есть перспективы", "Ogon: has prospects")
    ),
    PortalField(Entity.DEAL, "UF_CRM_OGON_GRADE", "enumeration", Label("Огонь: класс сделки", "Ogon: grade"), _GRADES),
    PortalField(Entity.DEAL, "UF_CRM_OGON_CHECKLIST", "string", Label("Огонь: самопроверка", "Ogon: self-check list")),
    PortalField(Entity.DEAL, "UF_CRM_OGON_WHY", "string", _WHY),
    PortalField(Entity.COMPANY, "UF_CRM_OGON_STEAM_TPH", "double", _STEAM, precision=3),
    PortalField(
        Entity.COMPANY, "UF_CRM_OGON_SEGMENT", "enumeration", Label("Огонь: сегмент", "Ogon: segment"), _SEGMENTS
    ),
)

FIELDED: Final = (Entity.LEAD, Entity.DEAL, Entity.COMPANY)
"""Object types that carry our fields."""


def codes_by_text(entity: Entity, name: str) -> dict[str, str]:
    """Our code by the text of an item, for portals that show texts but no XML_IDs; empty for fields not ours."""
    return {
        item.text: item.code for field in FIELDS if (field.entity, field.name) == (entity, name) for item in field.items
    }
