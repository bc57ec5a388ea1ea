"""The one error of the local runtime."""


class RuntimeProblem(Exception):
    """Something a person has to put right; the text says what is wrong and what would be right."""
