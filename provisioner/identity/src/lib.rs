//! Who somebody is: passwords, tokens, one-time codes and OpenID Connect. Called by the operator's routes and the server.
