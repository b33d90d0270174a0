"""What people read: how a catalogue writes things, and that nothing in the code is left untranslated."""

import ast
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import app
from app import texts
from app.domain.facts import Fact, Facts, Kind
from app.domain.messages import message
from app.domain.ruleset import DEFAULT
from app.domain.stages import lead_gate
from app.domain.timeline import lead_comment
from app.texts import DOMAIN, Catalogue, catalogue, catalogue_path

ROOT = Path(app.__file__).parent
RU, EN = catalogue("ru"), catalogue("en")
NBSP = "\xa0"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        pytest.param(Decimal("1000000.50"), f"1{NBSP}000{NBSP}000,5", id="money"),
        pytest.param(Decimal("1E+9"), f"1{NBSP}000{NBSP}000{NBSP}000", id="an exponent"),
        pytest.param(Decimal("0.0000001234"), "0,0000001234", id="every digit"),
        pytest.param(1234, f"1{NBSP}234", id="a whole number"),
        pytest.param(date(2026, 8, 1), "01.08.2026", id="a date"),
        pytest.param(datetime(2026, 8, 1, 9, 5, tzinfo=UTC), "01.08.2026 09:05", id="a moment"),
        pytest.param(("a", Decimal("1.5")), "a, 1,5", id="a list"),
        pytest.param(message("yes"), "да", id="a message"),
        pytest.param((message("yes"), message("no")), "да, нет", id="messages"),
        pytest.param("{name} {0}", "{name} {0}", id="braces of strangers"),
    ],
)
def test_values_are_written_the_russian_way(value, said) -> None:
    assert RU.say(message("{name}", name=value)) == said


def test_english_needs_no_catalogue() -> None:
    said = message("Steam {value} t/h by {day}", value=Decimal("1234.50"), day=date(2026, 8, 1))
    assert EN.say(said) == "Steam 1,234.5 t/h by 1 Aug 2026"
    assert EN.gettext("Budget") == "Budget"
    assert EN.gettext("") == RU.gettext("") == ""


def test_an_unknown_text_stays_english_and_an_unknown_language_is_refused() -> None:
    assert RU.gettext("Nobody translated this") == "Nobody translated this"
    with pytest.raises(ValueError, match="give ru or en"):
        catalogue("de")


@pytest.mark.parametrize(
    ("template", "inner", "said"),
    [
        ("{a}: yes", "Budget is there", "Budget is there: yes"),
        ("why: {a}", "Budget is there", "why: budget is there"),
        ("why ({a})", "Budget is there", "why (budget is there)"),
        ("why: {a}", "IT is the industry", "why: IT is the industry"),
        ("Ask. {a}", "Budget is there", "Ask. Budget is there"),
        ("field “{a}”", "Budget", "field “Budget”"),
    ],
)
def test_a_message_inside_a_sentence_begins_small(template, inner, said) -> None:
    assert EN.say(message(template, a=message(inner))) == said


def test_a_name_inside_a_sentence_keeps_its_capital() -> None:
    assert EN.say(message("stage {a}", a="New")) == "stage New"


def test_questions_keep_their_marks() -> None:
    asked = message("{first}; {second}", first=message("How much?"), second=message("When?"))
    assert EN.say(message("answer: {questions}", questions=asked)) == "answer: how much? When?"
    assert EN.say(message("answer: {q}", q=(message("How much?"), message("When?")))) == "answer: how much? When?"


PLURALS = """
msgid ""
msgstr "Content-Type: text/plain; charset=utf-8\\n"

msgid "%d lead"
msgid_plural "%d leads"
msgstr[0] "%d лид"
msgstr[1] "%d лида"
msgstr[2] "%d лидов"

#, fuzzy
msgid "Guessed"
msgstr "Угадано"
"""


@pytest.fixture
def small_catalogue(tmp_path: Path) -> Catalogue:
    path = tmp_path / "ogon.po"
    path.write_text(PLURALS, encoding="utf-8")
    return Catalogue(RU.locale, texts._translations(path, RU.locale))


@pytest.mark.parametrize(("count", "said"), [(1, "%d лид"), (3, "%d лида"), (11, "%d лидов"), (21, "%d лид")])
def test_plurals_follow_the_language(small_catalogue, count, said) -> None:
    assert small_catalogue.ngettext("%d lead", "%d leads", count) == said


def test_a_guessed_translation_is_not_used(small_catalogue) -> None:
    assert small_catalogue.gettext("Guessed") == "Guessed"


