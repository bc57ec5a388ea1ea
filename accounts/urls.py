from __future__ import annotations

from django.urls import path

from accounts import views

urlpatterns = [path("access-key/", views.access_key_sign_in, name="access_key_sign_in")]
