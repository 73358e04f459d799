"""What keeps a local mesh from running."""


class LocalError(Exception):
    """Something that the user can mend; the message says what to do."""
