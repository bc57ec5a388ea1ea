"""The JWT bearer grant: who holds the key to a registered certificate signs in as any user, without a secret."""

import base64
import binascii
import time
from collections.abc import Mapping

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from sandbox.errors import OAuthError
from sandbox.orgs import Org
from sandbox.rules import public_key_of

AUDIENCES = ("https://login.salesforce.com", "https://test.salesforce.com")
_SKEW_SECONDS = 180
_KEY = "jwt key"


class _Header(msgspec.Struct):
    alg: str


class _Claims(msgspec.Struct):
    """What is asserted. ``aud`` may be one or several."""

    iss: str
    sub: str
    aud: str | list[str]
    exp: float


def user_asserted(clients: Mapping[str, Org], assertion: str, base_url: str) -> tuple[Org, str]:
    """The organisation and the user of an assertion. Raises: OAuthError."""
    head, claims, signed, signature = _parts(assertion)
    org = clients.get(claims.iss)
    if org is None:
        raise OAuthError("invalid_client_id", "client identifier invalid")
    if head.alg != "RS256" or not _is_signed(org, signed, signature):
        raise OAuthError("invalid_grant", "invalid assertion")
    wanted = {*AUDIENCES, base_url, f"{base_url}/orgs/{org.name}"}
    asked = {claims.aud} if isinstance(claims.aud, str) else set(claims.aud)
    if not {each.rstrip("/") for each in asked} & wanted:
        raise OAuthError("invalid_grant", "audience is invalid")
    # By the machine's clock, for that is what the caller's library goes by.
    if claims.exp <= time.time() - _SKEW_SECONDS:
        raise OAuthError("invalid_grant", "expired authorization code")
    return org, _approved_user(org, claims.sub)


def _parts(assertion: str) -> tuple[_Header, _Claims, bytes, bytes]:
    signed, _, signature = assertion.rpartition(".")
    head, _, claims = signed.partition(".")
    try:
        return (
            msgspec.json.decode(_decoded(head), type=_Header),
            # Not strictly, because well-known clients send the time of expiry as text, and Salesforce takes it.
            msgspec.json.decode(_decoded(claims), type=_Claims, strict=False),
            signed.encode(),
            _decoded(signature),
        )
    except (binascii.Error, msgspec.DecodeError, msgspec.ValidationError, ValueError) as error:
        raise OAuthError("invalid_grant", "invalid assertion") from error


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _is_signed(org: Org, signed: bytes, signature: bytes) -> bool:
    try:
        _public_key(org).verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def _public_key(org: Org) -> rsa.RSAPublicKey:
    if org.rules.oauth.certificate:
        return public_key_of(org.rules.oauth.certificate)
    key = serialization.load_pem_private_key(private_key(org).encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key.public_key()


def private_key(org: Org) -> str:
    """The organisation's own key as PEM, made when first asked for; its certificate counts where none is registered."""
    kept = org.database.meta(_KEY)
    if kept is not None:
        return kept
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    with org.database.writing() as connection:
        connection.execute("INSERT OR IGNORE INTO _meta VALUES (?, ?)", (_KEY, text))
    return org.database.meta(_KEY) or text


def _approved_user(org: Org, username: str) -> str:
    sql = 'SELECT "Id" FROM "User" WHERE "Username" = ? COLLATE NOCASE'
    row = org.database.reader.execute(sql, (username,)).fetchone()
    if row is None:
        raise OAuthError("invalid_grant", "user hasn't approved this consumer")
    return str(row[0])
