"""What an agent's model may call. ``isek`` offers it by name."""
