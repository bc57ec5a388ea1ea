"""Between Django forms and services: a refusal of the service stands next to the field it is about."""

from __future__ import annotations

from collections.abc import Callable

from django import forms
from django.db import transaction

from isolation import refusals
from isolation.errors import DomainError, Forbidden


def carried_out(form: forms.Form, write: Callable[[], object]) -> bool:
    """Validate ``form`` and call ``write``; False, with the sentences in the form, where either refuses.

    A refused write leaves nothing behind. Raises: Forbidden, because no other input would help.
    """
    if not form.is_valid():
        return False
    try:
        with transaction.atomic():
            write()
    except Forbidden:
        raise
    except DomainError as refusal:
        refusals.tell(refusal)
        form.add_error(refusal.field if refusal.field in form.fields else None, refusal.message)
        return False
    return True
