//! A host without an OS: DHCPv4, TFTP, HTTP and HTTPS boot.
