"""The tests' settings with small pages, a short lease and short pauses: many places to be killed at, and little waiting."""

from tests.crm_sync.kill_settings import *  # noqa: F403  # settings modules are layered by star

CRM_BULK_PAGE_ROWS = 100
CRM_HTTP_TIMEOUT_SECONDS = 1.5
