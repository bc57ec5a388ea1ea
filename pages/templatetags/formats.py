"""How values read on pages: money in its currency, times in the workspace's zone, numbers with separators.

Views call these as functions, templates as filters after ``{% load formats %}``.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from django import template

register = template.Library()

NOTHING = "–"
_SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "INR": "₹", "CAD": "CA$", "AUD": "A$"}
# ISO 4217: every other currency has two digits behind the point.
_DIGITS = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}  # fmt: skip
_STEPS = ((10**9, "B"), (10**6, "M"), (10**3, "K"))


def minor_digits(currency: str) -> int:
    """How many digits the currency has behind the point: 2 for USD, 0 for JPY, 3 for KWD."""
    return _DIGITS.get(currency, 2)


def major(minor: int, currency: str) -> Decimal:
    """An amount in minor units as one in whole units: 12345 cents are 123.45 dollars."""
    return Decimal(minor).scaleb(-minor_digits(currency))


def _signed(text: str, currency: str, *, is_negative: bool) -> str:
    symbol = _SYMBOLS.get(currency, f"{currency} ")
    return f"{'−' if is_negative else ''}{symbol}{text}"


@register.filter
def money(minor: int | None, currency: str) -> str:
    """``$1,234,567`` or ``$0.50``: digits behind the point only where there are any; a dash for no amount."""
    if minor is None:
        return NOTHING
    amount = abs(major(minor, currency))
    digits = 0 if amount == amount.to_integral_value() else minor_digits(currency)
    return _signed(f"{amount:,.{digits}f}", currency, is_negative=minor < 0)


@register.filter
def money_short(minor: int | None, currency: str) -> str:
    """``$1.2M``: three digits that matter, for sums; a dash for no amount."""
    if minor is None:
        return NOTHING
    amount = abs(major(minor, currency))
    size, letter = next(((size, letter) for size, letter in _STEPS if amount >= size), (1, ""))
    scaled = amount / size
    text = f"{scaled:.1f}" if letter and scaled < 100 else f"{scaled:.0f}"
    return _signed(text.removesuffix(".0") + letter, currency, is_negative=minor < 0)


@register.filter
def number(value: int | None) -> str:
    """``1,234,567``; a dash for none."""
    return NOTHING if value is None else f"{value:,}"


@register.filter
def percent(share: float | None) -> str:
    """``12 %`` of a share from 0 to 1, with one digit where it is small; a dash for none."""
    if share is None:
        return NOTHING
    value = share * 100
    return f"{value:.1f} %" if 0 < value < 10 and round(value, 1) != round(value) else f"{value:.0f} %"


@register.filter
def day(value: date | None) -> str:
    """``21 Nov 2026``; a dash for none."""
    return NOTHING if value is None else f"{value.day} {value:%b %Y}"


@register.filter
def local_date(instant: datetime | None, zone: str) -> str:
    """The day of an instant in that zone: ``21 Nov 2026``."""
    return NOTHING if instant is None else day(instant.astimezone(ZoneInfo(zone)).date())


@register.filter
def local_time(instant: datetime | None, zone: str) -> str:
    """An instant in that zone: ``21 Nov 2026, 18:45``."""
    if instant is None:
        return NOTHING
    local = instant.astimezone(ZoneInfo(zone))
    return f"{day(local.date())}, {local:%H:%M}"


def count(number_of: int, singular: str, plural: str = "") -> str:
    """``1 deal``, ``1,204 deals``."""
    return f"{number_of:,} {singular if number_of == 1 else plural or singular + 's'}"
