"""CRM secrets at rest: encrypted with the first key of ``FIELD_ENCRYPTION_KEYS``, read with any of them, so that keys can rotate."""

from __future__ import annotations

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from crm_sync.errors import CannotDecrypt


def _keys() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.FIELD_ENCRYPTION_KEYS])


def encrypt(secret: str) -> bytes:
    """The secret as it may lie in the database."""
    return _keys().encrypt(secret.encode())


def decrypt(stored: bytes | memoryview) -> str:
    """The secret in the clear. Raises: CannotDecrypt, if none of the keys fits."""
    try:
        return _keys().decrypt(bytes(stored)).decode()
    except InvalidToken as error:
        raise CannotDecrypt from error
