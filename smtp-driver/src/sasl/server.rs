//! The server's side: the exchange, and one trait for all that it needs to know of passwords,
//! tokens and certificates (RFC 4954, RFC 4616, RFC 5802, RFC 7628).

use super::{
    ScramKeys,
    scram_server::{Binding, ScramServer},
    token::{BearerToken, Form, TokenHelp},
};
use crate::{
    handler::{ClientCertificate, Peer},
    tls::ChannelBinding,
};
use rsasl::{
    callback::{Context, SessionCallback, SessionData},
    config::SASLConfig,
    mechanisms,
    mechname::Mechname,
    prelude::{Mechanism as Implementation, Registry, SASLServer, Session, State},
    property::{AuthId, AuthzId, Password},
    validate::{Validate, Validation, ValidationError},
};
use smtp_proto::{Secret, wire::Mechanism};
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

impl Identity {
    /// Who authenticated as the one and wants to act as the other; empty for the same.
    #[must_use]
    pub fn new(authentication_id: impl Into<String>, authorization_id: impl Into<String>) -> Self {
        Self {
            authentication_id: authentication_id.into(),
            authorization_id: authorization_id.into(),
        }
    }

    /// Whether it acts as the one that it authenticated as.
    #[must_use]
    pub fn acts_as_itself(&self) -> bool {
        ["", &self.authentication_id].contains(&&*self.authorization_id)
    }
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

/// Whom a token or a certificate is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Vouched {
    /// This one, who may act as it wants.
    For(Identity),
    /// Nobody who may log in so.
    Nobody,
    /// It could not be checked now.
    Unavailable,
}

/// What a method of [`Credentials`] finds out.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where passwords, tokens and certificates are checked.
///
/// Take as long for an unknown user as for a wrong password: the replies are equal, only the time
/// could tell them apart. An answer may wait before it comes, to slow down a `peer` that guesses.
pub trait Credentials: Send + Sync + 'static {
    /// PLAIN and LOGIN: whether `password` is that of `identity`, and the identity may act as it
    /// wants.
    fn check<'a>(
        &'a self,
        peer: &'a Peer,
        identity: &'a Identity,
        password: &'a str,
    ) -> Answer<'a, Checked>;

    /// SCRAM-SHA-256, bound to the TLS connection or not: the keys of the user `name`, as SASLprep
    /// (RFC 4013) writes it; [`ScramKeys::unknown`] if there is none, `None` if that cannot be found
    /// out now.
    fn keys<'a>(&'a self, name: &'a str) -> Answer<'a, Option<ScramKeys>> {
        let _ = name;
        Box::pin(async { None })
    }

    /// SCRAM-SHA-256, by the `mechanism` that binds it to the TLS connection or by the other: the
    /// proof that `identity` gave by its keys was right, or not. It is yours to say whether it may
    /// act as it wants, and to count failures; a wrong proof is never [`Checked::Right`].
    fn proved<'a>(
        &'a self,
        peer: &'a Peer,
        identity: &'a Identity,
        mechanism: &'a Mechanism<'static>,
        right: bool,
    ) -> Answer<'a, Checked> {
        let _ = (peer, mechanism);
        let right = right && identity.acts_as_itself();
        Box::pin(async move { if right { Checked::Right } else { Checked::Wrong } })
    }

    /// OAUTHBEARER and XOAUTH2: whom the token is for, once you have verified who has issued it,
    /// for whom, and until when; and whether that one may act as it wants.
    fn token<'a>(&'a self, peer: &'a Peer, token: &'a BearerToken) -> Answer<'a, Vouched> {
        let _ = (peer, token);
        Box::pin(async { Vouched::Nobody })
    }

    /// What a client is told when its token is not taken.
    fn token_help(&self) -> TokenHelp {
        TokenHelp::default()
    }

    /// EXTERNAL: whom the certificate is for, which TLS has verified, and whether that one may act
    /// as `authorization_id`; empty for itself.
    fn certificate<'a>(
        &'a self,
        peer: &'a Peer,
        certificate: &'a ClientCertificate,
        authorization_id: &'a str,
    ) -> Answer<'a, Vouched> {
        let _ = (peer, certificate, authorization_id);
        Box::pin(async { Vouched::Nobody })
    }
}

