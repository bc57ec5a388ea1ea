"""The address of a CRM as people type it."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

import httpx

from crm_sync import conf
from isolation.errors import InvalidInput

_LONGEST_HOST = 253
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*\.?")
_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True)
class Origin:
    """Where an address leads, its path aside: what the stored secret is meant for. ``host`` is in lower-case ASCII."""

    scheme: str
    host: str
    port: int


def origin_of(address: str) -> Origin | None:
    """The origin of an http or https address; None for what is none, or holds a user, a query or a fragment.

    Read with the parser that makes the calls later, so that no address can mean one host here and another one there.
    """
    try:
        url = httpx.URL(address)
        url.host.encode("idna")
    except (httpx.InvalidURL, UnicodeError):
        return None
    if url.scheme not in _PORTS or url.userinfo or url.query or url.fragment:
        return None
    host, port = url.raw_host.decode("ascii"), url.port if url.port is not None else _PORTS[url.scheme]
    return Origin(url.scheme, host, port) if _is_host(host) and 0 < port < 2**16 else None


def login_address(given: str) -> str:
    """The address of a CRM that may be asked to sign us in. Raises: InvalidInput, naming ``login_url``."""
    address = given.strip().rstrip("/")
    if not address:
        raise _unusable("Enter the login address, such as https://yourcompany.my.salesforce.com.")
    origin = origin_of(address)
    if origin is None:
        raise _unusable(
            f"“{address}” is not a login address. Use one like https://yourcompany.my.salesforce.com."
        )
    if origin.scheme != "https" and origin.host not in conf.allowed_private_hosts():
        raise _unusable(
            "The login address must begin with https://, so that the secret is not sent in the clear."
        )
    return address


def _unusable(problem: str) -> InvalidInput:
    return InvalidInput(field="login_url", problem=problem)


def _is_host(host: str) -> bool:
    if len(host) <= _LONGEST_HOST and _NAME.fullmatch(host):
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
