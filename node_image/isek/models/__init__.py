"""What thinks for an agent: the language models, behind one interface. ``isek`` offers them by name."""
