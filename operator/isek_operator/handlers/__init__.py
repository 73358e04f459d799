"""Thin Kopf handlers: unpack, enqueue, nothing else."""
