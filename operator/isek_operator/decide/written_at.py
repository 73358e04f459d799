"""When something was written, by what stands in the metadata of its object."""

from datetime import UTC, datetime

from isek_operator.decide.outcome import Manifest


def written_at(manifest: Manifest, annotation: str) -> datetime | None:
    """The time in an annotation, else, or where that is none, that of the object's creation; None: nobody knows.

    People may have written it: without a zone it is UTC.
    """
    metadata = manifest["metadata"]
    annotated = _time((metadata.get("annotations") or {}).get(annotation, ""))
    return annotated or _time(metadata.get("creationTimestamp", ""))


def _time(written: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(written)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
