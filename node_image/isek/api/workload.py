"""What IsekAgent, IsekTeam and IsekNode share: references, limits and the pod template."""

from typing import Annotated, ClassVar

from pydantic import Field

from isek.api.access import Access
from isek.api.fields import (
    Annotations,
    AnyObject,
    ImageName,
    Labels,
    LongText,
    Namespace,
    ObjectName,
    ResourceName,
    ShortText,
    Text,
)
from isek.api.push_notifications import PushNotifications
from isek.api.resource import MESH_COLUMN, Column, WorkloadStatus
from isek.api.schema import Model, Rule

DEFAULT_MESH = "default"
"""The mesh of a namespace that is used, and made where it is missing, when none is named."""

Replicas = Annotated[int, Field(ge=0, le=1000)]
Topic = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$")]


class LocalReference(Model):
    """An object of the same namespace."""

    name: ResourceName
    """Its name."""


class Reference(Model):
    """An object of the same namespace, or of the one that is named."""

    name: ResourceName
    """Its name."""
    namespace: Namespace | None = None
    """Its namespace; default: the own one."""

    @property
    def address(self) -> str:
        """How an agent or a team is asked that is named so: ``<agent>``, or ``<agent>.<namespace>``."""
        return f"{self.name}.{self.namespace}" if self.namespace else self.name


class ObjectReference(Model):
    """A core object of the same namespace."""

    name: ObjectName
    """Its name."""


class SecretKeySelector(Model):
    """A key of a Secret of the same namespace."""

    name: ObjectName
    """The Secret."""
    key: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")]
    """The key in it."""


class SecretValue(Model):
    """A value that is read from a Secret; it never stands in the resource itself."""

    secret_key_ref: SecretKeySelector
    """Where it is."""


class Limits(Model):
    """What a run may take before it is ended with an error."""

    max_iterations: Annotated[int, Field(ge=1, le=1000)] = 10
    """Calls of the model in one run."""
    timeout_seconds: Annotated[int, Field(ge=1, le=86400)] = 300
    """Seconds for one run, tools and other agents included."""
    max_concurrent_tasks: Annotated[int, Field(ge=1, le=10000)] = 8
    """Runs at a time in one replica; a further one is answered with 429."""


class EnvVar(Model):
    """An environment variable of the node container (core/v1 EnvVar)."""

    name: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
    """Its name."""
    value: LongText | None = None
    """Its value."""
    value_from: AnyObject | None = None
    """Where the value comes from (core/v1 EnvVarSource)."""

    rules = (
        Rule(
            cel="!(has(self.value) && has(self.valueFrom))",
            message="set value or valueFrom, not both",
            holds=lambda env: env.value is None or env.value_from is None,
        ),
        Rule(
            cel="!self.name.startsWith('ISEK_')",
            message="names that begin with ISEK_ are set by the operator",
            holds=lambda env: not env.name.startswith("ISEK_"),
        ),
    )


class PodTemplate(Model):
    """What the pods look like, beyond what the operator decides."""

    image: ImageName | None = None
    """Image of the node container; default: the operator's."""
    image_pull_secrets: Annotated[tuple[ObjectReference, ...], Field(max_length=16)] | None = None
    """Secrets to pull images with."""
    resources: AnyObject | None = None
    """Requests and limits of the node container (core/v1 ResourceRequirements)."""
    env: (
        Annotated[
            tuple[EnvVar, ...],
            Field(
                max_length=128,
                json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
            ),
        ]
        | None
    ) = None
    """More environment variables of the node container."""
    tls_secret: ObjectReference | None = None
    """A Secret with the certificate that the Service shows (tls.crt, tls.key, as cert-manager writes it). With it there
    is HTTPS on port 8443 and gRPC over TLS on port 8082, and neither in plain text. A new certificate is taken up
    without a restart."""
    service_account_name: ObjectName | None = None
    """An existing ServiceAccount; default: one of its own that may do nothing."""
    node_selector: Labels | None = None
    """Labels of the machines to run on."""
    tolerations: Annotated[tuple[AnyObject, ...], Field(max_length=64)] | None = None
    """Taints to tolerate (core/v1 Toleration)."""
    affinity: AnyObject | None = None
    """Scheduling preferences (core/v1 Affinity)."""
    topology_spread_constraints: Annotated[tuple[AnyObject, ...], Field(max_length=16)] | None = None
    """How to spread over machines (core/v1 TopologySpreadConstraint)."""
    labels: Labels | None = None
    """More labels of the pods."""
    annotations: Annotations | None = None
    """More annotations of the pods."""

    rules = (
        Rule(
            cel=(
                "!has(self.labels) || "
                "self.labels.all(key, !key.contains('isek.io/') && !key.startsWith('app.kubernetes.io/'))"
            ),
            message="labels under isek.io/ and app.kubernetes.io/ are set by the operator",
            holds=lambda template: (
                not any("isek.io/" in key or key.startswith("app.kubernetes.io/") for key in template.labels or ())
            ),
        ),
    )


class HostedStatus(WorkloadStatus):
    """What an agent or a team is."""

    url: ShortText | None = None
    """Where it answers inside the cluster."""
    node: ShortText | None = None
    """The IsekNode, or the Deployment, that hosts it."""


HOSTED_COLUMNS = (Column("Node", "string", ".status.node"), MESH_COLUMN)
URL_COLUMN = Column("URL", "string", ".status.url", priority=1)


class HostedSpec(Model):
    """What runs on an IsekNode or on pods of its own: an agent or a team."""

    description: Text = ""
    """What it is good for, in a sentence; stands on its card."""
    limits: Limits = Limits()
    """What a run may take."""
    access: Access | None = None
    """Who may call it; what is left out is as the mesh has it."""
    topics: Annotated[tuple[Topic, ...], Field(max_length=16)] = ()
    """What it listens to: each message that is published there is a task for one of its replicas."""
    push_notifications: PushNotifications | None = None
    """Whether callers over A2A may be told at a URL of theirs that a task has ended; default: they may not."""
    mesh_ref: Reference | None = None
    """The mesh it joins; default: the one called default, made where it is missing. One of another namespace has to
    allow this one in its allowedNamespaces."""
    node_ref: LocalReference | None = None
    """The IsekNode that hosts it; default: a Deployment of its own."""
    replicas: Replicas = 1
    """Pods of its own Deployment."""
    template: PodTemplate | None = None
    """What these pods look like."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!has(self.nodeRef) || self.replicas == 1",
            message="replicas must be 1 beside nodeRef: the IsekNode is what is scaled",
            holds=lambda spec: spec.node_ref is None or spec.replicas == 1,
        ),
        Rule(
            cel="!has(self.nodeRef) || !has(self.template)",
            message="template has no effect beside nodeRef: set it on the IsekNode",
            holds=lambda spec: spec.node_ref is None or spec.template is None,
        ),
        Rule(
            cel="!has(self.nodeRef) || !has(self.meshRef)",
            message="meshRef has no effect beside nodeRef: the IsekNode's mesh is used",
            holds=lambda spec: spec.node_ref is None or spec.mesh_ref is None,
        ),
    )
