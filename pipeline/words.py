"""What counts as a word of a name: one definition in SQL, for what is indexed, what is asked for and what is compared.

Words are in small letters and without accents (Café is "cafe", Straße "strasse", full-width １ "1"); whatever is neither letter nor digit stands
between words. Scripts without spaces keep a run of characters together: there the beginning of the run finds it.
"""

from __future__ import annotations

WORDS_UP_TO = 500  # characters of a name; a word then fits an index, and 250 words a deal
_ACCENTS = r"[\u0300-\u036f]"
_BETWEEN = r"[\u0001-/:-@\[-`\u007b-\u00bf\u00d7\u00f7\u2000-\u206f\u3000-\u303f]+"
LAST_CHARACTER = "\U0010ffff"


def spaced(text: str) -> str:
    """The SQL of ``text``'s words with one space before, between and after them."""
    # Most names are plain ASCII; taking letters apart costs three times as much as the rest.
    parts = f"regexp_replace(normalize({text}, NFKD), '{_ACCENTS}', '', 'g')"
    folded = f"replace(replace(translate(lower({parts}), 'øłđı', 'oldi'), 'ß', 'ss'), 'æ', 'ae')"
    small = f"CASE WHEN octet_length({text}) = char_length({text}) THEN lower({text}) ELSE {folded} END"
    return f"(' ' || left(regexp_replace({small}, '{_BETWEEN}', ' ', 'g'), {WORDS_UP_TO}) || ' ')"


def words(text: str) -> str:
    """The SQL of ``text``'s words as an array, each once. The way through a tsvector is the quickest to sort out repetitions."""
    return f"tsvector_to_array(array_to_tsvector(array_remove(string_to_array({spaced(text)}, ' '), '')))"


def has_words_like(text: str, patterns: str) -> str:
    """The condition that ``text`` has a word that begins with each term, given as SQL of an array of ``pattern_of(term)``."""
    return f"{spaced(text)} LIKE ALL ({patterns})"


def pattern_of(term: str) -> str:
    """The LIKE pattern of a term. Terms hold letters and digits alone, nothing that LIKE would take for its own."""
    return f"% {term}%"


def searched(deal: str) -> str:
    """The SQL of the text of a deal that is searched, ``deal`` being the alias of its table."""
    return f"({deal}.name || ' ' || {deal}.account_name)"
