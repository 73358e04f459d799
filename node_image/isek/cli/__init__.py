"""The isek command."""
