//! Extensions that an embedder has itself (RFC 5321 §2.2.2): a keyword of the EHLO answer, parameters
//! of MAIL and RCPT, and commands.

use super::{MAIL_PARAMS, RCPT_PARAMS};
use crate::wire::{Malformed, Params, Verb, is_esmtp_keyword, split_verb};
use alloc::{borrow::Cow, string::String, vec::Vec};
use core::{
    fmt::{self, Write as _},
    hash::{Hash, Hasher},
};

/// Extensions of an embedder that are offered at most, so that the EHLO answer is bounded.
const MAX_EXTENSIONS: usize = 8;
/// Parameters of MAIL, or of RCPT, of one of them: one bit each is noted in a command line.
const MAX_PARAMETERS: usize = 64 / MAX_EXTENSIONS;
/// Octets of a keyword.
const MAX_KEYWORD: usize = 64;
/// Octets of what follows a keyword in the EHLO answer.
const MAX_ANNOUNCEMENT: usize = 256;

/// An extension that the machine has not: it keeps the grammar and the order, and the embedder gives
/// the meaning. RFC 5321 §2.2.2 wants the keywords of private ones to begin with `X`.
///
/// A server with one in [`Extensions::custom`](super::Extensions::custom) announces the keyword, takes
/// the parameters into [`Mail::other`](crate::wire::Mail::other) and
/// [`Rcpt::other`](crate::wire::Rcpt::other), and asks about the commands by
/// [`Event::Command`](crate::server::Event::Command). A client with one in its configuration may send
/// them to servers that announce it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomExtension {
    keyword: &'static str,
    announcement: String,
    mail: Vec<&'static str>,
    rcpt: Vec<&'static str>,
    commands: Vec<&'static str>,
}

impl CustomExtension {
    /// An extension with no parameters and no commands yet.
    ///
    /// # Errors
    /// [`Malformed`] if `keyword` is no `ehlo-keyword` (RFC 5321 §4.1.1.1) of at most 64 octets, or
    /// is one that this crate knows.
    pub fn new(keyword: &'static str) -> Result<Self, Malformed> {
        let is_ours = super::ALL.iter().any(|known| known.keyword.eq_ignore_ascii_case(keyword));
        if is_ours {
            return Err(Malformed::of("keyword of an extension"));
        }
        Ok(Self {
            keyword: check(keyword)?,
            announcement: String::new(),
            mail: Vec::new(),
            rcpt: Vec::new(),
            commands: Vec::new(),
        })
    }

    /// What a server says behind the keyword.
    ///
    /// # Errors
    /// [`Malformed`] if it is not graphic ASCII with spaces between, at most 256 octets.
    pub fn announcing(mut self, params: &str) -> Result<Self, Malformed> {
        let fits = params.len() <= MAX_ANNOUNCEMENT;
        if !fits || !params.bytes().all(|octet| matches!(octet, b' '..=b'~')) {
            return Err(Malformed::of("announcement of an extension"));
        }
        self.announcement = params.trim().into();
        Ok(self)
    }

    /// Adds a parameter of MAIL.
    ///
    /// # Errors
    /// [`Malformed`] if it is no `esmtp-keyword` (RFC 5321 §4.1.2) or one that this crate knows; or
    /// if there are eight already.
    pub fn mail_parameter(mut self, keyword: &'static str) -> Result<Self, Malformed> {
        add_parameter(&mut self.mail, keyword)?;
        Ok(self)
    }

    /// Adds a parameter of RCPT.
    ///
    /// # Errors
    /// Those of [`mail_parameter`](Self::mail_parameter).
    pub fn rcpt_parameter(mut self, keyword: &'static str) -> Result<Self, Malformed> {
        add_parameter(&mut self.rcpt, keyword)?;
        Ok(self)
    }

    /// Adds a command, which one line asks and one reply answers.
    ///
    /// # Errors
    /// [`Malformed`] if the verb is no keyword, or one that this crate knows.
    pub fn command(mut self, verb: &'static str) -> Result<Self, Malformed> {
        if !matches!(split_verb(check(verb)?.as_bytes()), (Verb::Other(_), [])) {
            return Err(Malformed::of("verb of an extension"));
        }
        self.commands.push(verb);
        Ok(self)
    }

