"""md, html, docx, pdf, txt: headings become questions."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from knowledge_base.entry import Entry
from knowledge_base.errors import ReadError
from knowledge_base.reading.sections import MAX_ANSWER

from .files import WORD, document, packed, pdf

Read = Callable[[str, str | bytes], list[Entry]]


def pairs(entries: list[Entry]) -> list[tuple[str, str]]:
    return [(entry.question, entry.answer) for entry in entries]


def test_markdown_headings_join_unless_they_ask(read: Read) -> None:
    text = (
        "# Shop\n## Delivery\n### China\n2 **days**\n\n- one\n- [two](http://a.b)\n\n"
        "## Can I *change* it?\nYes.\n```\n# no heading\n```\n"
    )
    assert pairs(read("a.md", text)) == [
        ("Delivery – China", "2 days\n- one\n- two (http://a.b)"),
        ("Can I change it?", "Yes.\n# no heading"),
    ]


def test_html_takes_headings_details_and_definitions_but_no_scripts(read: Read) -> None:
    page = (
        "<title>FAQ</title><script>alert('<h2>x</h2>')</script><nav>home</nav><h2>Why?</h2>"
        "<p>Because<br>of it &amp; more.<script>1</script></p>"
        "<details><summary>Where?</summary><p>Here</p></details><dl><dt>When?</dt><dd>Now</dd></dl>"
    )
    assert pairs(read("a.html", page)) == [
        ("Why?", "Because\nof it & more."),
        ("Where?", "Here"),
        ("When?", "Now"),
    ]


def test_html_is_read_in_the_encoding_it_states(read: Read) -> None:
    page = '<meta charset="shift_jis"><h2>返品できますか？</h2><p>はい、できます。</p>'
    [entry] = read("a.html", page.encode("shift_jis"))
    assert (entry.language, entry.question) == ("ja", "返品できますか？")


def test_html_nested_100000_deep_is_read(read: Read) -> None:
    assert pairs(read("a.html", "<div>" * 100_000 + "<h2>a?</h2>x" + "</div>" * 100_000)) == [("a?", "x")]


def test_word_headings(read: Read) -> None:
    made = document(
        [
            ("Title", "FAQ"),
            ("Heading 1", "Costs"),
            ("Heading 2", "Abroad"),
            ("Normal", "8 yuan"),
            ("List Bullet", "or 9"),
        ]
    )
    [(question, answer)] = pairs(read("a.docx", made))
    assert question.endswith("Abroad")
    assert answer.startswith("8 yuan")


def test_word_without_headings_is_read_as_text(read: Read) -> None:
    assert pairs(read("a.docx", document([("Normal", "问：多久？"), ("Normal", "答：两天。")]))) == [
        ("多久？", "两天。")
    ]


def test_pdf_questions(read: Read) -> None:
    assert pairs(read("a.pdf", pdf(["How long does it take?", "Two days."]))) == [
        ("How long does it take?", "Two days.")
    ]


def test_text_pairs_in_two_languages(read: Read) -> None:
    entries = read("a.txt", "Q: Where is it?\nA: Here.\nAnd there.\n\n问：在哪里？\n答：在这里。\n")
    assert pairs(entries) == [("Where is it?", "Here.\nAnd there."), ("在哪里？", "在这里。")]
    assert [entry.language for entry in entries] == ["en", "zh"]


def test_long_sections_are_split_at_paragraphs(read: Read) -> None:
    entries = read("a.md", "# Terms\n\n" + "\n\n".join(f"{n} " + "word " * 100 for n in range(10)))
    assert [entry.question for entry in entries] == [
        "Terms",
        "Terms (2)",
        "Terms (3)",
        "Terms (4)",
        "Terms (5)",
    ]
    assert max(len(entry.answer) for entry in entries) <= MAX_ANSWER + 10
    assert len({entry.id for entry in entries}) == 5


@pytest.mark.parametrize("character", ["a", "*", "[", "<a", "`", "a. ", "# ", "- ", "_a", "&"])
@pytest.mark.parametrize("suffix", ["md", "html", "txt"])
def test_repetition_takes_linear_time(read: Read, suffix: str, character: str) -> None:
    import time

    started = time.process_time()
    try:
        read(f"a.{suffix}", character * 200_000)
    except ReadError as error:
        assert "a." in str(error)  # noqa: PT017 - only the time matters
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.html", "<script>" * 1000 + "x", "found no text"),
        ("a.pdf", b"junk", "found no PDF"),
        ("a.pdf", b"%PDF-1.4\n" + bytes(range(256)) * 10, "damaged|without text"),
        ("a.pdf", pdf(), "pages without text"),
        ("a.pdf", pdf(["x"], password="secret"), "encrypted PDF"),
        ("a.docx", document([("Normal", "x")])[:3000], "its end is missing"),
        ("a.docx", packed({"a": "b"}), "no Word document"),
        ("a.docx", packed({"word/document.xml": "<a><b>"}), "not readable as a Word document"),
        ("a.docx", packed({"word/document.xml": f'<w:document xmlns:w="{WORD}"/>'}), "found no text"),
        ("a.docx", b"\xd0\xcf\x11\xe0" + b"0" * 100, "with a password"),
    ],
)
def test_bad_documents_are_named(read: Read, name: str, content: str | bytes, said: str) -> None:
    with pytest.raises(ReadError, match=said):
        read(name, content)


def test_entities_are_not_followed(read: Read) -> None:
    xml = (
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
        f'<w:document xmlns:w="{WORD}"><w:p><w:r><w:t>safe&x;</w:t></w:r></w:p></w:document>'
    )
    try:
        entries = read("a.docx", packed({"word/document.xml": xml}))
    except ReadError:
        return
    assert "root" not in entries[0].answer
