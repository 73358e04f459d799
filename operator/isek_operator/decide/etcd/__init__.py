"""What becomes of the members of a mesh's etcd."""
