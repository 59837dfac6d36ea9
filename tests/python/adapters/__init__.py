"""The adapters, against real servers that misbehave."""
