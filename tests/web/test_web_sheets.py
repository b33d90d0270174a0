"""Reports as CSV and as a workbook: the same figures as the API tells, and nothing in them that runs."""

import csv
import io
import re
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from app.domain import interval
from app.domain.messages import message
from app.reports.report import Column, Row, Table
from app.store import dictionary
from app.store.database import Database
from app.store.portals import Portal
from app.texts import catalogue
from app.web.sheets import as_csv

pytestmark = pytest.mark.anyio

ADMIN = {"authorization": "Bearer admin-token-of-the-tests"}
EVIL = '=HYPERLINK("https://evil.example";"Site")'
PERIOD = {"since": "2026-01-01", "until": "2026-12-31"}


@pytest.fixture
async def leads(database: Database, portal: Portal) -> Portal:
    async with database.writing() as session:
        words = {"stages": [], "sources": {"WEB": EVIL}}
        await dictionary.save(session, portal_id=portal.id, document=words, read_at=datetime(2026, 3, 1, tzinfo=UTC))
        await session.execute(
            text("""
                INSERT INTO lead_figures (portal_id, card_id, created_at, judged_at, ending, source, heat)
                SELECT :portal, id, '2026-03-01Z', '2026-03-01Z', 'open', CASE WHEN id < 4 THEN 'WEB' END,
                       CASE WHEN id = 1 THEN 'hot' ELSE 'other' END
                FROM generate_series(1, 5) AS id
            """),
            {"portal": portal.id},
        )
    return portal


async def fetched(client: httpx.AsyncClient, path: str, **query: Any) -> httpx.Response:
    answer = await client.get(f"/api/v1/reports/{path}", params=query | PERIOD, headers=ADMIN)
    assert answer.status_code == 200, answer.text
    return answer


@pytest.mark.usefixtures("leads")
async def test_a_table_as_csv_has_the_figures_of_the_api_and_no_formula(client: httpx.AsyncClient) -> None:
    answer = await fetched(client, "channels.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert 'filename="channels-sources.csv"' in answer.headers["content-disposition"]
    assert answer.content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [(row["Source"], row["Leads"], row["Hot"][:8]) for row in rows] == [
        (f"'{EVIL}", "3", "0.333333"),
        ("not known", "2", "0.0"),
        ("Total", "5", "0.2"),
    ]
    low, high = (float(rows[0][f"Hot, {end}"]) for end in ("at least", "at most"))
    assert 0 < low < 1 / 3 < high < 1


@pytest.mark.usefixtures("leads")
async def test_a_workbook_has_a_sheet_for_each_table_and_no_formula(client: httpx.AsyncClient) -> None:
    answer = await fetched(client, "channels.xlsx")
    assert 'filename="channels.xlsx"' in answer.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as book:
        files = {name: book.read(name).decode() for name in book.namelist() if name.endswith(".xml")}
    names = re.findall(r'<sheet name="([^"]+)"', files["xl/workbook.xml"])
    assert names == ["About", "Leads by source and what became"]
    assert not any(
        "<f>" in content or "hyperlink" in content.lower()
        for name, content in files.items()
        if name.startswith("xl/worksheets/")
    )
    assert "=HYPERLINK" in files["xl/sharedStrings.xml"]
    assert "Source: filled for 3 of 5" in files["xl/sharedStrings.xml"]
    figures = re.findall(r"<v>([^<]+)</v>", files["xl/worksheets/sheet2.xml"])
    assert {"3", "2", "5", "0.2"} <= set(figures)


@pytest.mark.usefixtures("leads")
@pytest.mark.parametrize("name", ["funnel", "velocity", "money", "exceptions", "regular-clients"])
async def test_every_shape_of_report_makes_a_workbook(client: httpx.AsyncClient, name: str) -> None:
    with zipfile.ZipFile(io.BytesIO((await fetched(client, f"{name}.xlsx")).content)) as book:
        told = (await fetched(client, name)).json()
        sheets = re.findall(r'<sheet name="([^"]+)"', book.read("xl/workbook.xml").decode())
    assert len(sheets) == len(set(sheets)) == len(told["tables"]) + 1


@pytest.mark.usefixtures("leads")
async def test_an_unknown_table_says_which_there_are(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/reports/money.csv", params={"table": "years"}, headers=ADMIN)
    assert (answer.status_code, answer.json()["error"]["path"]) == (404, "table")
    assert "months, pipelines, sources" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        pytest.param("=1+1", "'=1+1", id="a formula"),
        pytest.param("@SUM(A1)", "'@SUM(A1)", id="an old formula"),
        pytest.param("+7 495", "'+7 495", id="a phone"),
        pytest.param("\tx", "'\tx", id="a tab"),
        pytest.param("a = b", "a = b", id="a text"),
        pytest.param(Decimal("-10.50"), "-10.50", id="money below nothing"),
        pytest.param(-2.5, "-2.5", id="a number below nothing"),
        pytest.param(None, "", id="nothing to tell"),
        pytest.param(date(2026, 3, 1), "2026-03-01", id="a day"),
        pytest.param(message("yes"), "да", id="a message"),
        pytest.param(interval.share(1, 4), "0.25", id="a share"),
    ],
)
def test_a_cell_is_written_plainly(value: Any, written: str) -> None:
    table = Table(
        "t", message("yes"), message("no"), (Column("c", message("yes"), "text"),), (Row("k", "label", {"c": value}),)
    )
    _, line = csv.reader(io.StringIO(as_csv(table, catalogue("ru")).decode("utf-8-sig")))
    assert line == ["label", written]
