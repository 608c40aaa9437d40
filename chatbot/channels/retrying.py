"""When to try again what another server did not take."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

__all__ = ["backoff_s", "retry_after_s"]


def retry_after_s(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """The seconds of a Retry-After header, which is a number or a date; None without a usable one."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit() and len(value) < 10:
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())


def backoff_s(attempt: int, *, first: float, longest: float) -> float:
    """The pause after the ``attempt``-th failure (from 1): doubled each time, a fifth of it left to chance."""
    pause = min(first * 2.0 ** min(attempt - 1, 30), longest)
    return float(pause * random.uniform(0.9, 1.1))
