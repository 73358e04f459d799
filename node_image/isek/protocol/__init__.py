"""How nodes are talked to: A2A and the plain form, over HTTP and over libp2p."""
