"""The chat page: agents and teams in a browser. It knows nodes by their HTTP interface alone."""
