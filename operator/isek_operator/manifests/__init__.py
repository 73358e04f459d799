"""Pure builders, one module per Kubernetes kind: data in, manifest out."""
