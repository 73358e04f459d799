"""One agent at work: the loop between its model and its tools."""