    /// The keyword.
    pub fn keyword(&self) -> &'static str {
        self.keyword
    }

    /// What a server says behind it.
    pub(crate) fn announcement(&self) -> &str {
        &self.announcement
    }

    /// Whether it has this command.
    pub(crate) fn has_command(&self, verb: &str) -> bool {
        contains(&self.commands, verb)
    }
}

fn contains(keywords: &[&str], keyword: &str) -> bool {
    keywords.iter().any(|known| known.eq_ignore_ascii_case(keyword))
}

fn check(keyword: &'static str) -> Result<&'static str, Malformed> {
    let fits = keyword.len() <= MAX_KEYWORD && is_esmtp_keyword(keyword);
    if fits { Ok(keyword) } else { Err(Malformed::of("keyword")) }
}

/// Whether a parameter of MAIL or RCPT is one of this crate's.
fn is_known(keyword: &str) -> bool {
    let same = |known: &str| known.eq_ignore_ascii_case(keyword);
    MAIL_PARAMS.iter().any(|(_, param)| same(param.keyword))
        || RCPT_PARAMS.iter().any(|(_, param)| same(param.keyword))
}

fn add_parameter(list: &mut Vec<&'static str>, keyword: &'static str) -> Result<(), Malformed> {
    if is_known(check(keyword)?) || contains(list, keyword) || list.len() == MAX_PARAMETERS {
        return Err(Malformed::of("parameter of an extension"));
    }
    list.push(keyword);
    Ok(())
}

/// Which command a parameter belongs to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ParameterOf {
    Mail,
    Rcpt,
}

/// The extensions of an embedder, by what they have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CustomExtensions(Vec<CustomExtension>);

impl CustomExtensions {
    /// Adds one, unless there are eight, or one with its keyword.
    pub(crate) fn add(&mut self, extension: CustomExtension) {
        if self.0.len() < MAX_EXTENSIONS && self.find(extension.keyword.as_bytes()).is_none() {
            self.0.push(extension);
        }
    }

    pub(crate) fn iter(&self) -> core::slice::Iter<'_, CustomExtension> {
        self.0.iter()
    }

    /// The one with this keyword.
    pub(crate) fn find(&self, keyword: &[u8]) -> Option<&CustomExtension> {
        let named = |it: &&CustomExtension| it.keyword.as_bytes().eq_ignore_ascii_case(keyword);
        self.0.iter().find(named)
    }

    /// The place of a parameter among all of its command, below 64, and whose it is.
    pub(crate) fn parameter(
        &self,
        of: ParameterOf,
        keyword: &str,
    ) -> Option<(usize, &'static str)> {
        self.0.iter().enumerate().find_map(|(row, extension)| {
            let list = match of {
                ParameterOf::Mail => &extension.mail,
                ParameterOf::Rcpt => &extension.rcpt,
            };
            let column = list.iter().position(|known| known.eq_ignore_ascii_case(keyword))?;
            Some((row * MAX_PARAMETERS + column, extension.keyword))
        })
    }

    /// The one that has this command.
    pub(crate) fn command(&self, verb: &str) -> Option<&CustomExtension> {
        self.0.iter().find(|extension| extension.has_command(verb))
    }
}

/// Parameters of MAIL or RCPT that belong to extensions of the embedder.
///
/// Two are equal if they have the same parameters in the same order.
#[derive(Clone, Debug, Default)]
pub struct OtherParams<'b>(Cow<'b, str>);

impl<'b> OtherParams<'b> {
    /// None.
    pub const NONE: Self = Self(Cow::Borrowed(""));

    /// Parses parameters, with spaces between.
    ///
    /// RFC 5321 §4.1.2: `esmtp-param *(SP esmtp-param)`.
    ///
    /// # Errors
    /// [`Malformed`] if it is anything else, or if one is a parameter that this crate knows.
    pub fn parse(text: &'b str) -> Result<Self, Malformed> {
        for param in Params::new(text) {
            if is_known(param?.keyword) {
                return Err(Malformed::of("parameter"));
            }
        }
        Ok(Self(Cow::Borrowed(text)))
    }

