"""The tests' settings, with small pages and a short lease: many places to be killed at, and little waiting after each."""

from revops_admin.settings.testing import *  # noqa: F403  # settings modules are layered by star

CRM_BULK_PAGE_ROWS = 250
CRM_SYNC_LEASE_SECONDS = 1
CRM_SYNC_DISPATCH_SECONDS = 2
CRM_SYNC_FIRST_PAUSE_SECONDS = 0.05
