"""What every pod and container gives up (Pod Security Standards, profile "restricted")."""

from typing import Any

USER_ID = 65532
"""User and group of every image of the project ("nonroot" of the distroless images)."""


def pod_security_context() -> dict[str, Any]:
    """For ``spec.securityContext`` of a pod."""
    return {
        "runAsNonRoot": True,
        "runAsUser": USER_ID,
        "runAsGroup": USER_ID,
        "fsGroup": USER_ID,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container_security_context() -> dict[str, Any]:
    """For ``securityContext`` of a container."""
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
