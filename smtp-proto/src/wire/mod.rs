//! The words of the protocol: each type holds only what is valid, borrowed from the line it was
//! parsed from, and writes itself back so that parsing again gives the same value.
//!
//! Framing comes first ([`crate::line`]), grammar second: every parser here sees one whole line
//! without its CRLF, so none of them ever waits for more.

mod base64;
mod command;
mod domain;
mod mailbox;
mod params;
mod path;
mod reply;
mod text;
mod xtext;

pub use base64::Base64;
pub use command::{Hello, Mail, Rcpt, Verb};
pub use domain::{AddressLiteral, Domain, HelloName, Host};
pub use mailbox::{LocalPart, Mailbox};
pub use path::{ForwardPath, ReversePath};
pub use reply::{Accepted, InvalidReply, MAX_REPLY, MAX_REPLY_LINE, Refused, ReplyText};
pub use text::{Mechanism, Text};
pub use xtext::Xtext;

pub(crate) use command::{Fault, split_verb};
pub(crate) use params::{Param, Params};
pub(crate) use reply::write_reply;

/// The text is not of the form that its type asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed {0}")]
pub struct Malformed(pub(crate) &'static str);
