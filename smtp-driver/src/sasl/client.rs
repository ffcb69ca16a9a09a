//! The client's side: what to log in with, and the exchange.

use super::{
    SaslError, saslname,
    scram::{Binding, Scram},
};
use crate::tls::ChannelBinding;
use rsasl::{
    callback::{Context, Request, SessionCallback, SessionData},
    config::SASLConfig,
    mechanisms,
    mechname::Mechname,
    prelude::{Mechanism as Implementation, Registry, SASLClient, Session, SessionError, State},
    property::{AuthId, AuthzId, OAuthBearerToken, Password},
};
use smtp_proto::{Secret, wire::Mechanism};

/// What a client logs in with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    kind: LoginKind,
    authorization_id: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum LoginKind {
    Password { name: String, password: Secret<String> },
    Token { name: String, token: Secret<String> },
    External,
}

impl Login {
    /// A name and its password: SCRAM-SHA-256-PLUS and SCRAM-SHA-256 (RFC 7677), PLAIN (RFC 4616),
    /// LOGIN.
    #[must_use]
    pub fn password(name: impl Into<String>, password: impl Into<String>) -> Self {
        let (name, password) = (name.into(), Secret::new(password.into()));
        Self { kind: LoginKind::Password { name, password }, authorization_id: String::new() }
    }

    /// A name and an OAuth 2.0 bearer token for it: OAUTHBEARER (RFC 7628), XOAUTH2.
    #[must_use]
    pub fn token(name: impl Into<String>, token: impl Into<String>) -> Self {
        let (name, token) = (name.into(), Secret::new(token.into()));
        Self { kind: LoginKind::Token { name, token }, authorization_id: String::new() }
    }

    /// Whoever the client certificate is for: EXTERNAL (RFC 4422, appendix A).
    #[must_use]
    pub fn external() -> Self {
        Self { kind: LoginKind::External, authorization_id: String::new() }
    }

    /// Acts as this user, where the mechanism can say so; a token has only its own name, LOGIN
    /// none. Without it, or with an empty one, the server derives it from who logs in.
    #[must_use]
    pub fn acting_as(mut self, authorization_id: impl Into<String>) -> Self {
        self.authorization_id = authorization_id.into();
        self
    }

    /// The best mechanism for this login among those that a server offers: one that is bound to the
    /// TLS connection, if that has a `channel` for it, before one that is not, and one that does not
    /// show it the password before one that does.
    #[must_use]
    pub fn choose(
        &self,
        offered: &[Mechanism<'_>],
        channel: Option<&ChannelBinding>,
    ) -> Option<Mechanism<'static>> {
        let chosen = self
            .kinds()
            .iter()
            .filter(|kind| **kind != Kind::ScramSha256Plus || channel.is_some())
            .find_map(|kind| offered.iter().find(|name| Kind::of(name) == Some(*kind)));
        chosen.map(|name| name.clone().into_static())
    }

    /// Its mechanisms, the best first.
    fn kinds(&self) -> &'static [Kind] {
        match &self.kind {
            // LOGIN has no way to say whom to act as.
            LoginKind::Password { .. } if !self.authorization_id.is_empty() => {
                &[Kind::ScramSha256Plus, Kind::ScramSha256, Kind::Plain]
            }
            LoginKind::Password { .. } => {
                &[Kind::ScramSha256Plus, Kind::ScramSha256, Kind::Plain, Kind::Login]
            }
            LoginKind::Token { .. } => &[Kind::OauthBearer, Kind::Xoauth2],
            LoginKind::External => &[Kind::External],
        }
    }
}

/// The mechanisms that are there for clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    ScramSha256Plus,
    ScramSha256,
    Plain,
    Login,
    OauthBearer,
    Xoauth2,
    External,
}

impl Kind {
    fn of(mechanism: &Mechanism<'_>) -> Option<Self> {
        let all = [
            Self::ScramSha256Plus,
            Self::ScramSha256,
            Self::Plain,
            Self::Login,
            Self::OauthBearer,
            Self::Xoauth2,
            Self::External,
        ];
        all.into_iter().find(|kind| mechanism.as_str().eq_ignore_ascii_case(kind.name()))
    }

    fn name(self) -> &'static str {
        match self {
            Self::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::OauthBearer => "OAUTHBEARER",
            Self::Xoauth2 => "XOAUTH2",
            Self::External => "EXTERNAL",
        }
    }

    fn is_scram(self) -> bool {
        matches!(self, Self::ScramSha256Plus | Self::ScramSha256)
    }
}

