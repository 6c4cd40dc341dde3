//! TPM evidence: structures, quotes, EK chains, event logs; parse and verify.
