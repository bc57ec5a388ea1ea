"""A stand-alone local server that speaks Salesforce's and HubSpot's protocols, for trying and testing connectors."""
