"""The same decisions and manifests, planned onto processes of one machine instead of a cluster."""
