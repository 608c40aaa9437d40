"""Reading labelled messages."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatbot.errors import SettingsError
from chatbot.training.nlu import Example, read_examples

RASA = """version: "3.1"
nlu:
- intent: order_status
  examples: |
    - where is my [Breeze Pro](product)
    - is [TP2610034587]{"entity": "order", "role": "id"} on its way?
    -   blanks around
- lookup: product
  examples: |
    - Breeze Lite
- regex: order
  examples: |
    - TP\\d{10}
- synonym: credit
  examples: |
    - credit card
- intent: faq/returns
  examples:
  - text: "can I return it [really?]"
  - plain
"""


def test_rasa_examples_lose_their_annotations_and_other_sections_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "nlu.yml"
    path.write_text(RASA, encoding="utf-8")
    assert read_examples(path) == [
        Example("where is my Breeze Pro", "order_status"),
        Example("is TP2610034587 on its way?", "order_status"),
        Example("blanks around", "order_status"),
        Example("can I return it [really?]", "faq/returns"),
        Example("plain", "faq/returns"),
    ]


def test_csv_with_quotes_a_byte_order_mark_and_empty_rows(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_text('\ufefftext,label\n"a, ""b""\nc",x\n,y\nd,\n你好,z\n', encoding="utf-8")
    assert read_examples(path) == [Example('a, "b"\nc', "x"), Example("你好", "z")]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"question,answer\na,b\n", "columns question, answer; expected text and label"),
        ("a.csv", b"text,label\n", "holds no examples"),
        ("a.csv", b"text,label\n\xff\xfe,x\n", "readable UTF-8"),
        ("a.yml", b"nlu: {a: b}\n", "list under"),
        ("a.yml", b"- [", "cannot be read"),
        ("a.yml", b"nlu:\n- intent: a\n  examples: 5\n", "entry 1"),
        ("a.txt", b"", "expected nlu.yml"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=message):
        read_examples(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.yml"):
        read_examples(tmp_path / "nowhere.yml")
