"""Writes the CustomResourceDefinitions from the models: ``python -m isek.api.crd [--check] FOLDER``.

The JSON schema that pydantic makes is turned into the structural subset that a CRD may hold
(https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema):
references are written out, an optional field is one that may be left away, and what the API server does not know is
dropped.
"""

import sys
from pathlib import Path
from typing import Any

import yaml

from isek.api import GROUP, KINDS, VERSION, Resource
from isek.api.fields import DNS_LABEL, MAX_NAME_LENGTH
from isek.generated import write_or_check

CATEGORY = "isek"
DROPPED = ("$defs", "title", "propertyNames", "const", "additionalProperties")
NAME_RULE = {
    "rule": f"size(self.metadata.name) <= {MAX_NAME_LENGTH} && self.metadata.name.matches('{DNS_LABEL}')",
    "message": f"metadata.name must be a DNS label of at most {MAX_NAME_LENGTH} characters: a-z, 0-9 and -, "
    "beginning and ending with a letter or a digit",
}


def structural(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """``schema`` as the structural schema of a CRD; ``definitions`` are what its ``$ref`` point into.

    Raises:
        ValueError: it holds something that no structural schema can say.
    """
    if "$ref" in schema:
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        return structural({**definitions[schema["$ref"].removeprefix("#/$defs/")], **beside}, definitions)
    if "anyOf" in schema:
        options = [option for option in schema["anyOf"] if option != {"type": "null"}]
        if len(options) != 1:
            raise ValueError(f"a field may be of one type or left away, not one of {options}")
        return structural({**options[0], **{k: v for k, v in schema.items() if k != "anyOf"}}, definitions)

    result = {key: value for key, value in schema.items() if key not in DROPPED}
    if "const" in schema:
        result["enum"] = [schema["const"]]
    if "description" in result:
        result["description"] = " ".join(result["description"].split())
    if result.get("default", ...) is None:
        del result["default"]
    elif isinstance(result.get("default"), dict):
        result["default"] = {}  # the fields below have defaults of their own
    if "properties" in schema:
        result["properties"] = {key: structural(value, definitions) for key, value in schema["properties"].items()}
    if "items" in schema:
        result["items"] = structural(schema["items"], definitions)
    if isinstance(schema.get("additionalProperties"), dict):
        result["additionalProperties"] = structural(schema["additionalProperties"], definitions)
    return result


def custom_resource_definition(kind: type[Resource]) -> dict[str, Any]:
    """The CRD of ``kind`` (apiextensions.k8s.io/v1)."""
    schema = kind.model_json_schema(by_alias=True)
    root = structural(schema, schema.get("$defs", {}))
    root["properties"] = {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
        "spec": root["properties"]["spec"],
        "status": root["properties"]["status"],
    }
    root["required"] = [name for name in root.get("required", ()) if name != "metadata"] or None
    root["x-kubernetes-validations"] = [NAME_RULE, *root.get("x-kubernetes-validations", ())]
    subresources: dict[str, Any] = {"status": {}}
    if kind.scalable:
        subresources["scale"] = {
            "specReplicasPath": ".spec.replicas",
            "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": ".status.selector",
        }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind.__name__,
                "listKind": f"{kind.__name__}List",
                "plural": kind.plural,
                "singular": kind.__name__.lower(),
                "shortNames": [kind.short_name],
                "categories": [CATEGORY],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": subresources,
                    "additionalPrinterColumns": [
                        {"name": column.name, "type": column.type, "jsonPath": column.json_path}
                        | ({"priority": column.priority} if column.priority else {})
                        for column in kind.columns
                    ],
                    "schema": {"openAPIV3Schema": {key: value for key, value in root.items() if value is not None}},
                }
            ],
        },
    }


class _WithoutAliases(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def files(folder: Path) -> dict[Path, str]:
    """The file of each CRD."""
    return {
        folder / f"{kind.plural}.yaml": "# Generated from isek.api by `make generate`. Do not edit.\n"
        + yaml.dump(custom_resource_definition(kind), Dumper=_WithoutAliases, sort_keys=False, width=120)
        for kind in KINDS.values()
    }


if __name__ == "__main__":
    sys.exit(write_or_check(sys.argv[1:], files))
