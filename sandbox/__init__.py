"""A stand-alone local server that speaks Salesforce's protocols, for trying and testing connectors."""
