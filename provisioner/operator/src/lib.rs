//! People look and ask: REST API and console.
