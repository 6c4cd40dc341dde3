//! A host works: artifacts, and the gateway of the agents.