/// The implementations that may be asked for, and no other that rsasl was built with.
static IMPLEMENTATIONS: [Implementation; 2] = [mechanisms::plain::PLAIN, mechanisms::login::LOGIN];

/// The prompts that LOGIN clients look for, whatever rsasl calls them.
const LOGIN_PROMPTS: [&[u8]; 2] = [b"Username:", b"Password:"];

/// An AUTH exchange under way.
pub(crate) enum Exchange {
    Password(PasswordExchange),
    Scram(ScramExchange),
    Token(TokenExchange),
    External,
}

/// What a step of an exchange leads to.
pub(crate) enum Progress {
    /// Send this to the peer.
    Challenge(Vec<u8>),
    /// The peer has given a name and a password: check them.
    Check(Identity, Secret<String>),
    /// SCRAM: find the keys of this name and [`offer`](Exchange::offer) them.
    Keys(String),
    /// SCRAM: the peer has given a proof by this mechanism, right or not; send this if it may log in.
    Proof(Identity, Mechanism<'static>, bool, Vec<u8>),
    /// The peer has given a token.
    Token(BearerToken),
    /// EXTERNAL: the peer wants to act as this one; empty for itself.
    Certificate(String),
    /// The peer has heard all, and is who it said.
    Done(Identity),
    /// What the peer said is not of the mechanism.
    Malformed,
}

impl Exchange {
    /// Begins an exchange with a peer that was `offered` these mechanisms, over TLS that can be
    /// bound to by `channel`; `None` if the mechanism is not supported.
    pub(crate) fn new(
        mechanism: &Mechanism<'_>,
        offered: &[Mechanism<'_>],
        channel: Option<ChannelBinding>,
    ) -> Option<Self> {
        let scram = |binding| Self::Scram(ScramExchange::Begun(binding));
        match mechanism {
            it if *it == Mechanism::PLAIN => {
                PasswordExchange::new(b"PLAIN", &[]).map(Self::Password)
            }
            it if *it == Mechanism::LOGIN => {
                PasswordExchange::new(b"LOGIN", &LOGIN_PROMPTS).map(Self::Password)
            }
            it if *it == Mechanism::SCRAM_SHA_256 => {
                Some(scram(match offered.contains(&Mechanism::SCRAM_SHA_256_PLUS) {
                    true => Binding::Offered,
                    false => Binding::Impossible,
                }))
            }
            it if *it == Mechanism::SCRAM_SHA_256_PLUS => channel.map(Binding::Required).map(scram),
            it if *it == Mechanism::OAUTHBEARER => Some(Self::token(Form::OauthBearer)),
            it if *it == Mechanism::XOAUTH2 => Some(Self::token(Form::Xoauth2)),
            it if *it == Mechanism::EXTERNAL => Some(Self::External),
            _ => None,
        }
    }

    fn token(form: Form) -> Self {
        Self::Token(TokenExchange { form, refused: false })
    }

    /// Takes the initial response of the AUTH command, decoded.
    pub(crate) fn begin(&mut self, initial: Option<&[u8]>) -> Progress {
        match (self, initial) {
            (Self::Password(exchange), initial) => exchange.begin(initial),
            (_, None) => Progress::Challenge(Vec::new()),
            (exchange, Some(initial)) => exchange.respond(initial),
        }
    }

    /// Takes an answer to a challenge, decoded.
    pub(crate) fn respond(&mut self, response: &[u8]) -> Progress {
        match self {
            Self::Password(exchange) => exchange.step(Some(response)),
            Self::Scram(exchange) => exchange.respond(response),
            Self::Token(exchange) => exchange.respond(response),
            // RFC 4422, appendix A: `extern-initial-resp = extern-authz-id`, of UTF-8 without NUL.
            Self::External => match str::from_utf8(response) {
                Ok(name) if !name.contains('\0') => Progress::Certificate(name.to_owned()),
                _ => Progress::Malformed,
            },
        }
    }

    /// The challenge that says why a token is not taken; `None` if there is none now.
    pub(crate) fn refuse_token(&mut self, help: &TokenHelp) -> Option<Vec<u8>> {
        match self {
            Self::Token(exchange) => {
                exchange.refused = true;
                Some(exchange.form.refusal(help).into_bytes())
            }
            _ => None,
        }
    }

    /// The challenge with what the peer has to know of its keys; `None` if there is none now.
    pub(crate) fn offer(&mut self, keys: ScramKeys) -> Option<Vec<u8>> {
        match self {
            Self::Scram(ScramExchange::Named(scram)) => scram.offer(keys).map(String::into_bytes),
            _ => None,
        }
    }
}

/// SCRAM-SHA-256, which SMTP lets end with a challenge: 235 has no room for what the server proves
/// (RFC 4954 §4), so the client answers it with an empty line.
pub(crate) enum ScramExchange {
    Begun(Binding),
    Named(Box<ScramServer>),
    Proved(Identity),
}

impl ScramExchange {
    fn respond(&mut self, response: &[u8]) -> Progress {
        match self {
            Self::Begun(binding) => {
                let Some(scram) = ScramServer::first(response, binding) else {
                    return Progress::Malformed;
                };
                let name = scram.identity().authentication_id.clone();
                *self = Self::Named(Box::new(scram));
                Progress::Keys(name)
            }
            Self::Named(scram) => {
                let Some((right, last)) = scram.verify(response) else {
                    return Progress::Malformed;
                };
                let identity = scram.identity().clone();
                let mechanism = match scram.is_bound() {
                    true => Mechanism::SCRAM_SHA_256_PLUS,
                    false => Mechanism::SCRAM_SHA_256,
                };
                if right {
                    *self = Self::Proved(identity.clone());
                }
                Progress::Proof(identity, mechanism, right, last.into_bytes())
            }
            Self::Proved(identity) if response.is_empty() => Progress::Done(identity.clone()),
            Self::Proved(_) => Progress::Malformed,
        }
    }
}

/// OAUTHBEARER or XOAUTH2.
pub(crate) struct TokenExchange {
    form: Form,
    /// The peer was told why its token is not taken; what it answers means nothing (RFC 7628
    /// §3.2.3).
    refused: bool,
}

impl TokenExchange {
    fn respond(&mut self, response: &[u8]) -> Progress {
        let token = if self.refused { None } else { self.form.read(response) };
        token.map_or(Progress::Malformed, Progress::Token)
    }
}

/// PLAIN or LOGIN, by rsasl.
pub(crate) struct PasswordExchange {
    session: Session<Captured>,
    /// What to say instead of rsasl's own challenges, by their number.
    prompts: &'static [&'static [u8]],
    steps: usize,
}

impl PasswordExchange {
    fn new(name: &[u8], prompts: &'static [&'static [u8]]) -> Option<Self> {
        let config = SASLConfig::builder()
            .with_registry(Registry::with_mechanisms(&IMPLEMENTATIONS))
            .with_callback(Capture)
            .ok()?;
        let name = Mechname::parse(name).ok()?;
        let session = SASLServer::<Captured>::new(config).start_suggested(name).ok()?;
        Some(Self { session, prompts, steps: 0 })
    }

