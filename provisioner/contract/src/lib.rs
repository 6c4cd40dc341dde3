//! What a host and the provisioner say to each other, version 1.
