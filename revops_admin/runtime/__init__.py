"""What runs the program on one machine: servers of its own, secrets, and the supervisor of its processes.

Nothing here imports Django, so that it can run before the settings exist.
"""
