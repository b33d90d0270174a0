"""`ogon backfill` at the terminal: a table of what was read, and a word where it can't be."""

from app.commands import console


def test_it_tells_what_was_read_and_what_may_not_be(portal, ogon, monkeypatch) -> None:
    monkeypatch.setattr(console.err, "width", 200)
    lead = portal.portal.ui_add(1, {"title": "busy"})
    for _ in range(3):
        portal.portal.ui_call(1, lead, seconds=5)
    code, said = ogon("backfill", "--from", "2024-01-31")
    assert code == 0
    read = {line.split("│")[1].strip(): line.split("│")[2].strip() for line in said.splitlines() if "│" in line}
    assert (read["activity.new"], read["call.new"], read["lead.owners"], read["deal.moves"]) == ("3", "3", "1", "0")

    portal.portal.scopes.discard("telephony")
    code, said = ogon("backfill", "--from", "2024-01-31")
    assert code == 0, "what the portal refuses is told, and no failure of ours"
    assert "telephony" in said or "scope" in said.lower()


def test_a_day_to_come_is_refused(ogon) -> None:
    code, _ = ogon("backfill", "--from", "2999-01-01")
    assert code == 1
    code, _ = ogon("backfill")
    assert code == 2
