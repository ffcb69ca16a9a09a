//! Questions of every kind as one type, and the simplest embedder that can answer them.

use smtp_proto::{
    Class, EnhancedCode, Instant, Limits,
    ext::{CustomExtension, Extensions, FutureRelease},
    server::{BareLineEnding, Event, Mode, Pending, ServerConfig, ServerConnection, Stale, op},
    wire::{Accepted, DateTime, Host, Mechanism, Refused},
};
use std::sync::Arc;

/// The moment at which the properties that need no time happen.
pub const NOW: Instant = Instant::from_secs(1);

/// A configuration of a server called `mx.example`.
///
/// # Panics
/// Never: the name is one.
pub fn config(
    mode: Mode,
    extensions: Extensions,
    limits: Limits,
    bare: BareLineEnding,
) -> Arc<ServerConfig> {
    let host = Host::parse("mx.example").expect("a host name").into_static();
    ServerConfig::builder(host)
        .mode(mode)
        .extensions(extensions)
        .limits(limits)
        .bare_line_endings(bare)
        .build()
}

const HOLDS: FutureRelease = FutureRelease {
    longest: 3600,
    latest: DateTime::from_unix(1 << 31).expect("it is before the year 9999"),
};

/// An extension that nobody else has.
fn custom() -> CustomExtension {
    CustomExtension::new("X-FUZZ")
        .and_then(|it| it.mail_parameter("X-MAIL")?.rcpt_parameter("X-RCPT")?.command("XFUZZ"))
        .expect("these names are free")
}

/// Every extension but STARTTLS, and one of our own.
pub fn extensions() -> Extensions {
    Extensions::new()
        .smtputf8()
        .binarymime()
        .dsn()
        .deliver_by(60)
        .future_release(HOLDS)
        .mt_priority()
        .requiretls()
        .expn()
        .etrn()
        .danger_xclient()
        .custom(custom())
        .auth([Mechanism::PLAIN, Mechanism::LOGIN])
        .danger_auth_in_clear()
}

/// What to say to a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The plain yes; a challenge to the first question of an AUTH exchange.
    Yes,
    /// A yes in words of our own where there is one.
    InWords,
    /// No.
    No,
    /// No, and close.
    Disconnect,
}

macro_rules! questions {
    ($($kind:ident),*) => {
        /// An open question of any kind.
        #[derive(Debug)]
        pub enum Question {
            $(
                #[doc = concat!("See [`op::", stringify!($kind), "`].")]
                $kind(Pending<op::$kind>),
            )*
        }

        impl Question {
            /// Whether the machine still waits for the answer.
            pub fn is_waiting(&self, connection: &ServerConnection) -> bool {
                match self {
                    $(Self::$kind(pending) => connection.is_waiting(pending),)*
                }
            }
        }
    };
}

questions!(
    Connect, Hello, StartTls, Handshake, Auth, Mail, Rcpt, Data, Message, Delivery, Verify, Expand,
    Etrn, Xclient, Help, Command
);

/// The words of an embedder.
#[derive(Clone, Debug)]
pub struct Words {
    /// For [`Answer::InWords`].
    pub yes: Accepted<'static>,
    /// For [`Answer::No`] to a question that takes no words with a yes.
    pub no: Refused<'static>,
    /// For [`Answer::No`] to one that does.
    pub nobody: Refused<'static>,
    /// For [`Answer::Disconnect`].
    pub bye: Refused<'static>,
}

impl Default for Words {
    fn default() -> Self {
        let code = EnhancedCode::new(Class::Success, 0, 0).expect("2.0.0 is a status code");
        let yes = Accepted::new(250, code, "Very well,\nas you wish").expect("printable text");
        Self { yes, no: Refused::TRY_LATER, nobody: Refused::NO_SUCH_USER, bye: Refused::DENIED }
    }
}

