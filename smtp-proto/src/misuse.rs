//! What an embedder did wrong: a call that the machine does not carry out.

use crate::body::ContentFault;

/// A call that makes no sense, or whose octets may not leave. Nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Misuse {
    /// The command is out of sequence here (RFC 5321 §4.1.4), or must wait for replies.
    #[error("the command is out of sequence")]
    NotNow,
    /// The send buffer, or the number of commands without a reply, is at its bound: write, read,
    /// and try again.
    #[error("too much is waiting to be sent or answered")]
    Full,
    /// The server did not offer the extension with this keyword (RFC 5321 §2.2.1).
    #[error("the server does not offer {0}")]
    NotOffered(&'static str),
    /// MAIL announces more octets than the server takes (RFC 1870 §6.1).
    #[error("the message is larger than the server takes")]
    TooLarge,
    /// A parameter or command of an extension that is not in the configuration
    /// ([`ClientConfigBuilder::custom`](crate::client::ClientConfigBuilder::custom)).
    #[error("it belongs to no extension in the configuration")]
    Unregistered,
    /// A parameter of the extension with this keyword has a value that the server has announced not
    /// to take (RFC 2852 §3, RFC 4865 §4.1).
    #[error("the value is beyond what the server announced with {0}")]
    BeyondOffer(&'static str),
    /// REQUIRETLS outside TLS (RFC 8689 §2).
    #[error("REQUIRETLS needs a session inside TLS")]
    NeedsTls,
    /// An address outside ASCII in a transaction without SMTPUTF8 (RFC 6531 §3.4).
    #[error("the address needs SMTPUTF8")]
    NeedsSmtpUtf8,
    /// DATA for a message announced as BINARYMIME (RFC 3030 §3).
    #[error("a binary message can be sent by BDAT only")]
    NeedsBdat,
    /// The line would be too long (RFC 5321 §4.5.3.1.4, RFC 4954 §4).
    #[error("the command line is too long")]
    LineTooLong,
    /// The octets of the message may not be sent. The message cannot be completed: only
    /// [`abort`](crate::client::ClientConnection::abort) is left.
    #[error(transparent)]
    Content(#[from] ContentFault),
    /// The connection is over.
    #[error("the connection is over")]
    Closed,
}
