"""`ogon rules rejudging` at the terminal: how far it is, what changed, and a word where there is nothing to tell."""

from functools import partial

import psycopg
import pytest


@pytest.fixture
def ogon(terminal):
    return partial(terminal, "rules", "rejudging")


def _cells(said: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("│")[1:3]] for line in said.splitlines() if line.startswith("│")]


def test_progress_is_told(ogon, database_conninfo) -> None:
    code, said = ogon()
    assert code == 0
    assert ["state", "due"] in _cells(said)
    with psycopg.connect(database_conninfo) as connection:
        connection.execute(
            'UPDATE rejudgings SET finished_at = now(), judged = 1200, changes = \'[[1, "junk", "deal", 3]]\''
        )
    code, said = ogon("1")
    assert code == 0
    cells = _cells(said)
    assert ["state", "finished"] in cells
    assert ["judged", "1,200"] in cells
    assert ["lead: junk → deal", "3"] in cells


def test_what_there_is_not_is_said(ogon) -> None:
    assert ogon("7") == (1, "That version judges no cards again: see `ogon rules` for the versions there are.\n")
    code, said = ogon("--portal", "9")
    assert code == 1
    assert "--portal" in said
