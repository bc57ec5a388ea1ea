"""Which field of the CRM fills which of ours: the document (``document``), what it makes of an object (``applied``), its versions (``versions``)."""
