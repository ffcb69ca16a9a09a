//! What MAIL and RCPT carry (RFC 5321 §4.1.1.2, §4.1.1.3).

use super::{
    CommandError, ForwardPath, ReversePath, Xtext, ends_word,
    params::{Param, Params, is_same_keyword},
    path, skip_spaces, strip_prefix_no_case,
};
use crate::{
    ext::{
        self, AuthParam, BodyType, DeliverBy, Extension, Hold, Notify, Offer, Orcpt, OtherParams,
        Parameter, ParameterOf, Priority, Ret,
    },
    violation::{SyntaxFault, Violation},
};
use core::fmt;

const NO_FROM: CommandError = CommandError::known(
    501,
    (5, 4),
    "Syntax: MAIL FROM:<address>",
    Violation::Syntax(SyntaxFault::Argument),
);
const NO_TO: CommandError = CommandError::known(
    501,
    (5, 4),
    "Syntax: RCPT TO:<address>",
    Violation::Syntax(SyntaxFault::Argument),
);
const BAD_REVERSE_PATH: CommandError = CommandError::known(
    501,
    (1, 7),
    "Bad sender address syntax",
    Violation::Syntax(SyntaxFault::ReversePath),
);
const BAD_FORWARD_PATH: CommandError = CommandError::known(
    501,
    (1, 3),
    "Bad recipient address syntax",
    Violation::Syntax(SyntaxFault::ForwardPath),
);
const AFTER_PATH: CommandError = CommandError::known(
    501,
    (5, 4),
    "Only a space and parameters may follow the address",
    Violation::Syntax(SyntaxFault::Argument),
);
const UNKNOWN_PARAMETER: CommandError = CommandError::known(
    555,
    (5, 4),
    "Parameter not recognized or not offered",
    Violation::Syntax(SyntaxFault::UnknownParameter),
);
const BAD_PARAMETER: CommandError = CommandError::known(
    501,
    (5, 4),
    "Malformed parameter",
    Violation::Syntax(SyntaxFault::BadParameter),
);
const REPEATED_PARAMETER: CommandError = CommandError::known(
    501,
    (5, 4),
    "A parameter was given twice",
    Violation::Syntax(SyntaxFault::BadParameter),
);
/// RFC 6531 §4.2 registers X.6.7 for 550 and 553. §3.5 names 550 for MAIL; 553, "mailbox name not
/// allowed", is given to both, for it says what is wrong.
pub(super) const NEEDS_SMTPUTF8: CommandError =
    CommandError::known(553, (6, 7), "Address needs SMTPUTF8", Violation::NeedsSmtpUtf8);

/// What MAIL says (RFC 5321 §4.1.1.2): the start of a transaction.
///
/// Its `Display` form is what follows the verb: `FROM:<a@example.org> SIZE=10`.
///
/// ```
/// use smtp_proto::wire::{Mail, ReversePath};
///
/// let mut mail = Mail::new(ReversePath::parse("<ann@example.org>").unwrap().0);
/// mail.size = Some(10);
/// assert_eq!(mail.to_string(), "FROM:<ann@example.org> SIZE=10");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Mail<'b> {
    /// Where notices about the message go; a source route before it was dropped.
    pub from: ReversePath<'b>,
    /// SIZE (RFC 1870): how long the peer thinks the message is, in octets.
    pub size: Option<u64>,
    /// BODY (RFC 6152, RFC 3030).
    pub body: BodyType,
    /// SMTPUTF8 (RFC 6531).
    pub smtputf8: bool,
    /// RET (RFC 3461 §4.3).
    pub ret: Option<Ret>,
    /// ENVID (RFC 3461 §4.4), still encoded. An empty one is not written.
    pub envid: Option<Xtext<'b>>,
    /// AUTH (RFC 4954 §5).
    pub auth: Option<AuthParam<'b>>,
    /// BY (RFC 2852 §4).
    pub deliver_by: Option<DeliverBy>,
    /// HOLDFOR or HOLDUNTIL (RFC 4865 §3).
    pub hold: Option<Hold>,
    /// MT-PRIORITY (RFC 6710 §3).
    pub priority: Option<Priority>,
    /// REQUIRETLS (RFC 8689 §2): the message may be passed on only inside TLS, to a server that
    /// offers this too. RET then counts as HDRS (§5).
    pub require_tls: bool,
    /// Those of your own extensions.
    pub other: OtherParams<'b>,
}

impl<'b> Mail<'b> {
    /// A transaction from `from`, with no parameter.
    pub fn new(from: ReversePath<'b>) -> Self {
        Self {
            from,
            size: None,
            body: BodyType::default(),
            smtputf8: false,
            ret: None,
            envid: None,
            auth: None,
            deliver_by: None,
            hold: None,
            priority: None,
            require_tls: false,
            other: OtherParams::NONE,
        }
    }

