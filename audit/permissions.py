from isolation.permissions import Permission, register

VIEW = "audit.view"

register(Permission(VIEW, "Read the workspace's audit log"))
