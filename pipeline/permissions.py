from isolation.permissions import Permission, register

VIEW = "pipeline.view"
REBUILD = "pipeline.rebuild"
EXPORT = "exports.run"

register(
    Permission(VIEW, "Read the pipeline pages: home, deals and their scores"),
    Permission(REBUILD, "Rebuild the workspace's datasets"),
    Permission(EXPORT, "Export lists as files"),
)
