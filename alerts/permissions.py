from isolation.permissions import Permission, register

VIEW = "alerts.view"
EDIT = "alerts.edit"

register(
    Permission(VIEW, "See alerts, rules and messages"),
    Permission(EDIT, "Change alert rules, acknowledge alerts and send messages again"),
)
