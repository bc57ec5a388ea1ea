"""Signing in with an access key; everything else about signing in is allauth's."""

from __future__ import annotations

from allauth.core import ratelimit
from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters

from accounts.errors import AccessKeyRefused
from accounts.forms import AccessKeyForm
from accounts.services import access_key_use, sign_in_failure_record
from accounts.signals import BY_KEY, METHOD_KEY, ip_address

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


@sensitive_post_parameters("access_key")
@never_cache
@csrf_protect
def access_key_sign_in(request: HttpRequest) -> HttpResponse:
    """A partner types the key and is in, or reads why not. Guessing is slowed down by address."""
    form = AccessKeyForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        if not ratelimit.consume(request, action="access_key"):
            return render(request, "429.html", status=429)
        try:
            return _enter(request, form.cleaned_data["access_key"])
        except AccessKeyRefused as refusal:
            sign_in_failure_record(
                claimed="", method="access key", reason=refusal.code, ip_address=ip_address(request)
            )
            form.add_error("access_key", refusal.message)
    return render(
        request, "accounts/access_key_sign_in.html", {"form": form}, status=400 if form.errors else 200
    )


def _enter(request: HttpRequest, secret: str) -> HttpResponse:
    key = access_key_use(secret=secret)
    request.session[METHOD_KEY] = BY_KEY
    login(request, key.user, backend=BACKEND)
    return redirect("home")
