from isolation.permissions import Permission, register

ROLES_EDIT = "roles.edit"
SHARES_EDIT = "shares.edit"
ACCESS_EXPLAIN = "access.explain"
ACCESS_REVIEW = "access.review"

register(Permission(ROLES_EDIT, "Make roles of the workspace's own, change and archive them"))
register(Permission(SHARES_EDIT, "Share deals and accounts that one may change, and end shares"))
register(
    Permission(
        ACCESS_EXPLAIN, "Ask who else sees a deal and why, who did in the past, and what a change would show"
    )
)
register(
    Permission(
        ACCESS_REVIEW, "Review who holds what: keep or revoke it, with a reason, and export the evidence"
    )
)
