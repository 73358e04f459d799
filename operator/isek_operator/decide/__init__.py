"""Pure decisions: the observed world in, the desired world and what to say about it out."""
