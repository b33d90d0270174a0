"""What we sell: rows by product and section, words by stem."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.facts import Row, Truth
from app.domain.nomenclature import rows_fit, term_in
from app.domain.plain_text import LONGEST, plain_text
from app.domain.ruleset import Nomenclature
from tests.domain.judging_world import FREE_ROW, law

Y, N, U = Truth.YES, Truth.NO, Truth.UNKNOWN
ANY = Nomenclature()
SECTION = Nomenclature(sections=(5,))
PRODUCT = Nomenclature(products=(77,))


@pytest.mark.parametrize(
    ("rows", "nomenclature", "truth"),
    [
        pytest.param((Row(1, "a"),), ANY, Y, id="any-catalog-row"),
        pytest.param((FREE_ROW,), ANY, N, id="free-text"),
        pytest.param((FREE_ROW, Row(1, "a")), ANY, Y, id="one-in-is-enough"),
        pytest.param((Row(1, "a", (5,)),), SECTION, Y, id="section"),
        pytest.param((Row(1, "a", (9, 5)),), SECTION, Y, id="section-above"),
        pytest.param((Row(1, "a", (6,)),), SECTION, N, id="other-section"),
        pytest.param((Row(1, "a", ()),), SECTION, N, id="root"),
        pytest.param((Row(1, "a", None),), SECTION, U, id="section-not-read"),
        pytest.param((Row(1, "a", None), FREE_ROW), SECTION, U, id="not-read-beside-free-text"),
        pytest.param((Row(1, "a", None), Row(2, "b", (5,))), SECTION, Y, id="not-read-beside-in"),
        pytest.param((Row(77, "a", None),), PRODUCT, Y, id="product"),
        pytest.param((Row(78, "a", None),), PRODUCT, N, id="other-product"),
        pytest.param((Row(77, "a", None),), Nomenclature(sections=(5,), products=(77,)), Y, id="product-or-section"),
        pytest.param((FREE_ROW,), SECTION, N, id="free-text-with-sections"),
    ],
)
def test_rows(rows: tuple[Row, ...], nomenclature: Nomenclature, truth: Truth) -> None:
    assert rows_fit(rows, nomenclature) is truth


@pytest.mark.parametrize(
    ("term", "text"),
    [
        pytest.param("парогенератор", "Нужны два парогенератора на 2 т/ч", id="case-form"),
        pytest.param("парогенератор", "ПАРОГЕНЕРАТОРЫ", id="upper-case"),
        pytest.param("котел", "паровой котёл", id="yo-in-text"),
        pytest.param("котёл", "паровой котел", id="yo-in-term"),
        pytest.param("котёл", "кот\u0435\u0308л", id="yo-in-two-signs"),
        pytest.param("паровой котел", "речь о паровом котле", id="words-in-a-row"),
        pytest.param("котёл", "нужны котлы", id="fleeting-vowel"),
        pytest.param("горелка", "пять горелок", id="fleeting-vowel-in-text"),
        pytest.param("водогрейная установка", "ищем водогрейные установки", id="two-words-plural"),
        pytest.param("паро-генератор", "парогенератор", id="hyphen-in-term"),
        pytest.param("парогенератор", "паро-генератора", id="hyphen-in-text"),
        pytest.param("блочно-модульная котельная", "блочно модульную котельную", id="hyphen-as-space"),
        pytest.param("котельная", "блочно-модульные котельные", id="word-after-hyphenated"),
        pytest.param("steam boiler", "We need STEAM BOILERS.", id="english"),
        pytest.param("ДЕ-10", "котел де-10-14", id="model"),
    ],
)
def test_terms_are_found_by_stem(term: str, text: str) -> None:
    assert term_in(text, ("чайник", term)) == term


@pytest.mark.parametrize(
    ("terms", "text"),
    [
        pytest.param((), "паровой котёл", id="no-terms"),
        pytest.param(("котёл",), "", id="no-text"),
        pytest.param(("паровой котёл",), "котёл не паровой, электрический", id="not-in-a-row"),
        pytest.param(("пар",), "партия", id="part-of-a-word"),
        pytest.param(("", " - ", "…"), "паровой котёл", id="terms-without-words"),
    ],
)
def test_terms_not_found(terms: tuple[str, ...], text: str) -> None:
    assert term_in(text, terms) is None


@law
@given(st.text(max_size=60), st.lists(st.text(max_size=12), max_size=3))
def test_any_text_and_terms_are_taken(text: str, terms: list[str]) -> None:
    assert term_in(text, terms) in {None, *terms}


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        pytest.param("[b]Котёл[/b] [url=http://x]тут[/url]", "Котёл тут", id="bb-code"),
        pytest.param("<p>Котёл</p><p>два<br/>три</p>", "Котёл два три", id="html"),
        pytest.param("Па<b>ро</b>вой &laquo;котёл&raquo;&nbsp;5&lt;6", "Паровой «котёл» 5<6", id="tags-and-entities"),
        pytest.param("<script>alert('котёл')</script>ок<style>x", "ок", id="unseen"),
        pytest.param("расход <3 т/ч [насос]", "расход <3 т/ч [насос]", id="not-tags"),
        pytest.param("<td>один</td><td>два</td>[*]три", "один два три", id="cells"),
        pytest.param("a\x00b\ud800c\r\n\td", "a b c d", id="control-signs"),
    ],
)
def test_plain_text(raw: str, plain: str) -> None:
    assert plain_text(raw) == plain


@pytest.mark.parametrize("piece", ["<script>", "<", "[url=", "[b", "<a ", "&", "a"])
def test_hostile_text_is_cut_and_does_not_hang(piece: str) -> None:
    assert len(plain_text(piece * 200_000)) <= LONGEST
