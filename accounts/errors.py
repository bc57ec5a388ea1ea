from __future__ import annotations

from http import HTTPStatus

from isolation.errors import DomainError


class EmailTaken(DomainError):
    code = "accounts.email_taken"
    sentence = "An account with the e-mail {email} exists already. Add that person to the workspace instead."
    field = "email"


class AccessKeyRefused(DomainError):
    """One sentence for unknown and revoked keys: a guesser learns nothing from it."""

    code = "accounts.access_key_refused"
    status = HTTPStatus.FORBIDDEN
    sentence = "This access key is not valid, or it was revoked. Check that you copied all of it, or ask your contact for a new one."
    field = "access_key"


class KeyForOperator(DomainError):
    code = "accounts.key_for_operator"
    sentence = "{email} is one of the vendor's staff: a key would open everything. Give the key to an account of the partner's own."
    field = "email"
