"""Rows with named columns to entries: what csv, xlsx and jsonl share."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from knowledge_base.entry import Entry
from knowledge_base.errors import ReadError
from knowledge_base.reading.language import LanguageRule, language_code
from knowledge_base.reading.limits import MAX_CELL, MAX_ITEMS, MAX_ROWS

__all__ = ["COLUMNS", "Row", "check_count", "checked", "column_of", "columns", "entries_of_rows", "stable_id"]

Row = tuple[int, Mapping[str, Any]]
"""Number of the row as an editor shows it, and values by column name."""

COLUMNS = (
    "id",
    "group",
    "language",
    "question",
    "answer",
    "variants",
    "category",
    "tags",
    "products",
    "verbatim",
)
"""Columns in the order they are exported."""

_ALIASES = {
    "id": "id 编号 序号 標識 标识 entry_id",
    "group": "group 组 分组 同义组 グループ",
    "language": "language lang locale 语言 語言 语种 言語 idioma sprache langue",
    "question": "question questions q 问题 問題 标准问题 标准问 标准问法 提问 问 質問 pregunta frage",
    "answer": "answer answers a reply 答案 回答 标准答案 答复 回复 答 回覆 respuesta antwort réponse",
    "variants": "variants variant similar aliases alternatives synonyms similar_questions variantes "
    "相似问法 相似问 相似问题 扩展问 扩展问法 其他问法 同义问法 別の聞き方",
    "category": "category topic 分类 类别 类目 分類 主题 カテゴリ カテゴリー categoría kategorie",
    "tags": "tags tag labels keywords 标签 標籤 关键词 タグ etiquetas",
    "products": "products product sku skus 产品 商品 产品编号 商品编号 型号 製品 productos",
    "verbatim": "verbatim exact literal 原文 逐字 原文回复 一字不差",
}
_BY_ALIAS = {alias: name for name, aliases in _ALIASES.items() for alias in aliases.split()}

_YES = frozenset({"true", "yes", "y", "1", "x", "✓", "✔", "是", "对", "真", "はい", "sí", "si", "ja", "oui"})
_NO = frozenset({"", "false", "no", "n", "0", "否", "不", "假", "いいえ", "nein", "non"})


def column_of(header: str) -> str | None:
    """The column a header stands for, in several languages; ``None`` if unknown."""
    plain = header.strip().strip("*：:").strip().casefold().replace(" ", "_").replace("-", "_")
    return _BY_ALIAS.get(plain)


def columns(headers: Sequence[str], where: str) -> list[str | None]:
    """Column names of a header row; unknown columns are ``None``.

    Raises:
        ReadError: question or answer is missing, or two headers mean the same column.
    """
    names = [column_of(header) for header in headers]
    for place, header in enumerate(headers):
        if len(header.strip()) == 1 and header.isascii() and names.count(names[place]) > 1:
            names[place] = None  # a column `a` beside `answer` is something else
    for name in ("question", "answer"):
        if name not in names:
            found = ", ".join(repr(header[:30]) for header in headers[:12]) or "none"
            raise ReadError(
                f"{where}: found the columns {found}, expected `question` and `answer` (问题, 答案); "
                f"name the column `{name}` in the first row"
            )
    for name in COLUMNS:
        if names.count(name) > 1:
            both = " and ".join(repr(h[:30]) for h, n in zip(headers, names, strict=True) if n == name)
            raise ReadError(
                f"{where}: found {both}, which both mean `{name}`; expected one: remove or rename one"
            )
    return names


def stable_id(language: str, question: str) -> str:
    """An id that is the same at every import of the same question."""
    return "q-" + hashlib.blake2b(f"{language}\n{question}".encode(), digest_size=8).hexdigest()


def entries_of_rows(rows: Iterable[Row], path: str, rule: LanguageRule, unit: str = "row") -> list[Entry]:
    """Entries of rows; a row that repeats an earlier one word for word is passed over.

    Raises:
        ReadError: names the row, what was found, what was expected, what to do.
    """
    found: dict[str, tuple[int, Entry]] = {}
    for count, (number, values) in enumerate(rows, 1):
        where = f"{path}, {unit} {number}"
        if count > MAX_ROWS:
            raise ReadError(
                f"{where}: found more than {MAX_ROWS:,} entries; expected at most that: split the file"
            )
        entry = _entry(values, where, rule)
        earlier, same = found.setdefault(entry.id, (number, entry))
        if same is not entry and same != entry:
            raise ReadError(
                f"{where}: found the same {_identity(values)} as in {unit} {earlier} with other content; "
                f"expected each once: remove one, make it a variant, or give each an `id` of its own"
            )
    if not found:
        raise ReadError(f"{path}: found no entries, expected at least one {unit} with question and answer")
    return [entry for _number, entry in found.values()]


def _identity(values: Mapping[str, Any]) -> str:
    if _is_given(values.get("id")):
        return "id"
    return "group and language" if _is_given(values.get("group")) else "question"


def _is_given(value: Any) -> bool:
    return value is not None and str(value).strip() != ""


def _entry(values: Mapping[str, Any], where: str, rule: LanguageRule) -> Entry:
    question, answer = (_required(values, name, where) for name in ("question", "answer"))
    language = _text(values, "language", where)
    language = language_code(language, where) if language else rule.of(question, answer)
    id_, group = (_short(values, name, where) for name in ("id", "group"))
    id_ = id_ or (f"{group}.{language}" if group else stable_id(language, question))
    return Entry(
        id=id_,
        group=group or id_.removesuffix(f".{language}") or id_,
        language=language,
        question=question,
        answer=answer,
        variants=_list(values, "variants", where),
        category=_short(values, "category", where),
        tags=_list(values, "tags", where),
        products=_list(values, "products", where),
        verbatim=_flag(values, where),
    )


def _required(values: Mapping[str, Any], name: str, where: str) -> str:
    value = values.get(name)
    if value is not None and not isinstance(value, str):
        raise ReadError(
            f"{where}: found {type(value).__name__} as `{name}`, expected a text; put it in quotation marks"
        )
    text = _text(values, name, where)
    if not text:
        raise ReadError(f"{where}: `{name}` is empty, expected a text; fill it in or remove the row")
    return text


def _text(values: Mapping[str, Any], name: str, where: str) -> str:
    value = values.get(name)
    if value is None:
        return ""
    if isinstance(value, list | dict):
        raise ReadError(f"{where}: found {type(value).__name__} as `{name}`, expected a text")
    return checked(value if isinstance(value, str) else str(value), name, where)


def checked(value: str, name: str, where: str) -> str:
    """The text without outer blanks, if a database can hold it."""
    text = value.strip()
    if len(text) > MAX_CELL:
        raise ReadError(
            f"{where}: `{name}` has {len(text):,} characters, expected at most {MAX_CELL:,}; split the entry"
        )
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise ReadError(
            f"{where}: `{name}` has half a surrogate pair, expected valid Unicode; save as UTF-8 again"
        )
    if "\0" in text:
        raise ReadError(f"{where}: `{name}` has a NUL character, expected text; remove it")
    return text


def _short(values: Mapping[str, Any], name: str, where: str) -> str:
    text = _text(values, name, where)
    limit = 240 if name == "group" else 255
    if len(text) > limit:
        raise ReadError(f"{where}: `{name}` has {len(text)} characters, expected at most {limit}; shorten it")
    return text


def _list(values: Mapping[str, Any], name: str, where: str) -> tuple[str, ...]:
    """Texts of a JSON list, or of a cell separated by ``|`` or new lines, or holding a JSON list."""
    value = values.get(name)
    if value is None:
        return ()
    if isinstance(value, str):
        value = _split(checked(value, name, where))
    if not isinstance(value, list) or not all(isinstance(item, str | int | float) for item in value):
        raise ReadError(f"{where}: found {type(value).__name__} as `{name}`, expected a list of texts")
    check_count(value, name, where)
    return tuple(text for item in value if (text := checked(str(item), name, where)))


def check_count(items: Sequence[Any], name: str, where: str) -> None:
    """Refuses a list that is too long.

    Raises:
        ReadError: it has more than :data:`MAX_ITEMS` texts.
    """
    if len(items) > MAX_ITEMS:
        raise ReadError(
            f"{where}: found {len(items):,} {name}, expected at most {MAX_ITEMS:,}; split the entry"
        )


def _split(cell: str) -> list[Any]:
    if cell.startswith("["):
        try:
            items = json.loads(cell)
        except (ValueError, RecursionError):
            items = None
        if isinstance(items, list) and all(isinstance(item, str) for item in items):
            return items
    return cell.replace("|", "\n").splitlines()


def _flag(values: Mapping[str, Any], where: str) -> bool:
    plain = _text(values, "verbatim", where).casefold()
    if plain in _YES:
        return True
    if plain in _NO:
        return False
    raise ReadError(f"{where}: found {plain[:40]!r} as `verbatim`, expected true or false (是, 否)")
