"""Salesforce record ids: 15 case-sensitive characters, or the same with a 3-character case checksum behind them."""

import hashlib
from collections.abc import Callable

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
CHECKSUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def _mask(block: str) -> int:
    return sum(1 << place for place, character in enumerate(block) if "A" <= character <= "Z")


def lengthen(record_id: str) -> str:
    """The 18-character form of a 15-character id; anything of another shape comes back as it is."""
    if len(record_id) != 15 or not record_id.isalnum():
        return record_id
    blocks = (record_id[0:5], record_id[5:10], record_id[10:15])
    return record_id + "".join(CHECKSUM[_mask(block)] for block in blocks)


def forms(record_id: str) -> tuple[str, ...]:
    """All spellings under which the record may be stored: as given, long, short."""
    return tuple(
        dict.fromkeys((record_id, lengthen(record_id), record_id[:15] if len(record_id) == 18 else record_id))
    )


def pod_of(*parts: object) -> str:
    """Three characters that tell the ids of one organisation from another's."""
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()
    return "".join(BASE62[byte % 62] for byte in digest[:3])


def make_id(prefix: str, pod: str, number: int) -> str:
    """The 18-character id of the ``number``-th record of an object (``prefix``) in an organisation (``pod``)."""
    digits = []
    for _ in range(9):
        number, digit = divmod(number, 62)
        digits.append(BASE62[digit])
    return lengthen(prefix + pod + "".join(reversed(digits)))


_PAIRS = [high + low for high in BASE62 for low in BASE62]
_PAIR_MASKS = [_mask(pair) for pair in _PAIRS]
_SINGLE_MASKS = [_mask(character) << 4 for character in BASE62]


def id_maker(prefix: str, pod: str) -> Callable[[int], str]:
    """``make_id`` for millions of numbers below 62**5: the unchanging ten characters are worked out once."""
    head = f"{prefix}{pod}0000"
    tail = lengthen(head + "00000")[15:17]

    def numbered(number: int) -> str:
        rest, last = divmod(number, 62)
        first, second = divmod(rest, 3844)
        checksum = CHECKSUM[_PAIR_MASKS[first] | _PAIR_MASKS[second] << 2 | _SINGLE_MASKS[last]]
        return f"{head}{_PAIRS[first]}{_PAIRS[second]}{BASE62[last]}{tail}{checksum}"

    return numbered
