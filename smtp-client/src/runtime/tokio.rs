//! tokio.

/// hickory's own sockets and timers. A resolver must be used within one runtime.
pub use hickory_resolver::net::runtime::TokioRuntimeProvider as DnsRuntime;

/// Name servers asked on tokio.
pub type Dns = crate::resolve::Dns<DnsRuntime>;