    fn begin(&mut self, initial: Option<&[u8]>) -> Progress {
        if !self.session.are_we_first() {
            return match initial {
                None => Progress::Challenge(Vec::new()),
                Some(response) => self.step(Some(response)),
            };
        }
        // A client may answer the first prompt before it is asked.
        match (self.step(None), initial) {
            (Progress::Challenge(_), Some(response)) => self.step(Some(response)),
            (progress, _) => progress,
        }
    }

    fn step(&mut self, input: Option<&[u8]>) -> Progress {
        let mut challenge = Vec::new();
        match self.session.step(input, &mut challenge) {
            Ok(State::Running) => {
                let prompt = self.prompts.get(self.steps).map(|&prompt| prompt.to_vec());
                self.steps += 1;
                Progress::Challenge(prompt.unwrap_or(challenge))
            }
            Ok(State::Finished(_)) => match self.session.validation() {
                Some(Captured { identity, password }) => Progress::Check(identity, password),
                None => Progress::Malformed,
            },
            Err(_) => Progress::Malformed,
        }
    }
}

/// What the peer claims.
struct Captured {
    identity: Identity,
    password: Secret<String>,
}

impl Validation for Captured {
    type Value = Self;
}

/// rsasl's callback. It decides nothing: it cannot wait, and a look-up may have to.
struct Capture;

