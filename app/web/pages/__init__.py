"""What people see: one file, one page or one subject. Each asks for a session, and each form for its CSRF token.

A page shows what the API's functions answer, or reads the store itself; it reckons nothing of its own.
"""

from fastapi import APIRouter

from app.web.pages import (
    calculator,
    card,
    cards,
    rejected,
    reports,
    rules,
    rules_edit,
    rules_replays,
    second_looks,
    team,
    today,
)

router = APIRouter(include_in_schema=False)
PARTS = (today, cards, card, second_looks, reports, rules, rules_edit, rules_replays, calculator, team, rejected)
for _part in PARTS:
    router.include_router(_part.router)