def test_a_judged_lead_is_told_in_russian() -> None:
    facts = Facts(
        [
            Fact("steam_tph", Kind.NUMBER, Decimal("2.5"), "lead.X", others=(("company.X", Decimal(7)),)),
            Fact("turnover", Kind.NUMBER, None, problem=message("“{value}” is not a number", value="много")),
            Fact("industry", Kind.CODE, "MANUFACTURING", "lead.Y"),
            Fact("request_answer", Kind.CODE, "yes", "lead.Z"),
        ]
    )
    verdict = lead_gate.judge(facts, DEFAULT, date(2026, 8, 21))
    assert lead_comment(verdict, [message("The lead stays where it is.")], RU.say).splitlines() == [
        "[B]На рассмотрении: решает руководитель[/B]",
        (
            "Клиент не целевой (расход пара 2,5 т/ч: не больше 3 (взято из карточки «лид»; в карточке «компания»: "
            "7 т/ч)), но запрос подходит (смена подтвердила, что запрос по нашей номенклатуре): решает руководитель"
        ),
        (
            "✗ Расход пара 2,5 т/ч: не больше 3 (взято из карточки «лид»; в карточке «компания»: 7 т/ч). "
            "Подойдёт, если «Расход пара» больше 3 т/ч"
        ),
        ("? Оборот: нет данных, «много» — не число. Подойдёт, если «Оборот» больше 1 000 000 000 руб. в год"),
        "✓ Отрасль — производство: из списка",
        "✓ Смена подтвердила, что запрос по нашей номенклатуре",
        "[B]Что сделано:[/B] Лид остаётся на своей стадии.",
    ]


# Nothing is left untranslated


def _messages_in(path: Path) -> Iterator[tuple[int, str | None]]:
    """Line and template of each text in a module; None where one that must be written out on the spot is not."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    says = any(isinstance(n, ast.ImportFrom) and n.module == "app.domain.messages" for n in ast.walk(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            name = node.func.id
            if name in {"_", "gettext", "marked"} or (name == "message" and says):
                first = node.args[0] if node.args else None
                if isinstance(first, ast.Constant):
                    yield node.lineno, str(first.value)
                elif name in {"message", "marked"}:
                    yield node.lineno, None


def _texts_in_code() -> list[tuple[str, str | None]]:
    return [
        (f"{path.relative_to(ROOT)}:{line}", template)
        for path in sorted(ROOT.rglob("*.py"))
        for line, template in _messages_in(path)
    ]


def _texts_in_pages() -> list[tuple[str, str | tuple[str, ...]]]:
    found = extract_from_dir(ROOT / "web" / "templates", [("**", "jinja2")])
    return [(f"{path}:{line}", text) for path, line, text, _, _ in found]


def _catalog() -> Catalog:
    with catalogue_path("ru").open("rb") as source:
        return read_po(source, locale="ru", domain=DOMAIN)


def test_the_texts_in_the_code_are_found() -> None:
    assert len(_texts_in_code()) > 100


def test_every_text_is_written_out_where_it_is_said() -> None:
    assert [place for place, template in _texts_in_code() if template is None] == []


def test_every_text_has_a_russian_translation() -> None:
    catalog = _catalog()
    missing: list[tuple[str, str]] = []
    for place, text in [*_texts_in_code(), *_texts_in_pages()]:
        key = text[0] if isinstance(text, tuple) else text
        entry = catalog.get(key) if key else None
        if entry is None or entry.fuzzy or not all(_forms(entry)):
            missing.append((place, str(key)))
    assert missing == []


def _forms(entry: Message) -> tuple[str, ...]:
    """One translation, or one for each plural form."""
    return entry.string if isinstance(entry.string, tuple) else (entry.string,)


def _places(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


def test_a_translation_has_the_places_of_its_original() -> None:
    entries = [entry for entry in _catalog() if entry.id]
    different = [
        (entry.id, form)
        for entry in entries
        for form in _forms(entry)
        if form and _places(form) != _places(entry.id[-1] if isinstance(entry.id, tuple) else entry.id)
    ]
    assert entries
    assert different == []


def test_a_translation_is_russian() -> None:
    """Nobody pasted the original; what has no words of its own, like `{first}; {second}`, is the same in both."""
    entries = [entry for entry in _catalog() if re.search("[a-z]", re.sub(r"{.*?}", "", str(entry.id)), re.IGNORECASE)]
    assert entries
    assert [
        entry.id for entry in entries if any(form and not re.search("[а-яёА-ЯЁ]", form) for form in _forms(entry))
    ] == []
