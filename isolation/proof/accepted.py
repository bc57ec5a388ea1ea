"""What the proof would refuse and we accept, by the finding's code, each with the reason that stands in the report."""

from __future__ import annotations

_DUE = (
    "jobs look over all tenants for what is due; whoever may run EXPLAIN ANALYZE learns how many rows of all tenants are, "
    "and nothing in them"
)
_NOTES = "notes the former owner in a table of the same tenant, as whoever changes the row and behind the same wall"

ACCEPTED: dict[str, str] = {
    "index:alerts_delivery_due": _DUE,
    "index:alerts_rule_by_metric": "rules are evaluated metric by metric over all tenants; EXPLAIN ANALYZE tells how many there are",
    "index:crm_sync_run_waiting": _DUE,
    "index:crm_sync_schedule_due": _DUE,
    "index:pipeline_build_waiting": _DUE,
    "index:tenants_invitation_due": _DUE,
    "index:tenants_member_of_user": "signing in looks for a person's workspaces; EXPLAIN ANALYZE tells in how many a known person is",
    "trigger:crm_sync_note_former_holder": _NOTES,
    "trigger:crm_sync_note_former_owner": _NOTES,
}
