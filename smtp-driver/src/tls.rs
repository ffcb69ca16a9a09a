//! TLS by rustls' own sans-IO connection.

/// Where a listener takes its TLS configuration from: shared, and replaceable while it runs.
#[derive(Clone, Debug)]
pub struct Acceptor;
