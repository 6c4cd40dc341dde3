//! Every decision of the provisioner.
