"""`make up` and development on one machine."""

from __future__ import annotations

from revops_admin.settings.base import *  # noqa: F403  # settings modules are layered by star

ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
ALLOWS_TEST_ACCOUNTS = True
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True
# The sandbox CRM answers on this machine.
CRM_ALLOWED_PRIVATE_HOSTS = ["127.0.0.1", "localhost"]
