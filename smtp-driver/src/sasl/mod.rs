//! AUTH (RFC 4954): SASL exchanges by rsasl, but for SCRAM.
//!
//! Server: [`Credentials`] checks what a client brought: a password, [`ScramKeys`], a [`BearerToken`],
//! or a certificate. Client: a [`Login`] is what it brings, a [`ClientExchange`] how.

mod client;
mod keys;
mod scram;
mod scram_server;
mod server;
mod token;

pub use client::{ClientExchange, Login};
pub use keys::ScramKeys;
pub use server::{Answer, Checked, Credentials, Identity, Vouched};
pub(crate) use server::{Exchange, Progress};
pub use token::{BearerToken, TokenHelp};

/// Why an exchange cannot go on. After it, cancel the exchange, or close the connection if the
/// server has already said 235.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SaslError {
    /// The login is not for this mechanism, or nobody here knows it.
    #[error("the login cannot be used with this mechanism")]
    Mechanism,
    /// The name, password or token has a character that the mechanism cannot carry.
    #[error("the name or the secret has a character that the mechanism has no room for")]
    Unsendable,
    /// The server asked for more than the mechanism has.
    #[error("the server asks for more than the mechanism has")]
    Unasked,
    /// What the server said is not of the mechanism.
    #[error("the server's message is not of the mechanism")]
    Malformed,
    /// SCRAM: the server wants to know the password with fewer iterations than RFC 7677 §4 has, or
    /// with more than anybody needs.
    #[error("the server asks for {0} iterations, which is too few or too many")]
    Iterations(u32),
    /// SCRAM: the server does not know the password, or has not shown that it does
    /// (RFC 5802 §5). It may be someone else's.
    #[error("the server has not proved that it knows the password")]
    ServerUnproven,
    /// SCRAM: the server said in its own words why it refuses (RFC 5802 §7), such as
    /// `invalid-proof`.
    #[error("the server refuses: {0}")]
    Refused(String),
}

/// RFC 5801 §4, RFC 5802 §7: `saslname`, in which a comma and an equals sign are escaped and a NUL
/// cannot be.
fn saslname(name: &str) -> Result<String, SaslError> {
    if name.contains('\0') {
        return Err(SaslError::Unsendable);
    }
    Ok(name.replace('=', "=3D").replace(',', "=2C"))
}

/// SASLprep (RFC 4013): the one form of a name or password, however it was typed, that mechanisms
/// which hash it need (RFC 5802 §2.2). `None` if it is empty, or has a character that no client
/// can send.
#[must_use]
pub fn prepared(text: &str) -> Option<String> {
    scram::prepare(text).ok()
}
