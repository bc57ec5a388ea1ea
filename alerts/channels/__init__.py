"""The ways a message can take. One module a channel; importing it registers it."""
