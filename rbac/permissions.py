from isolation.permissions import Permission, register

ROLES_EDIT = "roles.edit"

register(Permission(ROLES_EDIT, "Make roles of the workspace's own, change and archive them"))
