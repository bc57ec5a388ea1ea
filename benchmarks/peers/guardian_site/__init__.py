"""A Django application for guardian's direct keys: a model, and who may do what with its rows."""
