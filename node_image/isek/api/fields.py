"""Field types with the bounds that the CRDs carry (an unbounded field makes every CEL rule over it too dear)."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints, WithJsonSchema

MAX_NAME_LENGTH = 40
"""Characters of a resource's name: what a DNS label (63) leaves beside a pod's longest suffix, ``-agent-<10>-<5>``."""

DNS_LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
"""RFC 1123 label, without its length."""

ResourceName = Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAME_LENGTH, pattern=DNS_LABEL)]
ObjectName = Annotated[
    str, StringConstraints(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$")
]
Namespace = Annotated[str, StringConstraints(min_length=1, max_length=63, pattern=DNS_LABEL)]
Text = Annotated[str, StringConstraints(max_length=1024)]
LongText = Annotated[str, StringConstraints(max_length=32768)]
ImageName = Annotated[str, StringConstraints(min_length=1, max_length=512)]
Host = Annotated[
    str,
    StringConstraints(
        min_length=1,
        max_length=253,
        pattern=(
            r"^([0-9A-Za-z]([-0-9A-Za-z]*[0-9A-Za-z])?(\.[0-9A-Za-z]([-0-9A-Za-z]*[0-9A-Za-z])?)*"
            r"|[0-9A-Fa-f]{0,4}(:[0-9A-Fa-f]{0,4}){2,7})$"
        ),
    ),
]
"""A name, or an IP address without brackets."""
Url = Annotated[str, StringConstraints(max_length=2048, pattern=r"^https?://[^\s]+$")]
PythonPath = Annotated[
    str, StringConstraints(max_length=253, pattern=r"^[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_.]*$")
]
"""``package.module:name``."""
Capability = Annotated[
    str, StringConstraints(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-._a-z0-9]*[a-z0-9])?$")
]
Quantity = Annotated[
    str, StringConstraints(min_length=1, max_length=32, pattern=r"^[0-9]+(\.[0-9]+)?([KMGTPE]i|[numkMGTPE])?$")
]
ShortText = Annotated[str, StringConstraints(max_length=253)]
LabelValue = Annotated[str, StringConstraints(max_length=63, pattern=r"^([A-Za-z0-9]([-._A-Za-z0-9]*[A-Za-z0-9])?)?$")]
Labels = Annotated[dict[ShortText, ShortText], Field(max_length=64)]
Annotations = Annotated[dict[ShortText, LongText], Field(max_length=64)]

AnyObject = Annotated[dict[str, Any], WithJsonSchema({"type": "object", "x-kubernetes-preserve-unknown-fields": True})]
"""An object that somebody else validates: Kubernetes' own types, a provider's parameters, a tool's arguments."""
