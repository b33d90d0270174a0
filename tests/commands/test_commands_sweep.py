"""`ogon sweep` at the terminal: a table of what was found, and a word when a portal can't be swept."""


def test_it_tells_what_each_source_found_and_goes_on_from_there(portal, ogon) -> None:
    for number in range(3):
        portal.portal.ui_add(1, {"title": f"lead {number}"})
    code, said = ogon("sweep")
    assert code == 0
    rows = {line.split("│")[1].strip(): line for line in said.splitlines() if line.startswith("│")}
    assert [cell.strip() for cell in rows["lead.changed"].split("│")[2:5]] == ["3", "3", "0"]
    assert "deal.moves" in rows

    code, said = ogon("sweep", "1")
    assert code == 0
    assert ": 0 news" in said, "what waits in the journal is no news"


def test_a_portal_out_of_reach_is_said_and_the_code_is_1(portal, ogon) -> None:
    portal.portal.rest.secret = "another"
    code, said = ogon("sweep")
    assert code == 1
    assert "Make a new incoming webhook" in said
    assert portal.portal.webhook_secret not in said


def test_an_unknown_portal_is_a_sentence(ogon) -> None:
    code, _ = ogon("sweep", "elsewhere")
    assert code == 1
