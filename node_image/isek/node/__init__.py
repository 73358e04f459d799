"""The server that hosts agents, and its settings."""
