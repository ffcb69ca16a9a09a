//! AUTH: SASL by rsasl, credentials by one trait.

use std::{future::Future, pin::Pin};

/// Who a peer has proved to be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Identity {
    /// The name it authenticated as.
    pub authentication_id: String,
    /// The name it wants to act as; empty for the same.
    pub authorization_id: String,
}

/// What a credential check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    /// The password is right.
    Right,
    /// It is wrong, or there is no such user: the peer cannot tell which.
    Wrong,
    /// It could not be checked now.
    Unavailable,
}

/// Where passwords are checked.
pub trait Credentials: Send + Sync + 'static {
    /// Whether `password` is that of `identity`, and the identity may act as it wants.
    fn check<'a>(
        &'a self,
        identity: &'a Identity,
        password: &'a str,
    ) -> Pin<Box<dyn Future<Output = Checked> + Send + 'a>>;
}
