//! The loop: fact, step, one transaction, effects.
