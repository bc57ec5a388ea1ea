from isolation.permissions import Permission, register

VIEW = "tenant.view"
EDIT = "tenant.edit"
PEOPLE_VIEW = "people.view"
PEOPLE_EDIT = "people.edit"
PEOPLE_DEACTIVATE = "people.deactivate"

register(
    Permission(VIEW, "See the workspace's settings"),
    Permission(EDIT, "Change the workspace's settings"),
    Permission(PEOPLE_VIEW, "See who is in the workspace"),
    Permission(PEOPLE_EDIT, "Add people and change their roles"),
    Permission(PEOPLE_DEACTIVATE, "End a person's access to the workspace"),
)
