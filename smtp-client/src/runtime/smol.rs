//! smol.

mod dns;

pub use dns::DnsRuntime;

/// Name servers asked on smol.
pub type Dns = crate::resolve::Dns<DnsRuntime>;