    /// Those of a whole list, which has been checked; the others in it do not count.
    pub(crate) fn of(text: &'b str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// The keywords, as they were written, with their values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let params = Params::new(&self.0).map_while(Result::ok);
        params.map(|param| (param.keyword, param.value)).filter(|(keyword, _)| !is_known(keyword))
    }

    /// The value of a parameter: `None` if it is not there, `Some(None)` if it has none.
    pub fn get(&self, keyword: &str) -> Option<Option<&str>> {
        self.iter().find(|(it, _)| it.eq_ignore_ascii_case(keyword)).map(|(_, value)| value)
    }

    /// The same parameters, owned.
    pub fn into_static(self) -> OtherParams<'static> {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = write!(text, "{self}");
        OtherParams(Cow::Owned(text))
    }
}

/// Each with a space in front.
impl fmt::Display for OtherParams<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (keyword, value) in self.iter() {
            match value {
                Some(value) => write!(f, " {keyword}={value}")?,
                None => write!(f, " {keyword}")?,
            }
        }
        Ok(())
    }
}

impl PartialEq for OtherParams<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for OtherParams<'_> {}

impl Hash for OtherParams<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.iter().for_each(|param| param.hash(state));
        state.write_u8(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn names_that_are_malformed_or_taken_are_refused() {
        let extension = || CustomExtension::new("X-TEST").unwrap();
        for keyword in ["", "-X", "X Y", "X_Y", "size", "STARTTLS", "X\r\nY", "é"] {
            assert!(CustomExtension::new(keyword).is_err(), "{keyword}");
        }
        for keyword in ["", "X=", "SIZE", "body", "NOTIFY", "X Y"] {
            assert!(extension().mail_parameter(keyword).is_err(), "{keyword}");
            assert!(extension().rcpt_parameter(keyword).is_err(), "{keyword}");
        }
        for verb in ["", "MAIL", "starttls", "GET", "X Y", "X\r\nQUIT"] {
            assert!(extension().command(verb).is_err(), "{verb}");
        }
        for text in ["a\r\nb", "é", "\t", &"x".repeat(257)] {
            assert!(extension().announcing(text).is_err(), "{text}");
        }
        let twice = extension().mail_parameter("X-A").unwrap().mail_parameter("x-a");
        assert!(twice.is_err());
    }

    #[test]
    fn what_is_offered_is_bounded() {
        const NAMES: [&str; 9] = ["X1", "X2", "X3", "X4", "X5", "X6", "X7", "X8", "X9"];
        let mut extension = CustomExtension::new("X-TEST").unwrap();
        for name in &NAMES[..8] {
            extension = extension.mail_parameter(name).unwrap();
        }
        assert!(extension.clone().mail_parameter(NAMES[8]).is_err());
        let mut all = CustomExtensions::default();
        for name in NAMES.into_iter().chain(["x1"]) {
            all.add(CustomExtension { keyword: name, ..extension.clone() });
        }
        assert_eq!(all.iter().count(), 8);
        assert!(all.parameter(ParameterOf::Mail, "x8").is_some_and(|(place, _)| place < 64));
    }

    #[test]
    fn other_parameters_are_those_that_are_not_known() {
        let params = OtherParams::of(" SIZE=1 X-A=b  x-c  ORCPT=rfc822;x");
        assert_eq!(params.to_string(), " X-A=b x-c");
        assert_eq!((params.get("x-a"), params.get("X-C")), (Some(Some("b")), Some(None)));
        assert_eq!((params.get("SIZE"), params.get("X-D")), (None, None));
        assert_eq!(params, OtherParams::parse("X-A=b x-c").unwrap());
        assert_eq!(params.clone().into_static(), params);
        assert_ne!(params, OtherParams::NONE);
        assert!(
            OtherParams::of(" SIZE=1").is_empty() && OtherParams::parse(" ").unwrap().is_empty()
        );
        for text in ["SIZE=1", "X-A=", "X-A=b=c", "X-A\r\nRCPT", "X_A"] {
            assert!(OtherParams::parse(text).is_err(), "{text:?}");
        }
    }
}
