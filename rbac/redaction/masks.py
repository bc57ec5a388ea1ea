"""How personal data is hidden: ``98****5678``, ``u***@example.com``, and the same inside running text. Knows nothing of who asks.

What counts in a text, and what does not:

- An **address** is anything before and after an @ without a space, also written ``%40`` or with the sign's wide forms; of several
  in a row only the last domain stays.
- A **number** is seven digits or more in any script, with at most four spaces, dots, dashes, slashes, tildes, underscores or brackets
  between two of them and a ``+`` before; an extension behind it goes too. Letters beside it make no difference.
- **No number** are whole dates with a year of four digits, times of the day, UUIDs, digests of 32 hex digits and more, and sums that follow
  a currency's sign or code and have fewer than ten digits or are grouped. A comma joins nothing, so ``1,234,567`` stays.

Where in doubt it hides too much: an order number of seven digits is masked like a telephone number. Masking twice is masking once, and
the time taken grows with the text's length and nothing else.
"""

from __future__ import annotations

import re
import unicodedata

HIDDEN = "****"
_HIDDEN_USER = "***"
_SHOWN_FIRST, _SHOWN_LAST = 2, 4
# Showing six digits of a shorter number would leave too little to guess.
_SHORTEST_SHOWN = 9
_ENOUGH = 10
_NO_DIGIT = re.compile(r"\D")

_GAP = (
    r"[ \t\u00a0\u00ad\u034f\u061c\u2000-\u200f\u202a-\u202f\u205f-\u206f\u3000\ufe0f\ufeff\u20e3"
    r"./_~\-\u2010-\u2015\u2212\u2044\u2215()\[\]\u00b7\u2022\u2027\u2219\u30fb]{0,4}"
)
_NUMBER = re.compile(
    rf"(\+?\d(?:{_GAP}\d){{6,}})(?:([ \t]{{0,2}}(?:ext(?:ensio)?n?\.?|x|\#)[ \t]{{0,2}})\d{{1,6}}(?!\d))?",
    re.IGNORECASE,
)
_EXTENSION = re.compile(r"(?:ext|x|#|,|;)", re.IGNORECASE)
_MASKED_NUMBER = re.compile(r"(?:\+\d{1,3} )?(?:\d\d)?\*{4}\d{0,4}")

_DAY, _MONTH, _YEAR = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])", r"(?:19|20)\d\d"
_SUM = r"\d{1,3}(?:[.,]\d{2,3})+(?:[.,]\d{1,2})?|\d{1,9}(?:[.,]\d{1,2})?"
_CURRENCIES = "USD|EUR|GBP|INR|JPY|CHF|CAD|AUD|NZD|SGD|HKD|AED|CNY|BRL|MXN|SEK|NOK|DKK|PLN|ZAR|Rs"
_KEPT = re.compile(
    rf"""
    (?<!\d)(?=[\da-fA-FGHIJMNPRSUZ$\u00a3\u00a5\u20a0-\u20bf])  # said once: most characters begin nothing
    (?: (?<![a-zA-Z])[0-9a-fA-F]{{8}}(?:-[0-9a-fA-F]{{4}}){{3}}-[0-9a-fA-F]{{12}}(?![0-9a-zA-Z])
      | (?<![a-zA-Z])(?=[0-9]*[a-fA-F])[0-9a-fA-F]{{32,}}(?![0-9a-zA-Z])
      | (?<![+*])(?<!\d[\-/._()])
        (?: {_YEAR}(?P<a>[\-/.]){_MONTH}(?P=a){_DAY} | {_DAY}(?P<b>[\-/.]){_DAY}(?P=b){_YEAR} )
        (?![\-/._()]?\d)
      | (?<![:.])(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:[.,]\d{{1,9}})?)?(?!\d)
      | (?:[$\u00a3\u00a5\u20a0-\u20bf]|(?<!\w)(?:{_CURRENCIES})\.?)[ \u00a0]?(?:{_SUM})(?!{_GAP}\d)
    )""",
    re.VERBOSE,
)
_AT = re.compile(r"(@|＠|﹫|%40)")  # the wide forms of the sign, too
_TOKEN = re.compile(r"[^\s<>()\[\],;:\"“”?&/|]+")
_QUOTED_USER = re.compile(r"\"[^\"\n]{1,64}\"@")
_MASKED_USER = re.compile(r"[^\W\d_]?\*{3}")
_NAMEABLE = re.compile(r"\w")