    /// Parses what follows the verb MAIL, for a peer that was made `offer`.
    ///
    /// RFC 5321 §4.1.1.2: `mail = "MAIL FROM:" Reverse-path [SP Mail-parameters] CRLF`. Deviation:
    /// spaces may stand before the path, as many clients write it so and every server takes it.
    ///
    /// # Errors
    /// [`CommandError`] with the reply: 501 5.5.4 without `FROM:`, 501 5.1.7 for the path, 555
    /// 5.5.4 for a parameter that was not offered and a BY below the least time, 501 5.5.4 for one
    /// that is malformed or there twice, 501 5.5.2 for an MT-PRIORITY, 552 5.3.4 for a SIZE over the limit, 553 5.6.7 for an address outside ASCII without
    /// SMTPUTF8, 504 5.5.4 for BODY=BINARYMIME.
    pub fn parse(args: &'b str, offer: &Offer<'_>) -> Result<Self, CommandError> {
        let text = skip_spaces(strip_prefix_no_case(args, "FROM:").ok_or(NO_FROM)?);
        let (rest, from) = path::reverse_path(text).map_err(|_| BAD_REVERSE_PATH)?;
        if !ends_word(rest) {
            return Err(AFTER_PATH);
        }
        let mut mail = Self::new(from);
        let params = rest.trim_end_matches([' ', '\t']);
        let mut known = Known::new(offer);
        for param in Params::new(params) {
            let Param { keyword, value } = param.map_err(|_| BAD_PARAMETER)?;
            match known.find(ext::MAIL_PARAMS, keyword)? {
                Some(param) => (param.parse)(&mut mail, value, offer)?,
                None => known.find_other(ParameterOf::Mail, keyword)?,
            }
        }
        if known.seen_others != 0 {
            mail.other = OtherParams::of(params);
        }
        if !mail.smtputf8 && !args.is_ascii() && !mail.from.is_ascii() {
            return Err(NEEDS_SMTPUTF8);
        }
        ext::check_hold(&mail)?;
        Ok(mail)
    }

    /// The same command, owned.
    pub fn into_static(self) -> Mail<'static> {
        Mail {
            from: self.from.into_static(),
            size: self.size,
            body: self.body,
            smtputf8: self.smtputf8,
            ret: self.ret,
            envid: self.envid.map(Xtext::into_static),
            auth: self.auth.map(AuthParam::into_static),
            deliver_by: self.deliver_by,
            hold: self.hold,
            priority: self.priority,
            require_tls: self.require_tls,
            other: self.other.into_static(),
        }
    }
}

impl fmt::Display for Mail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FROM:{}", self.from)?;
        if let Some(size) = self.size {
            write!(f, " SIZE={size}")?;
        }
        if self.body != BodyType::default() {
            write!(f, " BODY={}", self.body)?;
        }
        if self.smtputf8 {
            f.write_str(" SMTPUTF8")?;
        }
        if let Some(ret) = self.ret {
            write!(f, " RET={ret}")?;
        }
        if let Some(envid) = self.envid.as_ref().filter(|envid| !envid.as_str().is_empty()) {
            write!(f, " ENVID={envid}")?;
        }
        if let Some(auth) = &self.auth {
            write!(f, " AUTH={auth}")?;
        }
        if let Some(by) = self.deliver_by {
            write!(f, " BY={by}")?;
        }
        if let Some(hold) = self.hold {
            write!(f, " {hold}")?;
        }
        if let Some(priority) = self.priority {
            write!(f, " MT-PRIORITY={priority}")?;
        }
        if self.require_tls {
            f.write_str(" REQUIRETLS")?;
        }
        self.other.fmt(f)
    }
}

/// What RCPT says (RFC 5321 §4.1.1.3): one recipient.
///
/// Its `Display` form is what follows the verb: `TO:<a@example.org> NOTIFY=NEVER`.
///
/// ```
/// use smtp_proto::wire::{ForwardPath, Rcpt};
///
/// let rcpt = Rcpt::new(ForwardPath::parse("<bob@example.net>").unwrap().0);
/// assert_eq!(rcpt.to_string(), "TO:<bob@example.net>");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Rcpt<'b> {
    /// The recipient; a source route before it was dropped.
    pub to: ForwardPath<'b>,
    /// NOTIFY (RFC 3461 §4.1).
    pub notify: Option<Notify>,
    /// ORCPT (RFC 3461 §4.2), still encoded.
    pub orcpt: Option<Orcpt<'b>>,
    /// Those of your own extensions.
    pub other: OtherParams<'b>,
}

