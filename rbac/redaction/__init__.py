"""The one place that hides personal data: ``masks`` says how, ``reading`` for whom and what is recorded, ``logs`` keeps it out of log lines."""