impl SessionCallback for Capture {
    fn validate(
        &self,
        _: &SessionData,
        context: &Context<'_>,
        validate: &mut Validate<'_>,
    ) -> Result<(), ValidationError> {
        let authentication_id = context.get_ref::<AuthId>();
        let password = context.get_ref::<Password>().and_then(|it| str::from_utf8(it).ok());
        // Without both there is nothing to check, and the exchange counts as malformed.
        let (Some(authentication_id), Some(password)) = (authentication_id, password) else {
            return Ok(());
        };
        validate.finalize::<Captured>(Captured {
            identity: Identity {
                authentication_id: authentication_id.to_owned(),
                authorization_id: context.get_ref::<AuthzId>().unwrap_or_default().to_owned(),
            },
            password: Secret::new(password.to_owned()),
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Exchange, Identity, Progress};
    use smtp_proto::wire::Mechanism;

    fn plain() -> Exchange {
        Exchange::new(&Mechanism::PLAIN, &[], None).unwrap()
    }

    fn login() -> Exchange {
        Exchange::new(&Mechanism::LOGIN, &[], None).unwrap()
    }

    fn challenge(progress: Progress) -> Vec<u8> {
        match progress {
            Progress::Challenge(challenge) => challenge,
            _ => panic!("not a challenge"),
        }
    }

    fn check(progress: Progress) -> (Identity, String) {
        match progress {
            Progress::Check(identity, password) => (identity, password.into_inner()),
            _ => panic!("nothing to check"),
        }
    }

    #[test]
    fn plain_gives_both_names_and_the_password() {
        let mut exchange = plain();
        let (identity, password) = check(exchange.begin(Some(b"boss\0user\0pass word")));
        assert_eq!(identity.authentication_id, "user");
        assert_eq!(identity.authorization_id, "boss");
        assert_eq!(password, "pass word");
    }

    #[test]
    fn plain_without_an_initial_response_asks_with_an_empty_challenge() {
        let mut exchange = plain();
        assert_eq!(challenge(exchange.begin(None)), b"");
        assert_eq!(check(exchange.respond(b"\0user\0secret")).0.authorization_id, "");
    }

    #[test]
    fn login_asks_with_the_prompts_that_clients_know() {
        let mut exchange = login();
        assert_eq!(challenge(exchange.begin(None)), b"Username:");
        assert_eq!(challenge(exchange.respond(b"user")), b"Password:");
        let (identity, password) = check(exchange.respond(b"secret"));
        assert_eq!((&*identity.authentication_id, &*password), ("user", "secret"));
    }

    #[test]
    fn login_takes_the_name_as_initial_response() {
        let mut exchange = login();
        assert_eq!(challenge(exchange.begin(Some(b"user"))), b"Password:");
        assert_eq!(check(exchange.respond(b"secret")).1, "secret");
    }

    #[test]
    fn what_is_not_of_the_mechanism_is_malformed() {
        for wrong in
            [&b""[..], b"user", b"\0user", b"\0user\0pass\0more", b"\0\0pass", b"\0u\0\xff"]
        {
            let mut exchange = plain();
            assert!(matches!(exchange.begin(Some(wrong)), Progress::Malformed), "{wrong:?}");
        }
    }

    #[test]
    fn other_mechanisms_are_not_supported_and_none_is_bound_to_nothing() {
        for name in ["CRAM-MD5", "SCRAM-SHA-256-PLUS"] {
            let mechanism = Mechanism::parse(name).unwrap();
            assert!(Exchange::new(&mechanism, &[], None).is_none());
        }
    }
}
