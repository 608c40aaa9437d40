"""Reading labelled messages."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatbot.errors import SettingsError
from chatbot.training.nlu import Example, read_examples, with_names

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


def test_the_name_of_a_label_with_few_examples_is_one_more_of_them() -> None:
    labels = ["card_arrival", "faq/Returns", "topUpFailed", "取消订单", *["many_examples"] * 17]
    texts = ["where is it", "send it back", "it failed", "不要了", *(f"text {n}" for n in range(17))]
    found, said = with_names(labels, texts)
    assert found[: len(labels)] == labels
    assert said[: len(texts)] == texts
    assert list(zip(found, said, strict=True))[len(labels) :] == [
        ("card_arrival", "card arrival"),
        ("faq/Returns", "faq returns"),
        ("topUpFailed", "top up failed"),
        ("取消订单", "取消订单"),
    ]


@pytest.mark.parametrize("label", ["7", "c_3", "__out_of_scope__", "oos", "___", ""])
def test_a_name_that_says_nothing_is_no_example(label: str) -> None:
    assert with_names([label, label], ["a", "b"]) == ([label, label], ["a", "b"])


def test_a_name_that_is_an_example_already_is_not_added_to_another_label() -> None:
    assert with_names(["refund", "returns"], ["money back", "refund"])[1] == [
        "money back",
        "refund",
        "returns",
    ]
