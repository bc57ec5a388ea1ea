"""What every way of running shares. Values that differ by machine come from ``VALUES``: the environment, else the home's files."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import environ

from revops_admin.runtime import environment

BASE_DIR = Path(__file__).resolve().parents[2]
HOME = Path(os.environ.get("REVOPS_HOME") or BASE_DIR / ".local").absolute()

VALUES: dict[str, str] = environment.load(HOME)
env = environ.Env()


def _database(name: str) -> dict[str, Any]:
    # Values travel apart from the text of statements: pg_stat_activity shows a login the text of whatever else it runs.
    parsed: dict[str, Any] = env.db_url_config(
        VALUES.get(name, "postgresql://revops_app@127.0.0.1/not_running")
    )
    # Web processes keep connections between requests (isolation.connections); workers close theirs after each task.
    parsed.update(
        ENGINE="isolation.postgresql",
        CONN_MAX_AGE=300,
        CONN_HEALTH_CHECKS=True,
        OPTIONS={**parsed.get("OPTIONS", {}), "connect_timeout": 5, "server_side_binding": True},
    )
    return parsed


SECRET_KEY = VALUES["SECRET_KEY"]
SECRET_KEY_FALLBACKS: list[str] = env.list("SECRET_KEY_FALLBACKS", default=[])
FIELD_ENCRYPTION_KEYS = VALUES["FIELD_ENCRYPTION_KEYS"].split(",")
WEB_URL = VALUES["WEB_URL"]
SANDBOX_URL = VALUES["SANDBOX_URL"]
DEBUG = False
ALLOWED_HOSTS: list[str] = []

# Whether `create_test_staff` may make accounts whose passwords it prints. Not where real data is.
ALLOWS_TEST_ACCOUNTS = False

ROOT_URLCONF = "revops_admin.urls"
WSGI_APPLICATION = "revops_admin.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SITE_ID = 1

INSTALLED_APPS = [
    "revops_admin",
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "isolation",
    "pages",
    "audit",
    "accounts",
    "tenants",
    "rbac",
    "alerts",
    "crm_sync",
    "pipeline",
    "operations",
]

MIDDLEWARE = [
    "revops_admin.metrics.RequestMetrics",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "revops_admin.middleware.ContentSecurityPolicy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "accounts.requests.PersonMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "revops_admin.middleware.DomainErrors",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "revops_admin.navigation.navigation",
            ],
        },
    }
]

# The program logs in as revops_app, which has no right on tenant tables; "owner" is for migrations alone.
DATABASES = {"default": _database("DATABASE_URL"), "owner": _database("DATABASE_OWNER_URL")}
# A pooler's process id is not the server's, which contexts are signed for: then it is asked for, one round trip more.
DATABASE_IS_POOLED: bool = env.bool("DATABASE_IS_POOLED", default=False)

REDIS_URL = VALUES.get("REDIS_URL", "redis://127.0.0.1:1/0")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "revops",
    }
}
SESSION_ENGINE = "accounts.sessions"
SESSION_COOKIE_AGE = int(timedelta(days=14).total_seconds())

# People

AUTH_USER_MODEL = "accounts.User"
TENANT_MODEL = "tenants.Tenant"
AUTHENTICATION_BACKENDS = [
    "allauth.account.auth_backends.AuthenticationBackend",
]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_FORMS = {"login": "accounts.forms.SignInForm"}
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
# Five tries, then half an hour: trainer guide (001_7d2ecdeeb450ad16.txt), "lockout_policy".
ACCOUNT_RATE_LIMITS = {"login_failed": "5/30m/key,50/30m/ip", "login": "60/m/ip", "access_key": "10/m/ip"}

# Mail: the console where no SMTP host is named

SMTP_HOST = env("SMTP_HOST", default="")
EMAIL_BACKEND = (
    "django.core.mail.backends.smtp.EmailBackend" if SMTP_HOST else "revops_admin.mail.ReadableConsole"
)
EMAIL_HOST = SMTP_HOST
EMAIL_PORT = env.int("SMTP_PORT", default=25)
EMAIL_HOST_USER = env("SMTP_USER", default="")
EMAIL_HOST_PASSWORD = env("SMTP_PASSWORD", default="")
EMAIL_USE_TLS = env.bool("SMTP_TLS", default=False)
EMAIL_TIMEOUT = 15
DEFAULT_FROM_EMAIL = env("MAIL_FROM", default="RevOps Hub <alerts@revops-hub.localhost>")

# CRM: hosts that the address guard lets through although they are private

CRM_ALLOWED_PRIVATE_HOSTS: list[str] = env.list("CRM_ALLOWED_PRIVATE_HOSTS", default=[])
# Syncs at work at once over all workspaces: two of a worker's processes stay free for what is regular and for what people wait for.
CRM_SYNC_PARALLEL_RUNS = int(
    env("CRM_SYNC_PARALLEL_RUNS", default="") or max(1, env.int("WORKER_CONCURRENCY", default=4) - 2)
)
CRM_SYNC_SLICE_SECONDS: float = env.float("CRM_SYNC_SLICE_SECONDS", default=60)

# Pages

LANGUAGE_CODE = "en"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "/static/"
STATIC_ROOT = HOME / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
TENANT_CONFIG_DIR = env("TENANT_CONFIG_DIR", default=str(BASE_DIR / "configs"))
CSRF_FAILURE_VIEW = "django.views.csrf.csrf_failure"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
CONTENT_SECURITY_POLICY = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"

# Metrics: for private peers, or for whoever carries this token

METRICS_TOKEN = env("METRICS_TOKEN", default="")

# API

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rbac.authentication.BrowserSession"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["revops_admin.parsers.FlatJSON"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "revops_admin.api.problem_response",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "RevOps Hub API",
    "DESCRIPTION": "What a signed-in member may read and do in a workspace: the same rows and refusals as on the pages.",
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SCHEMA_PATH_PREFIX": r"/api/v1(/w/\{tenant\})?",
    "ENUM_NAME_OVERRIDES": {
        "ShareKindEnum": "rbac.models.ShareKind.choices",
        "RunKindEnum": "crm_sync.models.RunKind.choices",
    },
}

# Jobs: the longest task must end before the broker gives it to somebody else

CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TIME_LIMIT = 30 * 60
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 40 * 60,
    "unacked_restore_interval": 2,
    "unacked_restore_throttle": 1,
}
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
TICK_SECONDS = 2

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(levelname)s %(name)s %(message)s"}},
    "filters": {"personal_data": {"()": "rbac.redaction.logs.PersonalDataFilter"}},
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["personal_data"]}
    },
    "root": {"handlers": ["console"], "level": "INFO"},
    # A tick every two seconds is not news.
    "loggers": {
        name: {"level": "WARNING"}
        for name in ("celery.beat", "celery.worker.strategy", "celery.app.trace", "httpx", "httpcore")
    },
}
