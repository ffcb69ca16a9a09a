//! The words of the protocol: each type holds only what is valid, borrowed from the line it was
//! parsed from, and writes itself back so that parsing again gives the same value.
//!
//! Framing comes first (`line.rs`), grammar second: every parser here sees one whole line without
//! its CRLF, so none of them ever waits for more. None of them allocates; `into_static` copies.

mod arguments;
mod base64;
mod class;
mod command;
mod date_time;
mod domain;
mod error;
mod mailbox;
mod params;
mod path;
mod received;
mod reply;
mod reply_reader;
mod text;
mod verb;
mod xtext;

pub use base64::Base64;
pub use command::{Mail, Rcpt};
pub use date_time::DateTime;
pub use domain::{AddressLiteral, Domain, HelloName, Host};
pub use error::{CommandError, Malformed};
pub use mailbox::{LocalPart, Mailbox};
pub use path::{ForwardPath, ReversePath};
pub use received::{Deviation, Reply};
pub use reply::{Accepted, InvalidReply, MAX_REPLY, MAX_REPLY_LINE, Refused, ReplyText};
pub use reply_reader::{Received, ReplyReader};
pub use text::{Mechanism, Text};
pub use verb::{Hello, Verb};
pub use xtext::Xtext;

pub(crate) use arguments::{
    Chunk, auth_args, bdat_args, hello_args, no_args, text_args, utf8_args, verify_args,
};
pub(crate) use error::CommandError as Fault;
pub(crate) use mailbox::is_atom;
pub(crate) use params::{Params, is_esmtp_keyword};
pub(crate) use reply::write_reply;
pub(crate) use verb::split_verb;

use alloc::borrow::Cow;
use nom::{Parser, combinator::all_consuming};

/// What a grammar function gives: the rest of the line, and the value. Errors carry no position:
/// a refused line is answered with a code, which the whole line decides.
type Parsed<'b, T> = nom::IResult<&'b str, T, ()>;

/// Runs `grammar` over all of `text`; `what` names the rule in the error.
fn whole<'b, T>(
    grammar: impl Parser<&'b str, Output = T, Error = ()>,
    text: &'b str,
    what: &'static str,
) -> Result<T, Malformed> {
    match all_consuming(grammar).parse(text) {
        Ok((_, value)) => Ok(value),
        Err(_) => Err(Malformed::of(what)),
    }
}

/// What follows `prefix`, compared without case.
///
/// Not nom's `tag_no_case`: on text that one folds case by Unicode, where U+212A equals `k`.
#[inline]
fn strip_prefix_no_case<'b>(text: &'b str, prefix: &str) -> Option<&'b str> {
    let (front, rest) = text.split_at_checked(prefix.len())?;
    (front == prefix || front.eq_ignore_ascii_case(prefix)).then_some(rest)
}

/// `text` without the spaces at its front: mostly there is none.
#[inline]
fn skip_spaces(mut text: &str) -> &str {
    while let Some(rest) = text.strip_prefix(' ') {
        text = rest;
    }
    text
}

/// Whether a word of a command line may end before `rest`.
fn ends_word(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with(' ')
}

/// The same text, owned.
fn into_static(text: Cow<'_, str>) -> Cow<'static, str> {
    Cow::Owned(text.into_owned())
}