impl Question {
    /// The question in `event`, or the event itself if it asks nothing.
    #[expect(clippy::result_large_err, reason = "the event goes straight back to who had it")]
    pub fn of(event: Event<'_>) -> Result<Self, Event<'_>> {
        Ok(match event {
            Event::Connect(pending) => Self::Connect(pending),
            Event::Hello { pending, .. } => Self::Hello(pending),
            Event::StartTls(pending) => Self::StartTls(pending),
            Event::Handshake(pending) => Self::Handshake(pending),
            Event::Auth { pending, .. } | Event::AuthResponse { pending, .. } => {
                Self::Auth(pending)
            }
            Event::Mail { pending, .. } => Self::Mail(pending),
            Event::Rcpt { pending, .. } => Self::Rcpt(pending),
            Event::Data { pending, .. } => Self::Data(pending),
            Event::BodyEnd { pending, .. } => Self::Message(pending),
            Event::Delivery { pending, .. } => Self::Delivery(pending),
            Event::Verify { pending, .. } => Self::Verify(pending),
            Event::Expand { pending, .. } => Self::Expand(pending),
            Event::Etrn { pending, .. } => Self::Etrn(pending),
            Event::Xclient { pending, .. } => Self::Xclient(pending),
            Event::Help { pending, .. } => Self::Help(pending),
            Event::Command { pending, .. } => Self::Command(pending),
            other => return Err(other),
        })
    }

    /// Answers the question in the usual words.
    ///
    /// # Errors
    /// [`Stale`]: the question was no longer open.
    pub fn answer(self, connection: &mut ServerConnection, answer: Answer) -> Result<(), Stale> {
        self.answer_in(connection, answer, &Words::default())
    }

    /// Answers the question.
    ///
    /// # Errors
    /// [`Stale`]: the question was no longer open.
    pub fn answer_in(
        self,
        connection: &mut ServerConnection,
        answer: Answer,
        words: &Words,
    ) -> Result<(), Stale> {
        // The kinds that take a plain yes or no, and those that also take words.
        macro_rules! plain {
            ($pending:expr) => {
                match answer {
                    Answer::Yes | Answer::InWords => connection.accept($pending),
                    Answer::No => connection.refuse($pending, &words.no),
                    Answer::Disconnect => connection.disconnect($pending, &words.bye),
                }
            };
        }
        macro_rules! worded {
            ($pending:expr) => {
                match answer {
                    Answer::InWords => connection.accept_with($pending, &words.yes),
                    Answer::No => connection.refuse($pending, &words.nobody),
                    _ => plain!($pending),
                }
            };
        }
        match self {
            Self::Connect(pending) => worded!(pending),
            Self::Hello(pending) if answer == Answer::InWords => {
                connection.advertise(pending, Arc::new(extensions()))
            }
            Self::Hello(pending) => plain!(pending),
            Self::StartTls(pending) => plain!(pending),
            Self::Handshake(pending) => match answer {
                Answer::Yes | Answer::InWords => connection.establish(pending),
                Answer::No | Answer::Disconnect => connection.abandon(pending),
            },
            Self::Auth(pending) if answer == Answer::InWords => {
                connection.challenge(pending, b"what else?")
            }
            Self::Auth(pending) => plain!(pending),
            Self::Mail(pending) => worded!(pending),
            Self::Rcpt(pending) => worded!(pending),
            Self::Data(pending) => plain!(pending),
            Self::Message(pending) => worded!(pending),
            Self::Delivery(pending) => worded!(pending),
            Self::Verify(pending) => worded!(pending),
            Self::Expand(pending) => worded!(pending),
            Self::Etrn(pending) => worded!(pending),
            Self::Xclient(pending) => worded!(pending),
            Self::Help(pending) => worded!(pending),
            Self::Command(pending) => worded!(pending),
        }
    }
}

/// Takes all the output there is.
///
/// # Panics
/// If the machine offers no octets instead of nothing.
pub fn drain(connection: &mut ServerConnection, into: &mut Vec<u8>) {
    while let Some(output) = connection.poll_transmit() {
        assert!(!output.is_empty(), "output of no octets");
        let n = output.len();
        into.extend_from_slice(output);
        connection.handle_transmitted(n);
    }
}

/// A plain yes to what the machine asks for `script`, a session that leaves it where a property
/// begins. Gives the output.
///
/// # Panics
/// If the script leads anywhere but to a command line.
pub fn lead(connection: &mut ServerConnection, script: &[u8]) -> Vec<u8> {
    use smtp_proto::{Need, Step};
    let mut output = Vec::new();
    let mut input = script;
    loop {
        match connection.poll_event(&mut input, NOW) {
            Step::Event(event) => {
                if let Ok(question) = Question::of(event) {
                    question.answer(connection, Answer::Yes).expect("a fresh question is open");
                }
            }
            Step::Need(Need::Flush) => drain(connection, &mut output),
            Step::Need(Need::Input) => break,
            step => panic!("{step:?} while leading the way"),
        }
    }
    assert!(input.is_empty(), "the script ends in a whole line");
    drain(connection, &mut output);
    output
}
