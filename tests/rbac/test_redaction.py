"""Masked data tells no more than it shows: fields, running texts, log lines."""

from __future__ import annotations

import io
import logging
import logging.config
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.conf import settings
from hypothesis import assume, given
from hypothesis import strategies as st

from rbac.redaction import masks

SEPARATORS = (
    "",
    " ",
    "-",
    ".",
    " - ",
    "(",
    ") ",
    "\u00a0",
    "/",
    "\u200b",
    " \u2013 ",
    "_",
    "~",
    "•",
    "\u2044",
    "\ufe0f\u20e3",
    "\u2063",
)
WORDS = st.text(st.characters(categories=["Ll", "Lu", "So", "Zs"]), max_size=30)
DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}")

LOGGING: dict[str, Any] = settings.LOGGING


@st.composite
def written_numbers(draw: st.DrawFn) -> tuple[str, str]:
    """A number of 7 to 15 digits and one way in which people write it; not as a date is written."""
    plain = draw(st.text("0123456789", min_size=7, max_size=15))
    between = st.sampled_from(SEPARATORS)
    written = (
        draw(st.sampled_from(["", "+"])) + plain[0] + "".join(draw(between) + sign for sign in plain[1:])
    )
    assume(not DATE.search(written))
    return plain, written


@st.composite
def addresses(draw: st.DrawFn) -> str:
    user = draw(st.from_regex(r"[a-z][a-z0-9._+-]{0,20}", fullmatch=True))
    return f"{user}@{draw(st.from_regex(r'[a-z]{1,10}[.][a-z]{2,5}', fullmatch=True))}"


class TestANumberField:
    @pytest.mark.parametrize(
        ("number", "masked"),
        [
            ("9812345678", "98****5678"),
            ("98123-45678", "98****5678"),
            ("(98123) 45678", "98****5678"),
            ("+91 98123 45678", "+91 98****5678"),
            ("+1 (212) 555-0123", "+1 21****0123"),
            ("+971 50 123 4567", "+971 50****4567"),
            ("0091 98123 45678", "00****5678"),
            ("98123 45678 ext. 42", "98****5678"),
            ("98123 45678x42", "98****5678"),
            ("٩٨١٢٣٤٥٦٧٨", "98****5678"),
            ("12345678", "****78"),
            ("+45 12345678", "+45 ****78"),
            ("1234", "****"),
            ("ask Usha", "****"),
            ("", ""),
            ("  ", ""),
        ],
    )
    def test_shows_its_ends(self, number: str, masked: str) -> None:
        assert masks.phone(number) == masked
        assert masks.phone(masked) == masked

    @given(st.text("0123456789", min_size=1, max_size=15))
    def test_hides_at_least_three_digits_or_all(self, number: str) -> None:
        shown = re.sub(r"\D", "", masks.phone(number))
        assert len(shown) <= max(0, len(number) - 3)
        assert number.startswith(shown[:2]) or number.endswith(shown)

    @given(written_numbers())
    def test_of_any_country_hides_at_least_three_digits(self, number: tuple[str, str]) -> None:
        plain, written = number
        assert len(re.sub(r"\D", "", masks.phone(written))) <= len(plain) - 3


class TestAnAddressField:
    @pytest.mark.parametrize(
        ("address", "masked"),
        [
            ("usha@example.com", "u***@example.com"),
            ("Usha.K@example.com", "U***@example.com"),
            ("u@example.com", "***@example.com"),
            ("9812345678@example.com", "***@example.com"),
            ("not an address", "***"),
            ("@example.com", "***"),
            ("usha@", "***"),
            ("", ""),
        ],
    )
    def test_shows_its_first_letter_and_its_domain(self, address: str, masked: str) -> None:
        assert masks.email(address) == masked
        assert masks.email(masked) == masked

    @given(addresses())
    def test_shows_one_letter_of_the_user_at_most(self, address: str) -> None:
        user, _, domain = address.partition("@")
        masked_user, _, masked_domain = masks.email(address).partition("@")
        assert masked_domain == domain
        assert len(masked_user.replace("*", "")) <= 1
        assert masked_user != user


