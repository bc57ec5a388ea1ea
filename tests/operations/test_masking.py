"""Masked data tells no more than it shows."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from operations.masking import mask_email, mask_mobile, redact

digits = st.text("0123456789", min_size=1, max_size=15)
separators = st.sampled_from(["", " ", "-", ".", " - ", "(", ") ", "\u00a0", "/"])
words = st.text(st.characters(whitelist_categories=["Ll", "Lu", "Zs"]), max_size=30)


@st.composite
def written_numbers(draw: st.DrawFn) -> tuple[str, str]:
    """A number of 7 to 15 digits and one way in which people write it."""
    plain = draw(st.text("0123456789", min_size=7, max_size=15))
    written = (
        draw(st.sampled_from(["", "+"])) + plain[0] + "".join(draw(separators) + digit for digit in plain[1:])
    )
    return plain, written


@st.composite
def addresses(draw: st.DrawFn) -> str:
    user = draw(st.from_regex(r"[a-z][a-z0-9._+-]{0,20}", fullmatch=True))
    return f"{user}@{draw(st.from_regex(r'[a-z]{1,10}[.][a-z]{2,5}', fullmatch=True))}"


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        ("9812345678", "98****5678"),
        ("98123-45678", "98****5678"),
        ("+91 98123 45678", "91****5678"),
        ("12345678", "****78"),
        ("1234", "****"),
        ("", ""),
        ("  ", ""),
    ],
)
def test_a_number_shows_its_ends(number: str, masked: str) -> None:
    assert mask_mobile(number) == masked


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("usha@example.com", "u***@example.com"),
        ("u@example.com", "***@example.com"),
        ("not an address", "***"),
        ("@example.com", "***"),
        ("usha@", "***"),
        ("", ""),
    ],
)
def test_an_address_shows_its_first_letter_and_its_domain(address: str, masked: str) -> None:
    assert mask_email(address) == masked


@given(digits)
def test_a_masked_number_hides_at_least_three_digits_or_all(number: str) -> None:
    shown = re.sub(r"\D", "", mask_mobile(number))
    assert len(shown) <= max(0, len(number) - 3)
    assert number.startswith(shown[:2]) or number.endswith(shown)


@given(addresses())
def test_a_masked_address_shows_one_letter_of_the_user_at_most(address: str) -> None:
    user, _, domain = address.partition("@")
    masked_user, _, masked_domain = mask_email(address).partition("@")
    assert masked_domain == domain
    assert len(masked_user.replace("*", "")) <= 1
    assert masked_user != user


@given(words, written_numbers(), words)
def test_no_number_survives_in_a_text(before: str, number: tuple[str, str], after: str) -> None:
    plain, written = number
    left = redact(f"{before} {written} {after}")
    assert plain not in re.sub(r"\D", "", left)
    assert not re.search(r"\d{7}", re.sub(r"[^\w]", "", left))


@given(words, addresses(), words)
def test_no_address_survives_in_a_text(before: str, address: str, after: str) -> None:
    user = address.partition("@")[0]
    assume(len(user) > 1)
    assert address not in redact(f"{before} {address} {after}")


@given(st.text(max_size=200))
def test_redacting_twice_is_redacting_once_for_addresses_and_never_fails(text: str) -> None:
    once = redact(text)
    assert "@" not in once or redact(once).count("@") == once.count("@")


@given(words)
def test_a_text_without_numbers_and_addresses_stays_as_it_is(text: str) -> None:
    assert redact(text) == text
