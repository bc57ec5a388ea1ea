"""The tests: the same program on servers of their own; only what costs time for nothing is turned down."""

from __future__ import annotations

import os
from pathlib import Path

from revops_admin.runtime.services import ensure_services

_HOME = Path(__file__).resolve().parents[2] / ".local" / "test"
os.environ.setdefault("REVOPS_HOME", str(_HOME))
# pytest reads the settings first of all, so a bare `pytest` finds its servers too.
ensure_services(Path(os.environ["REVOPS_HOME"]).absolute(), durable=False)

from revops_admin.settings.base import *  # noqa: E402, F403  # settings modules are layered by star, after the servers stand
from revops_admin.settings.base import HOME  # noqa: E402

ALLOWED_HOSTS = ["localhost", "127.0.0.1", "testserver"]
TENANT_CONFIG_DIR = str(HOME / "configs")
CRM_ALLOWED_PRIVATE_HOSTS = ["127.0.0.1", "localhost"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True
PASSWORD_HASHERS = ["revops_admin.settings.testing_hasher.QuickArgon2"]