class TestAText:
    @pytest.mark.parametrize(
        ("text", "masked"),
        [
            ("Call 98123 45678 or usha@example.com.", "Call 98****5678 or u***@example.com."),
            ("WhatsApp9812345678please", "WhatsApp98****5678please"),
            ("+91-98123-45678 ext. 42", "+91 98****5678 ext. **"),
            ("9812345678x42, 9812345679 #7", "98****5678x**, 98****5679 #**"),
            ("a 9812345678, b 9812345679", "a 98****5678, b 98****5679"),
            ("order 1234567", "order ****67"),
            ("on 2026-03-01 9812345678", "on 2026-03-01 98****5678"),
            ("at 10:30 9812345678", "at 10:30 98****5678"),
            ("Rs 98123 45678", "Rs 98****5678"),
            ("9812345678.0", "98****6780"),
            ("?person=usha%40example.com&q=1", "?p***%40example.com&q=1"),
            ("<usha@example.com>,'ravi@example.com'", "<u***@example.com>,'r***@example.com'"),
            ('"usha k"@example.com', '"***"@example.com'),
            ("usha＠example.com", "u***＠example.com"),
            ("a.b@x.com/c.d@y.com", "a***@x.com/c***@y.com"),
            ("a.b@x.com+c.d@y.com", "a***@***@y.com"),
            ("x@9812345678.com", "***@98****5678.com"),
            ("😀 9812345678 😀\n\tउषा usha@example.com", "😀 98****5678 😀\n\tउषा u***@example.com"),
        ],
    )
    def test_is_masked_where_it_names_somebody(self, text: str, masked: str) -> None:
        assert masks.text(text) == masked
        assert masks.text(masked) == masked

    @pytest.mark.parametrize(
        "text",
        [
            "due 2026-03-01, 01.03.2026 or 3/1/2026 at 12:30:00.123456",
            "2026-11-21T03:10:00.123456Z",
            "1,234,567 rows for 12,34,567.00, $1234567.00, EUR 1.234.567,00 and ₹9876543",
            "item 550e8400-e29b-41d4-a716-446655440000",
            "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "order 123456, 7 of 10, 100 %, 5 @ 3, @usha, usha@",
            "a 4-byte 😀\U00020000, a NEL \x85, a NUL \x00, a lone \ud800\r\n",
            "98123\n45678",
        ],
    )
    def test_that_names_nobody_stays_byte_for_byte(self, text: str) -> None:
        assert masks.text(text) == text

    @given(WORDS, written_numbers(), WORDS)
    def test_keeps_no_number(self, before: str, number: tuple[str, str], after: str) -> None:
        plain, written = number
        left = masks.text(f"{before} {written} {after}")
        assert plain not in re.sub(r"\D", "", left)
        assert len(re.sub(r"\D", "", left)) <= len(plain) - 3
        assert left.startswith(before)
        assert left.endswith(after)

    @given(WORDS, addresses(), WORDS)
    def test_keeps_no_address(self, before: str, address: str, after: str) -> None:
        user = address.partition("@")[0]
        assume(len(user) > 1)
        left = masks.text(f"{before} {address} {after}")
        assert address not in left
        assert masks.email(address) in left

    @given(st.lists(st.one_of(WORDS, addresses(), written_numbers().map(lambda pair: pair[1])), max_size=6), st.sampled_from(["", " ", ", ", "\n", "@", " $", ":", " x12 ", " 2026-03-01 "]))  # fmt: skip
    def test_masked_twice_is_masked_once(self, parts: list[str], glue: str) -> None:
        once = masks.text(glue.join(parts))
        assert masks.text(once) == once

    @given(st.text("0123456789 +-.:/x@#a$,*%\n", max_size=60))
    def test_of_odd_signs_masked_twice_is_masked_once(self, text: str) -> None:
        once = masks.text(text)
        assert masks.text(once) == once

    @given(st.text(max_size=200))
    def test_never_fails_and_masked_twice_is_masked_once(self, text: str) -> None:
        once = masks.text(text)
        assert masks.text(once) == once

    @given(WORDS)
    def test_of_words_stays_as_it_is(self, text: str) -> None:
        assert masks.text(text) == text

    @pytest.mark.parametrize(
        "piece",
        ["a", "1", "@", "a@", "1 ", "1    ", '"a', "$1.22", ".22", "ab12", "2026-01-0", "12:", "+1", "%40a", "1.", "12345678-", "7x1", "98123 45678 u@x.y "],
    )  # fmt: skip
    def test_of_a_hostile_megabyte_is_done_at_once(self, piece: str) -> None:
        with _given_up_after(seconds=20):  # a square of its length would take days
            masks.text(piece * (1_000_000 // len(piece)))


@contextmanager
def _given_up_after(*, seconds: int) -> Iterator[None]:
    def give_up(*_: Any) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture
def lines() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    """A logger that writes as the program's do, and what it wrote."""
    written = io.StringIO()
    configurator: Any = logging.config.DictConfigurator(LOGGING)
    console = dict(LOGGING["handlers"]["console"], stream=written)
    formatters = {name: configurator.configure_formatter(dict(each)) for name, each in LOGGING["formatters"].items()}  # fmt: skip
    filters = {name: configurator.configure_filter(dict(each)) for name, each in LOGGING["filters"].items()}  # fmt: skip
    configurator.config.update(formatters=formatters, filters=filters)
    handler = configurator.configure_handler(console)
    logger = logging.getLogger("operations.tests")
    logger.addHandler(handler)
    yield logger, written
    logger.removeHandler(handler)


class TestALogLine:
    def test_holds_no_address_and_no_number(self, lines: tuple[logging.Logger, io.StringIO]) -> None:
        logger, written = lines
        logger.warning("run %s: %s does not answer at %s", 7, "usha@example.com", "+91 98123 45678")
        assert written.getvalue() == (
            "WARNING operations.tests run 7: u***@example.com does not answer at +91 98****5678\n"
        )

    def test_of_a_failure_masks_its_traceback(self, lines: tuple[logging.Logger, io.StringIO]) -> None:
        logger, written = lines
        try:
            raise ValueError("Key (email)=(usha@example.com) already exists, 9812345678")
        except ValueError:
            logger.exception("not stored")
        assert "ValueError: Key (email)=(u***@example.com) already exists, 98****5678" in written.getvalue()
        assert "usha" not in written.getvalue()

    def test_whose_parts_do_not_fit_tells_of_the_mistake_without_them(
        self, lines: tuple[logging.Logger, io.StringIO]
    ) -> None:
        logger, written = lines
        logger.warning("%d rows", "usha@example.com")
        assert "a message that does not fit its parts: '%d rows'" in written.getvalue()
        assert "usha" not in written.getvalue()

    def test_stays_as_it_is_where_it_names_nobody(self, lines: tuple[logging.Logger, io.StringIO]) -> None:
        logger, written = lines
        said = "run 550e8400-e29b-41d4-a716-446655440000 took 1,234,567 rows on 2026-03-01"
        logger.info(said)
        logger.warning(said)
        assert f"WARNING operations.tests {said}\n" in written.getvalue()

    def test_is_masked_by_every_handler_of_the_program(self) -> None:
        assert all("personal_data" in each["filters"] for each in LOGGING["handlers"].values())
