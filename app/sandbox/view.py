"""A plain page of the portal for a person watching the demo: leads and deals, stages, verdicts, comments.

Called by the server. Shows what is stored, escaped; changes nothing.
"""

from html import escape
from typing import Any

from app.sandbox.portal import SandboxPortal
from app.sandbox.schema import DEAL, LEAD
from app.sandbox.state.userfields import label
from app.sandbox.wire import as_list

_SHOWN = 100
_STYLE = (
    "body{font:15px system-ui,sans-serif;margin:2rem;color:#222}table{border-collapse:collapse;width:100%}"
    "td,th{border-bottom:1px solid #ddd;padding:.4rem .6rem;text-align:left;vertical-align:top}"
    "th{background:#f4f6f8}.S{color:#2a7d2a}.F{color:#b3261e}small{color:#666}pre{white-space:pre-wrap;margin:0}"
)


def portal_page(portal: SandboxPortal) -> str:
    """The whole page as HTML; the newest cards first, a hundred of each kind."""
    return (
        "<!doctype html><html lang='ru'><head><meta charset='utf-8'><title>Учебный портал</title>"
        f"<style>{_STYLE}</style></head><body><h1>Учебный портал Битрикс24</h1>"
        f"{_table(portal, LEAD, 'Лиды')}{_table(portal, DEAL, 'Сделки')}</body></html>"
    )


def _table(portal: SandboxPortal, entity_type_id: int, title: str) -> str:
    ids = portal.world.stores[entity_type_id].ids
    fields = {row["FIELD_NAME"]: row for row in portal.world.userfields.of(entity_type_id).values()}
    shown = [portal.item(entity_type_id, one) for one in reversed(ids[-_SHOWN:])]
    rows = "".join(_row(portal, entity_type_id, item, fields) for item in shown)
    head = "".join(f"<th>{word}</th>" for word in ("№", "Карточка", "Стадия", "Ответственный", "Поля", "Лента"))
    return f"<h2>{title}: {len(ids)}</h2><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _row(portal: SandboxPortal, entity_type_id: int, item: dict[str, Any], fields: dict[str, Any]) -> str:
    category = item.get("categoryId") or 0
    stage = portal.world.dictionaries.stage(entity_type_id, category, item["stageId"])
    user = portal.world.people.users.get(item.get("assignedById") or 0)
    custom = (
        f"<div><small>{escape(label(row['EDIT_FORM_LABEL']) or name)}:</small> "
        f"{escape(_value(row, item.get(name)))}</div>"
        for name, row in fields.items()
        if item.get(name) not in (None, "", [], False)
    )
    comments = portal.comments(entity_type_id, item["id"])
    feed = "".join(f"<pre>{escape(one['COMMENT'])}</pre>" for one in comments)
    todos = "".join(
        f"<div><small>Дело:</small> {escape(str(one['SUBJECT']))}</div>"
        for one in portal.activities(entity_type_id, item["id"])
    )
    company = item.get("companyTitle") or ""
    name = f"<b>{escape(str(item['title']))}</b><br><small>{escape(str(company))}</small>"
    amount = f"<br><small>{item.get('opportunity') or 0} {escape(str(item.get('currencyId')))}</small>"
    person = escape(f"{user.name} {user.last_name}") if user else ""
    semantics = escape(str(item.get("stageSemanticId")))
    stage_name = escape(stage.name if stage else str(item["stageId"]))
    return (
        f"<tr><td>{item['id']}</td><td>{name}{amount}</td><td class='{semantics}'>{stage_name}</td>"
        f"<td>{person}</td><td>{''.join(custom)}</td><td>{feed}{todos}</td></tr>"
    )


def _value(row: dict[str, Any], value: Any) -> str:
    options = {option["ID"]: option["VALUE"] for option in row.get("LIST", [])}
    return ", ".join(str(options.get(str(one), one)) for one in as_list(value))
