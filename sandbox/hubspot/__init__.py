"""The HubSpot half of the sandbox: portals, and the protocols that they are read and changed by."""
