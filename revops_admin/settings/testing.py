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
from revops_admin.settings.base import CACHES, HOME, REDIS_URL  # noqa: E402  # as above

ALLOWED_HOSTS = ["localhost", "127.0.0.1", "testserver"]
TENANT_CONFIG_DIR = str(HOME / "configs")
CRM_ALLOWED_PRIVATE_HOSTS = ["127.0.0.1", "localhost"]
ALLOWS_TEST_ACCOUNTS = True
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True
# Every test client starts the middleware anew; listing 250 files each time took half of all the requests that tests make.
WHITENOISE_AUTOREFRESH = True
(HOME / "static").mkdir(parents=True, exist_ok=True)
# A cache of its own for every worker of pytest: clearing one must not empty another's.
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
CACHES["default"]["LOCATION"] = f"{REDIS_URL.rpartition('/')[0]}/{8 + _WORKER % 8}"
PASSWORD_HASHERS = ["revops_admin.settings.testing_hasher.QuickArgon2"]
