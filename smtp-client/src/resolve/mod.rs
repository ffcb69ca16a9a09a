//! What a client asks the DNS, and what may come back.
//!
//! [`Resolver`] is the trait; `Dns`, with a runtime's feature, asks name servers.

#[cfg(any(feature = "tokio", feature = "smol"))]
mod dns;

#[cfg(any(feature = "tokio", feature = "smol"))]
pub use dns::{Dns, DnsConfig};

use smtp_proto::wire::Domain;
use std::{future::Future, net::IpAddr, sync::Arc};
use thiserror::Error;

/// Asks the DNS.
///
/// Domains are asked for as they stand, from the root, in ASCII: a search list and U-labels are the
/// caller's. A CNAME is followed (RFC 5321 §5.1).
pub trait Resolver: Send + Sync {
    /// The MX records of `domain`, in any order.
    ///
    /// # Errors
    /// [`ResolveError`]; an empty list means the same as [`ResolveError::NoData`].
    fn mx(&self, domain: &Domain<'_>)
    -> impl Future<Output = Result<Vec<Mx>, ResolveError>> + Send;

    /// The addresses of `host`, in the order in which to try them (RFC 5321 §5.1).
    ///
    /// If one family has addresses, it does not matter why the other has none.
    ///
    /// # Errors
    /// [`ResolveError`]; an empty list means the same as [`ResolveError::NoData`].
    fn addresses(
        &self,
        host: &Domain<'_>,
    ) -> impl Future<Output = Result<Vec<IpAddr>, ResolveError>> + Send;
}

impl<R: Resolver + ?Sized> Resolver for Arc<R> {
    fn mx(
        &self,
        domain: &Domain<'_>,
    ) -> impl Future<Output = Result<Vec<Mx>, ResolveError>> + Send {
        (**self).mx(domain)
    }

    fn addresses(
        &self,
        host: &Domain<'_>,
    ) -> impl Future<Output = Result<Vec<IpAddr>, ResolveError>> + Send {
        (**self).addresses(host)
    }
}

/// An MX record (RFC 1035 §3.3.9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mx {
    /// The lowest is tried first.
    pub preference: u16,
    /// The name of a host as the record has it, with or without a dot at its end; `.` is the root.
    /// It need not be a name that a host can have.
    pub exchange: String,
}

/// Why a question has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ResolveError {
    /// NXDOMAIN: no records of any type, nor of names below it (RFC 8020).
    #[error("no such domain")]
    NoDomain,
    /// The domain exists, without records of the type (RFC 2308 §2.2).
    #[error("no such records")]
    NoData,
    /// Nothing is known. It may be later.
    #[error(transparent)]
    Temporary(#[from] Outage),
}

/// Why nothing is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Outage {
    /// No answer in time.
    #[error("the name servers do not answer")]
    TimedOut,
    /// SERVFAIL, or another error code.
    #[error("the name servers failed")]
    ServerFailure,
    /// REFUSED, or a server that does not ask others for us.
    #[error("the name servers refuse to answer")]
    Refused,
    /// The answer cannot be read, or is none to this question.
    #[error("the name servers' answer makes no sense")]
    Malformed,
    /// The name servers cannot be reached.
    #[error("the name servers cannot be reached")]
    Unreachable,
}
