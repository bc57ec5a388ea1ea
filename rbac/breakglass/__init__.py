"""How one of the vendor's staff gets into a workspace's data: with a reason, for hours, to read only, and in plain sight."""