/// The implementations that may be asked for, and no other that rsasl was built with.
static IMPLEMENTATIONS: [Implementation; 5] = [
    mechanisms::plain::PLAIN,
    mechanisms::login::LOGIN,
    mechanisms::oauthbearer::OAUTHBEARER,
    mechanisms::xoauth2::XOAUTH2,
    mechanisms::external::EXTERNAL,
];

/// An AUTH exchange, seen from the client.
///
/// ```text
/// initial()  -> AUTH <mechanism> [initial response]
/// respond()  <- 334 <challenge>, as often as the server likes
/// finish()   <- 235: only its Ok means that the login is done
/// ```
pub struct ClientExchange {
    kind: Kind,
    steps: Steps,
    state: Progress,
}

/// Who knows what to say.
enum Steps {
    Rsasl(Session),
    Scram(Box<Scram>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// Nothing was said.
    Begun,
    /// The server's next message is awaited.
    Running,
    /// All that we have to say was said, and all that we want to know is known.
    Done,
    /// It failed: rsasl must not be asked again.
    Failed,
}

impl ClientExchange {
    /// Begins an exchange with `mechanism`, such as [`Login::choose`] gives, with a server that
    /// offers these, over TLS with this `channel`. SCRAM says what it makes of both: where it could
    /// be bound and is not, for want of an offer, a server that did offer it refuses, since somebody
    /// between the two has taken the offer away (RFC 5802 §6).
    ///
    /// # Errors
    /// [`SaslError::Mechanism`] if it is not one for this login, or is to be bound and there is no
    /// channel; [`SaslError::Unsendable`].
    pub fn new(
        login: &Login,
        mechanism: &Mechanism<'_>,
        offered: &[Mechanism<'_>],
        channel: Option<ChannelBinding>,
    ) -> Result<Self, SaslError> {
        let kind = Kind::of(mechanism)
            .filter(|kind| login.kinds().contains(kind))
            .ok_or(SaslError::Mechanism)?;
        let steps = match &login.kind {
            LoginKind::Password { name, password } if kind.is_scram() => {
                let is_offered = offered.contains(&Mechanism::SCRAM_SHA_256_PLUS);
                let binding = match (kind, channel) {
                    (Kind::ScramSha256Plus, Some(channel)) => Binding::To(channel),
                    (Kind::ScramSha256Plus, None) => return Err(SaslError::Mechanism),
                    (_, Some(_)) if !is_offered => Binding::NotOffered,
                    _ => Binding::None,
                };
                let acting_as = &login.authorization_id;
                let scram = Scram::new(name, password.expose(), acting_as, &binding)?;
                Steps::Scram(Box::new(scram))
            }
            _ => Steps::Rsasl(Answers::new(login, kind)?.session(kind)?),
        };
        Ok(Self { kind, steps, state: Progress::Begun })
    }

    /// Whether a server, or who listens in clear text, learns the password or token from it.
    #[must_use]
    pub fn shows_secret(&self) -> bool {
        match self.kind {
            Kind::Plain | Kind::Login | Kind::OauthBearer | Kind::Xoauth2 => true,
            Kind::ScramSha256Plus | Kind::ScramSha256 | Kind::External => false,
        }
    }

    /// The initial response, to go with the AUTH command; `None` if the mechanism has none, or it
    /// was asked for before.
    ///
    /// It need not be sent there: if it is not asked for here, the answer to the first challenge
    /// is the same.
    ///
    /// # Errors
    /// [`SaslError::Unsendable`].
    pub fn initial(&mut self) -> Result<Option<Secret<Vec<u8>>>, SaslError> {
        if self.kind == Kind::Login || self.state != Progress::Begun {
            return Ok(None);
        }
        self.step(None).map(Some)
    }

    /// The answer to a challenge (334), decoded.
    ///
    /// # Errors
    /// [`SaslError`]: cancel the exchange.
    pub fn respond(&mut self, challenge: &[u8]) -> Result<Secret<Vec<u8>>, SaslError> {
        match (self.state, self.kind) {
            // The words of LOGIN's prompts mean nothing; their order does.
            (Progress::Begun | Progress::Running, Kind::Login) => self.step(Some(challenge)),
            (Progress::Begun, _) if challenge.is_empty() => self.step(None),
            (Progress::Begun, _) => self.fail(SaslError::Malformed),
            (Progress::Running, kind) if kind.is_scram() => self.step(Some(challenge)),
            // RFC 7628 §3.2.3: the challenge tells an error, whatever is in it; one octet lets the
            // server go on to its 535. rsasl writes none, and nothing if the error is no JSON.
            (Progress::Running, Kind::OauthBearer) => {
                self.state = Progress::Failed;
                Ok(Secret::new(b"\x01".to_vec()))
            }
            // The same, but for the octet.
            (Progress::Running, Kind::Xoauth2) => {
                self.state = Progress::Failed;
                Ok(Secret::new(Vec::new()))
            }
            _ => self.fail(SaslError::Unasked),
        }
    }

    /// The server said 235. Only an Ok here is a login: what is missing or wrong is so in spite of
    /// that 235 (RFC 5802 §5).
    ///
    /// # Errors
    /// [`SaslError::ServerUnproven`], after which the connection is to be closed.
    pub fn finish(self) -> Result<(), SaslError> {
        match self.kind {
            kind if kind.is_scram() && self.state != Progress::Done => {
                Err(SaslError::ServerUnproven)
            }
            _ => Ok(()),
        }
    }

    fn step(&mut self, challenge: Option<&[u8]>) -> Result<Secret<Vec<u8>>, SaslError> {
        let said = match (&mut self.steps, challenge) {
            (Steps::Rsasl(session), _) => step(session, challenge),
            (Steps::Scram(scram), None) => Ok((scram.first().into(), Progress::Running)),
            (Steps::Scram(scram), Some(challenge)) if scram.has_proved() => {
                scram.verify(challenge).map(|()| (Vec::new(), Progress::Done))
            }
            (Steps::Scram(scram), Some(challenge)) => {
                scram.prove(challenge).map(|proof| (proof.into(), Progress::Running))
            }
        };
        match said {
            Ok((response, state)) => {
                self.state = state;
                Ok(Secret::new(response))
            }
            Err(why) => self.fail(why),
        }
    }

    fn fail<T>(&mut self, why: SaslError) -> Result<T, SaslError> {
        self.state = Progress::Failed;
        Err(why)
    }
}

fn step(session: &mut Session, challenge: Option<&[u8]>) -> Result<(Vec<u8>, Progress), SaslError> {
    let mut response = Vec::new();
    match session.step(challenge, &mut response) {
        Ok(State::Running) => Ok((response, Progress::Running)),
        Ok(State::Finished(_)) => Ok((response, Progress::Done)),
        // These mechanisms make nothing of a challenge, so what is wrong is what we have to say.
        Err(_) => Err(SaslError::Unsendable),
    }
}

impl std::fmt::Debug for ClientExchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientExchange")
            .field("mechanism", &self.kind.name())
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// rsasl's callback: what it is told when it asks.
struct Answers {
    name: String,
    secret: Secret<String>,
    authorization_id: String,
}

impl Answers {
    fn new(login: &Login, kind: Kind) -> Result<Self, SaslError> {
        let (name, secret) = match &login.kind {
            LoginKind::Password { name, password } => (name.as_str(), password.expose().as_str()),
            LoginKind::Token { name, token } => (name.as_str(), token.expose().as_str()),
            LoginKind::External => ("", ""),
        };
        let mut answers = Self {
            name: name.to_owned(),
            secret: Secret::new(secret.to_owned()),
            authorization_id: login.authorization_id.clone(),
        };
        match kind {
            // RFC 7628 §3.1: the name stands in the header of RFC 5801, as a saslname, and `%x01`
            // ends a value. rsasl writes what it is given.
            Kind::OauthBearer => {
                unsendable(name)?;
                unsendable(secret)?;
                answers.authorization_id = saslname(name)?;
            }
            Kind::Xoauth2 => {
                unsendable(name)?;
                unsendable(secret)?;
            }
            // PLAIN's NUL, and names and passwords that are empty, are rsasl's to find.
            _ => {}
        }
        Ok(answers)
    }

    fn session(self, kind: Kind) -> Result<Session, SaslError> {
        let config = SASLConfig::builder()
            .with_registry(Registry::with_mechanisms(&IMPLEMENTATIONS))
            .with_callback(self)
            .map_err(|_| SaslError::Mechanism)?;
        let name = Mechname::parse(kind.name().as_bytes()).map_err(|_| SaslError::Mechanism)?;
        SASLClient::new(config).start_suggested(&[name]).map_err(|_| SaslError::Mechanism)
    }
}

/// `%x01` would end a value early.
fn unsendable(text: &str) -> Result<(), SaslError> {
    if text.contains('\x01') { Err(SaslError::Unsendable) } else { Ok(()) }
}

impl SessionCallback for Answers {
    fn callback(
        &self,
        _: &SessionData,
        _: &Context<'_>,
        request: &mut Request<'_>,
    ) -> Result<(), SessionError> {
        if !self.authorization_id.is_empty() {
            request.satisfy::<AuthzId>(&self.authorization_id)?;
        }
        request
            .satisfy::<AuthId>(&self.name)?
            .satisfy::<Password>(self.secret.expose().as_bytes())?
            .satisfy::<OAuthBearerToken>(self.secret.expose())?;
        Ok(())
    }
}
