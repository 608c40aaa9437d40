"""The sample company's orders: a list that comes with the package, and what was cancelled since in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from babel.dates import format_date
from babel.numbers import format_currency

import knowledge_base

__all__ = ["Order", "OrderBook", "say"]

SAMPLE = Path(knowledge_base.__file__).parent / "sample"
CANCELLABLE = frozenset({"pending", "paid", "preorder"})
_SHORT = 5
"""Last digits of a number that are enough to name an order."""


@dataclass(frozen=True, slots=True)
class Order:
    """One order as it stands today."""

    number: str
    email: str
    status: str
    items: Mapping[str, int]
    """Product code to pieces."""
    total: str
    placed: date
    due: date | None = None
    done: date | None = None
    carrier: str = ""
    parcel: str = ""

    @property
    def cancellable(self) -> bool:
        """Can it still be cancelled?"""
        return self.status in CANCELLABLE


class OrderBook:
    """All orders.  Safe to use from many threads and processes.

    Args:
        path: SQLite file of the cancelled ones; made when it is missing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(self._connect()) as connection, connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS cancelled (number TEXT PRIMARY KEY, day TEXT NOT NULL)"
            )

    def find(self, number: str, email: str) -> Order | None:
        """The order of this number that belongs to this e-mail; None for both a wrong number and a wrong e-mail.

        Args:
            number: the whole one or its last five digits.
        """
        order = _orders(date.today()).get(_short(number))
        if order is None or order.email.casefold() != email.strip().casefold():
            return None
        if len(number) > _SHORT and number.upper().removeprefix("TP") != order.number.removeprefix("TP"):
            return None
        day = self._cancelled_on(order.number)
        return order if day is None else replace(order, status="cancelled", done=day)

    def cancel(self, order: Order) -> bool:
        """Cancels an order; False if it cannot be any more, or was cancelled by somebody else meanwhile."""
        if not order.cancellable:
            return False
        with closing(self._connect()) as connection, connection:
            row = (order.number, date.today().isoformat())
            return connection.execute("INSERT OR IGNORE INTO cancelled VALUES (?, ?)", row).rowcount == 1

    def _cancelled_on(self, number: str) -> date | None:
        with closing(self._connect()) as connection:
            row = connection.execute("SELECT day FROM cancelled WHERE number = ?", (number,)).fetchone()
        return None if row is None else date.fromisoformat(row[0])

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=10)


def say(kind: str, key: str, language: str, order: Order | None = None, number: str = "") -> str:
    """A sentence of ``order_texts.yml`` with the order's data, English where the language is missing.

    Args:
        kind: ``status`` or ``says``.
        number: as the customer gave it; the order's own when left out.
    """
    by_language = _texts()[kind][key]
    spoken = language if language in by_language else "en"
    fields = {"number": number or (order.number if order else "")}
    if order is not None:
        fields |= {
            "items": _items(order, spoken),
            "total": _money(order.total, spoken),
            "carrier": order.carrier if spoken == "zh" else _CARRIERS.get(order.carrier, order.carrier),
            "parcel": order.parcel,
            "placed": _day(order.placed, spoken),
            "due": _day(order.due, spoken),
            "done": _day(order.done, spoken),
        }
    return str(by_language[spoken]).format_map(fields)


def _items(order: Order, language: str) -> str:
    comma = "、" if language in ("zh", "ja") else ", "
    return comma.join(
        f"{_name(code, language)} ×{pieces}" if pieces > 1 else _name(code, language)
        for code, pieces in order.items.items()
    )


def _name(code: str, language: str) -> str:
    names = _products().get(code, {})
    return names.get(language) or names.get("en") or code


_CARRIERS = {
    "顺丰": "SF Express",
    "圆通": "YTO Express",
    "中通": "ZTO Express",
    "京东物流": "JD Logistics",
    "韵达": "Yunda Express",
    "极兔": "J&T Express",
}
"""Their names outside Chinese."""

_OWN = {"zh": "CNY", "ja": "JPY", "de": "EUR", "fr": "EUR", "es": "EUR", "en": "USD"}
"""The currency that readers of a language know by its sign; others have their letters."""


def _money(total: str, language: str) -> str:
    """``EUR 58`` as a reader of the language writes it; all sums are whole."""
    currency, amount = total.split()
    sign = "¤" if currency == _OWN[language] else "¤¤ "
    pattern = f"{sign}#,##0" if language in ("zh", "ja", "en") or sign != "¤" else "#,##0 ¤"
    return format_currency(int(amount), currency, format=pattern, locale=language, currency_digits=False)


def _day(day: date | None, language: str) -> str:
    if day is None:
        return ""
    pattern = {"zh": "M月d日", "ja": "M月d日", "en": "d MMMM", "de": "d. MMMM"}.get(language, "d MMMM")
    if language == "es":
        pattern = "d 'de' MMMM"
    return format_date(day, pattern, locale=language)


def _short(number: str) -> str:
    return number[-_SHORT:]


@lru_cache(maxsize=2)
def _orders(today: date) -> dict[str, Order]:
    """Last five digits to order; days in the file count from ``today``."""

    def day(offset: int | None) -> date | None:
        return None if offset is None else today + timedelta(days=offset)

    orders = [
        Order(
            number=row["number"],
            email=row["email"],
            status=row["status"],
            items=row["items"],
            total=row["total"],
            placed=today + timedelta(days=row["placed"]),
            due=day(row.get("due")),
            done=day(row.get("done")),
            carrier=row.get("carrier", ""),
            parcel=row.get("parcel", ""),
        )
        for row in _yaml("orders.yml")
    ]
    return {_short(order.number): order for order in orders}


@lru_cache(maxsize=1)
def _texts() -> Any:
    return _yaml("order_texts.yml")


@lru_cache(maxsize=1)
def _products() -> dict[str, dict[str, str]]:
    return {product["code"]: product["names"] for product in _yaml("products.yml")}


def _yaml(name: str) -> Any:
    return yaml.safe_load((SAMPLE / name).read_text(encoding="utf-8"))
