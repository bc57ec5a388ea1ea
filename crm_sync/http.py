"""The one way out: time-outs, bounded bodies, and no way in to addresses that only this machine or its network can reach."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache

import httpx

from crm_sync import conf
from crm_sync.connectors.base import ConfigurationProblem, PassingProblem

BODY_LIMIT = 32 * 1024 * 1024
CHUNK_BYTES = 256 * 1024
# However long a CRM asks to be left alone: whatever it meant, looking again a day later does no harm.
LONGEST_PAUSE_SECONDS = 86_400.0
USER_AGENT = "RevOpsHub/1.0"


class AddressGuard(httpx.HTTPTransport):
    """Connects to the very address that it judged, so that a name cannot point elsewhere a moment later.

    A tenant types the address of its CRM; without this it could make the program read the network that it runs in.
    """

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Judge, then send. Raises: ConfigurationProblem for an address that may not be reached."""
        host = host_of(request.url)
        if host in conf.allowed_private_hosts():
            return super().handle_request(request)
        if request.url.scheme != "https":
            raise ConfigurationProblem(
                "address_not_https",
                f"{request.url} is not encrypted. Use an address that begins with https://.",
            )
        address = public_address(host, request.url.port or 443)
        request.headers["Host"] = request.url.netloc.decode()
        request.extensions = {**request.extensions, "sni_hostname": host}
        request.url = request.url.copy_with(host=address)
        return super().handle_request(request)


def host_of(url: httpx.URL) -> str:
    """The host of an address, as people write it. Raises: ConfigurationProblem for one that no host can be called."""
    try:
        return url.host
    except UnicodeError as error:
        raise _not_a_host(url.raw_host.decode("ascii", "replace")) from error


def _not_a_host(host: str) -> ConfigurationProblem:
    sentence = f"“{host}” cannot be the name of a host. Check the address for a slip."
    return ConfigurationProblem("address_invalid", sentence)


def public_address(host: str, port: int) -> str:
    """An address of ``host``, all of whose addresses are public. Raises: ConfigurationProblem, PassingProblem."""
    try:
        found = {entry[4][0] for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except socket.gaierror as error:
        raise PassingProblem(
            "name_unknown", f"There is no host {host}. Check the address for a slip."
        ) from error
    except UnicodeError as error:
        raise _not_a_host(host) from error
    private = [address for address in found if not _is_public(str(address))]
    if private:
        sentence = (
            f"{host} is an address inside a private network and is not read. Use the CRM's public address."
        )
        raise ConfigurationProblem("address_private", sentence)
    # IPv4 first: not every network that resolves IPv6 addresses can reach them.
    return str(min(found, key=lambda address: (":" in str(address), str(address))))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that an answer asks to wait, a day at most; a date there is ignored."""
    value = headers.get("Retry-After", "")
    if not (value.isascii() and value.isdigit()):
        return None
    return LONGEST_PAUSE_SECONDS if len(value) > 9 else min(float(value), LONGEST_PAUSE_SECONDS)


@contextmanager
def network_problems(who: str) -> Iterator[None]:
    """What can happen to any call on its way, as problems."""
    try:
        yield
    except httpx.TimeoutException as error:
        raise PassingProblem("timeout", f"{who} did not answer in time.") from error
    except httpx.InvalidURL as error:
        raise ConfigurationProblem("address_invalid", f"The address cannot be used: {error}.") from error
    except httpx.UnsupportedProtocol as error:
        raise ConfigurationProblem("address_invalid", "The address must begin with https://.") from error
    except UnicodeEncodeError:
        raise _unsendable() from None
    except httpx.HTTPError as error:
        if "header value" in str(error):
            raise _unsendable() from None
        raise PassingProblem("connection_lost", f"The connection to {who} failed: {error}.") from error


def _unsendable() -> ConfigurationProblem:
    """Without the reason's own words: they repeat the header, and with it the token."""
    sentence = "The token cannot be sent: it has a line break or a special character. Enter it again."
    return ConfigurationProblem("token_refused", sentence)


def _is_public(address: str) -> bool:
    judged = ipaddress.ip_address(address.split("%")[0])
    return judged.is_global and not judged.is_multicast


@cache
def _trust() -> ssl.SSLContext:
    """Whose certificates are believed; one for the process, as reading them takes 25 ms of computing."""
    return httpx.create_ssl_context()


def client(*, compress: bool = True, connections: int = 4) -> httpx.Client:
    """A client for outbound calls. Redirects are not followed: each hop would have to be judged again."""
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=max(2, connections // 2))
    headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "gzip" if compress else "identity"}
    timeout = httpx.Timeout(conf.http_timeout_seconds(), connect=10)
    return httpx.Client(
        transport=AddressGuard(verify=_trust(), limits=limits),
        timeout=timeout,
        headers=headers,
        follow_redirects=False,
    )


def bounded(response: httpx.Response, limit: int = BODY_LIMIT) -> bytes:
    """The body of a streamed response. Raises: PassingProblem for one longer than ``limit`` bytes."""
    parts, size = [], 0
    for part in response.iter_bytes(CHUNK_BYTES):
        size += len(part)
        if size > limit:
            raise PassingProblem(
                "body_too_long",
                f"{response.url.host} answered with more than {limit // 1024**2} MB where less was due.",
            )
        parts.append(part)
    return b"".join(parts)


def chunks(response: httpx.Response) -> Iterator[bytes]:
    """The body of a streamed response, some at a time; trouble on the way is a problem here too, whoever reads it."""
    with network_problems(response.url.host):
        yield from response.iter_bytes(CHUNK_BYTES)
