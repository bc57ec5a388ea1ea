"""Who sees a deal: why (``explain``), in the past (``past``), and after a change (``preview``)."""
