"""Small pages and a short lease: a worker that dies does so in the middle, and the next one does not wait for long."""

from revops_admin.settings.testing import *  # noqa: F403  # settings are layered by star

CRM_HUBSPOT_PAGE_ROWS = 40
CRM_HUBSPOT_LANE_ROWS = 150
CRM_HUBSPOT_SEARCHES_PER_SECOND = 1000
CRM_SYNC_LEASE_SECONDS = 1
CRM_SYNC_DISPATCH_SECONDS = 1
