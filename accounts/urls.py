from __future__ import annotations

from django.urls import path

from accounts import views
from accounts.requests import in_accounts

urlpatterns = [path("access-key/", in_accounts(views.access_key_sign_in), name="access_key_sign_in")]
