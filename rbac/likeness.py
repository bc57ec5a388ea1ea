"""Names that read alike: what two of them share, and words that mix alphabets in order to.

Two nets, because no table of look-alikes is whole: letters of the alphabets that lend themselves most are drawn back to Latin, and
any word in which one of those alphabets stands beside another is refused. Scripts that people do mix in a word (Japanese, say)
are left alone.
"""

from __future__ import annotations

import unicodedata
from itertools import groupby

# Each letter with the Latin one that it looks like, as written: a capital may look like a letter that its small form does not.
_CYRILLIC = ("АВЕЅЗІЇЈКМНОРСТУХҮԌԚԜаеѕіїјорсухԛԝһԁӏ", "ABESEIIJKMHOPCTYXYGQWaesiijopcyxqwhdl")
_GREEK = ("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧανικορυχϲϳ", "ABEZHIKMNOPTYXavikopuxcj")
_LATIN = ("ıȷɑɡſᴀᴄᴅᴇɪᴊᴋᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢøłđħŧ", "ijagsacdeijkmnoprstuvwyzoldht")
_DRAWN = str.maketrans("".join(pair[0] for pair in (_CYRILLIC, _GREEK, _LATIN)),
                       "".join(pair[1] for pair in (_CYRILLIC, _GREEK, _LATIN)))  # fmt: skip
# After folding case: digits for letters, and one letter for those that differ by a stroke.
_STROKES = str.maketrans("01|i5", "ollls")
_PAIRS = (("rn", "m"), ("vv", "w"))
_INVISIBLE = frozenset("\u115f\u1160\u3164\uffa0\u17b4\u17b5")  # letters to Unicode, nothing to the eye
_ALPHABETS = frozenset(
    {"LATIN", "CYRILLIC", "GREEK", "COPTIC", "ARMENIAN", "CHEROKEE", "LISU", "GEORGIAN", "DESERET"}
)


def likeness(name: str) -> str:
    """What two names share that read alike; empty for one without a letter or digit.

    Case, spaces, signs, accents, wide forms, look-alike letters and digits make no difference.
    """
    plain = unicodedata.normalize("NFKD", name).translate(_DRAWN)
    folded = unicodedata.normalize("NFKD", plain.casefold()).translate(_STROKES)
    kept = "".join(sign for sign in folded if sign.isalnum() and sign not in _INVISIBLE)
    for pair, one in _PAIRS:
        kept = kept.replace(pair, one)
    return kept


def mixed_word(name: str) -> str:
    """The first word with letters of several alphabets that lend each other's look; empty where there is none."""
    for is_word, signs in groupby(unicodedata.normalize("NFKC", name), key=str.isalnum):
        word = "".join(signs)
        if is_word and len(_ALPHABETS & set(map(_script, word))) > 1:
            return word
    return ""


def _script(letter: str) -> str:
    return unicodedata.name(letter, "").partition(" ")[0]
