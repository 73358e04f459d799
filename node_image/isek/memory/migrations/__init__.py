"""The steps that bring the tables of a memory up to date, run by Alembic when a memory is first used."""
