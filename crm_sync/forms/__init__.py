"""Forms of the CRM settings."""