# The calling codes of two digits; 1 and 7 have one, all others three.
_SHORT_COUNTRIES = re.compile(r"20|27|3[0-46-9]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]")


def phone(number: str) -> str:
    """A telephone number with the first two and last four digits left, ``98****5678``, of a short one the last two.

    A country's code stays before it (``+91 98****5678``), an extension goes. Empty stays empty; what is no number is hidden whole.
    """
    written = number.strip()
    if not written or _MASKED_NUMBER.fullmatch(written):
        return written
    return _number(_EXTENSION.split(written, maxsplit=1)[0])


def _number(written: str) -> str:
    signs = _NO_DIGIT.sub("", written)
    if len(signs) > 2 * _ENOUGH:  # of a hostile length: only the ends are looked at
        signs = signs[:_ENOUGH] + signs[-_ENOUGH:]
    digits = "".join(str(unicodedata.decimal(sign)) for sign in signs)
    if not (written.startswith("+") and digits):
        return _ends(digits)
    code = digits[: _code_length(digits)]
    return f"+{code} {_ends(digits[len(code) :])}"


def _code_length(digits: str) -> int:
    if digits[0] in "17":
        return 1
    return 2 if _SHORT_COUNTRIES.match(digits) else 3


def _ends(digits: str) -> str:
    if len(digits) < _SHORTEST_SHOWN:
        return HIDDEN + digits[-2:] if len(digits) > _SHOWN_LAST else HIDDEN
    return digits[:_SHOWN_FIRST] + HIDDEN + digits[-_SHOWN_LAST:]


def email(address: str) -> str:
    """The first letter and the domain: ``u***@example.com``. What is no address is hidden whole. Empty stays empty."""
    written = address.strip()
    user, at, domain = written.rpartition("@")
    if not written or (written == _HIDDEN_USER):
        return written
    return f"{_user(user)}@{domain}" if at and user and domain else _HIDDEN_USER


def _user(user: str) -> str:
    if _MASKED_USER.fullmatch(user):
        return user
    # Of a digit nothing is shown: before the next word it could look like a part of a number.
    return f"{user[0] if len(user) > 1 and user[0].isalpha() else ''}{_HIDDEN_USER}"


def text(value: str) -> str:
    """``value`` with every address and every telephone number in it masked; the module says what counts."""
    return _numbers_masked(_addresses_masked(value))


def _addresses_masked(value: str) -> str:
    if not _AT.search(value):
        return value
    without_quoted = _QUOTED_USER.sub(f'"{_HIDDEN_USER}"@', value)
    return _TOKEN.sub(lambda found: _address_in(found.group()), without_quoted)


def _address_in(token: str) -> str:
    user, *rest = _AT.split(token)
    if not user or not any(_NAMEABLE.search(part) for part in rest[1::2]):
        return token
    opening = user[: len(user) - len(user.lstrip("'`{"))]
    # Between two signs stand one address's domain and the next one's user, and nothing says where the one ends.
    rest[1:-1:2] = [part and _HIDDEN_USER for part in rest[1:-1:2]]
    return f"{opening}{_user(user[len(opening) :]) if user[len(opening) :] else ''}{''.join(rest)}"


def _numbers_masked(value: str) -> str:
    if not _NUMBER.search(value):
        return value
    parts, place = [], 0
    for kept in _KEPT.finditer(value):
        parts += [_NUMBER.sub(_number_in, value[place : kept.start()]), kept.group()]
        place = kept.end()
    return "".join([*parts, _NUMBER.sub(_number_in, value[place:])])


def _number_in(found: re.Match[str]) -> str:
    written, extension = found.groups()
    return f"{_number(written)}{extension}**" if extension else _number(written)
