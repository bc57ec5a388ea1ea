"""Pages of a workspace's CRM settings, a module for each group of addresses."""
