"""Where Alembic begins: the connection is given, and so is its transaction."""

from alembic import context

from isek.memory.tables import metadata

VERSION_TABLE = "isek_memory_version"

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, version_table=VERSION_TABLE
)
context.run_migrations()
