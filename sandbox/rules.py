"""How an organisation behaves where it can be set: sign-in, limits, Bulk jobs, stamps. What is not set is as in most real ones."""

from typing import Literal, TypeVar

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

Rule = TypeVar("Rule", bound=msgspec.Struct)


class OAuthRules(msgspec.Struct, forbid_unknown_fields=True):
    """Signing in.

    ``consent``: /authorize shows a page with Allow and Deny instead of letting everyone in at once; ``redirect_uris``: those registered
    (none: any); ``scopes``: those of the connected app; ``access_token_seconds``: how long an access token lasts (0: for ever);
    ``refresh_seconds``: how long a refresh takes, in which a second one of the same token is refused; ``user``: the Id of the integration user;
    ``certificate``: PEM of the certificate or public key whose holder may sign in by JWT (none: the key of ``jwt_key`` may).
    """

    rotate_refresh_tokens: bool = False
    access_token_seconds: float = 0
    consent: bool = False
    redirect_uris: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ("api", "refresh_token")
    refresh_seconds: float = 0
    user: str = ""
    certificate: str = ""

    def __post_init__(self) -> None:
        if self.certificate:
            public_key_of(self.certificate)


class LimitRules(msgspec.Struct, forbid_unknown_fields=True):
    """What a day and a moment hold: ``concurrent`` 0 is no limit. ``info``: which form the header Sforce-Limit-Info takes."""

    daily: int = 100_000
    bulk_jobs: int = 10_000
    concurrent: int = 0
    info: Literal["plain", "per_app", "bursts", "none"] = "plain"


class Behaviour(msgspec.Struct, forbid_unknown_fields=True):
    """``activity_moves_stamp``: a new LastActivityDate moves the deal's SystemModstamp, which the real product does not do.

    ``change_list_seconds``: the grain of the updated and deleted lists; the real product cuts times to whole minutes.
    ``bulk_job_delay``: how long a Bulk job takes at the least. ``results_days``: how long its results are kept.
    """

    activity_moves_stamp: bool = True
    change_list_seconds: int = 1
    bulk_job_delay: float = 0
    results_days: float = 7


class Rules(msgspec.Struct):
    """All that can be set of one organisation."""

    oauth: OAuthRules = msgspec.field(default_factory=OAuthRules)
    limits: LimitRules = msgspec.field(default_factory=LimitRules)
    behaviour: Behaviour = msgspec.field(default_factory=Behaviour)


def changed(rule: Rule, change: dict[str, object]) -> Rule:
    """A set of rules with some changed. Raises: msgspec.ValidationError."""
    return msgspec.convert(msgspec.to_builtins(rule) | change, type=type(rule))


def public_key_of(pem: str) -> rsa.RSAPublicKey:
    """The RSA key of a certificate or of a public key. Raises: ValueError."""
    is_certificate = "BEGIN CERTIFICATE" in pem
    key = (
        x509.load_pem_x509_certificate(pem.encode()).public_key()
        if is_certificate
        else serialization.load_pem_public_key(pem.encode())
    )
    if not isinstance(key, rsa.RSAPublicKey):
        raise ValueError("the certificate must hold an RSA key")
    return key