impl<'b> Rcpt<'b> {
    /// The recipient `to`, with no parameter.
    pub fn new(to: ForwardPath<'b>) -> Self {
        Self { to, notify: None, orcpt: None, other: OtherParams::NONE }
    }

    /// Parses what follows the verb RCPT, for a peer that was made `offer`. `smtputf8`: the
    /// transaction asked for it.
    ///
    /// RFC 5321 §4.1.1.3: `rcpt = "RCPT TO:" ( "<Postmaster@" Domain ">" / "<Postmaster>" /
    /// Forward-path ) [SP Rcpt-parameters] CRLF`. Deviation: spaces may stand before the path.
    ///
    /// # Errors
    /// [`CommandError`] with the reply: 501 5.5.4 without `TO:`, 501 5.1.3 for the path, 553 5.6.7
    /// for an address outside ASCII without SMTPUTF8, 555 5.5.4 for a parameter that was not
    /// offered, 501 5.5.4 for one that is malformed or there twice.
    pub fn parse(args: &'b str, offer: &Offer<'_>, smtputf8: bool) -> Result<Self, CommandError> {
        let text = skip_spaces(strip_prefix_no_case(args, "TO:").ok_or(NO_TO)?);
        let (rest, to) = path::forward_path(text).map_err(|_| BAD_FORWARD_PATH)?;
        if !ends_word(rest) {
            return Err(AFTER_PATH);
        }
        if !smtputf8 && !args.is_ascii() && !to.is_ascii() {
            return Err(NEEDS_SMTPUTF8);
        }
        let mut rcpt = Self::new(to);
        let params = rest.trim_end_matches([' ', '\t']);
        let mut known = Known::new(offer);
        for param in Params::new(params) {
            let Param { keyword, value } = param.map_err(|_| BAD_PARAMETER)?;
            match known.find(ext::RCPT_PARAMS, keyword)? {
                Some(param) => (param.parse)(&mut rcpt, value, offer)?,
                None => known.find_other(ParameterOf::Rcpt, keyword)?,
            }
        }
        if known.seen_others != 0 {
            rcpt.other = OtherParams::of(params);
        }
        Ok(rcpt)
    }

    /// The same command, owned.
    pub fn into_static(self) -> Rcpt<'static> {
        Rcpt {
            to: self.to.into_static(),
            notify: self.notify,
            orcpt: self.orcpt.map(Orcpt::into_static),
            other: self.other.into_static(),
        }
    }
}

impl fmt::Display for Rcpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TO:{}", self.to)?;
        if let Some(notify) = self.notify {
            write!(f, " NOTIFY={notify}")?;
        }
        if let Some(orcpt) = &self.orcpt {
            write!(f, " ORCPT={orcpt}")?;
        }
        self.other.fmt(f)
    }
}

/// Looks parameters up for one command line.
struct Known<'a> {
    offer: &'a Offer<'a>,
    /// One bit for each parameter that was there, by its place in the table.
    seen: u64,
    /// The same for those of the embedder's extensions.
    seen_others: u64,
}

impl<'a> Known<'a> {
    fn new(offer: &'a Offer<'a>) -> Self {
        Self { offer, seen: 0, seen_others: 0 }
    }

    /// The entry for `keyword` in `params`, if it was offered and is there for the first time; `None`
    /// if there is none.
    fn find<F>(
        &mut self,
        params: &[(&Extension, &'static Parameter<F>)],
        keyword: &str,
    ) -> Result<Option<&'static Parameter<F>>, CommandError> {
        let is_it = |(_, param): &(_, &Parameter<F>)| is_same_keyword(param.keyword, keyword);
        let Some(place) = params.iter().position(is_it) else { return Ok(None) };
        let (extension, param) = params[place];
        if !(extension.offered)(self.offer) {
            return Err(UNKNOWN_PARAMETER);
        }
        note(&mut self.seen, place)?;
        Ok(Some(param))
    }

    /// A parameter of an extension of the embedder, if it was offered and is there for the first
    /// time.
    fn find_other(&mut self, of: ParameterOf, keyword: &str) -> Result<(), CommandError> {
        let offer = self.offer;
        match offer.extensions.custom.parameter(of, keyword) {
            Some((place, _)) if offer.esmtp => note(&mut self.seen_others, place),
            _ => Err(UNKNOWN_PARAMETER),
        }
    }
}

/// Notes that the parameter at `place` was there.
fn note(seen: &mut u64, place: usize) -> Result<(), CommandError> {
    let bit = 1 << place;
    if *seen & bit != 0 {
        return Err(REPEATED_PARAMETER);
    }
    *seen |= bit;
    Ok(())
}
