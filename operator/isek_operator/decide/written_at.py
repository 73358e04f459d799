"""When something was written, by what stands in the metadata of its object."""

from datetime import UTC, datetime

from isek_operator.decide.outcome import Manifest


def written_at(manifest: Manifest, annotation: str) -> datetime | None:
    """The time in an annotation, else that of the object's creation; None: nobody knows.

    People may have written it: without a zone it is UTC.
    """
    metadata = manifest["metadata"]
    written = (metadata.get("annotations") or {}).get(annotation) or metadata.get("creationTimestamp", "")
    try:
        at = datetime.fromisoformat(written)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
