from __future__ import annotations

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """Nobody signs up alone: accounts come by provisioning and invitation."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False
