//! What a case has in hand: sessions, what the operator told, and messages it can find again.

use crate::{
    cooperation::{Cooperation, Credentials, Mailbox},
    mailbox,
    outcome::{Outcome, Place, Verdict, inconclusive},
    sasl,
    session::{Answer, Session},
    stored::Stored,
    tls::Handshake,
    transcript::{Line, Transcript},
    wire::{Port, Target},
};
use std::{cell::RefCell, time::Duration};

/// What all cases of a run share.
pub struct Run {
    /// The server.
    pub target: Box<dyn Target>,
    /// What its operator told.
    pub cooperation: Cooperation,
    /// How long to wait for a reply.
    pub patience: Duration,
    /// How long to listen where nothing should come.
    pub pause: Duration,
    /// The port that `Tester::connect` uses; LMTP runs greet with LHLO.
    pub port: Port,
    /// Makes the messages of a run its own.
    pub seed: u64,
    /// Breaches are graded by the letter, also where careful operators do not follow it.
    pub strict: bool,
    /// How long a minute is where an RFC counts in minutes: [`MINUTE`], less in tests only.
    pub minute: Duration,
}

/// A minute.
pub const MINUTE: Duration = Duration::from_secs(60);

/// What one case has in hand.
pub struct Tester<'r> {
    run: &'r Run,
    id: &'static str,
    transcripts: RefCell<Vec<Transcript>>,
    tokens: RefCell<u32>,
}

/// A message that can be found again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Stands in it, and in no other message.
    pub token: String,
    /// Its lines with CRLF, not dot-stuffed.
    pub octets: Vec<u8>,
}

impl Message {
    /// The octets as DATA carries them, with the end.
    pub fn stuffed(&self) -> Vec<u8> {
        let mut octets = Vec::with_capacity(self.octets.len() + 16);
        for line in self.octets.split_inclusive(|&b| b == b'\n') {
            if line.starts_with(b".") {
                octets.push(b'.');
            }
            octets.extend_from_slice(line);
        }
        octets.extend_from_slice(b".\r\n");
        octets
    }
}

impl<'r> Tester<'r> {
    /// For the case of the requirement `id`.
    pub fn new(run: &'r Run, id: &'static str) -> Self {
        Self { run, id, transcripts: RefCell::default(), tokens: RefCell::new(0) }
    }

    /// What was said, session by session.
    pub fn transcripts(&self) -> Vec<Vec<Line>> {
        self.transcripts.borrow().iter().map(Transcript::lines).collect()
    }

    /// What the operator told.
    pub fn cooperation(&self) -> &'r Cooperation {
        &self.run.cooperation
    }

    /// How long to wait for a reply.
    pub fn patience(&self) -> Duration {
        self.run.patience
    }

    /// How long to listen where nothing should come.
    pub fn pause(&self) -> Duration {
        self.run.pause
    }

    /// How long a minute is.
    pub fn minute(&self) -> Duration {
        self.run.minute
    }

    /// Has the server restarted by its operator's command.
    ///
    /// # Errors
    /// [`Verdict::NotTested`] if none was told; [`Verdict::Error`] if it fails or the server does
    /// not come back.
    pub fn restart(&self) -> Outcome {
        let restarted = self.run.target.restart();
        told(restarted, "a command that restarts the server")?
            .map_err(|error| Verdict::Error(format!("the server was not restarted: {error}")))
    }

    /// A connection on which nothing was said yet.
    ///
    /// # Errors
    /// [`Verdict::Inconclusive`] if there is none to be had.
    pub fn connect(&self) -> Result<Session, Verdict> {
        self.connect_to(self.run.port)
    }

    /// Whether the operator told of such a listener.
    pub fn has(&self, port: Port) -> bool {
        self.run.target.has(port)
    }

    /// The same, to another listener.
    ///
    /// # Errors
    /// [`Verdict::NotTested`] if the operator told of no such listener.
    pub fn connect_to(&self, port: Port) -> Result<Session, Verdict> {
        if !self.run.target.has(port) {
            return Err(Verdict::NotTested(format!("no address for {port:?} was told")));
        }
        let wire = self
            .run
            .target
            .connect(port)
            .map_err(|error| inconclusive(format!("cannot connect to {port:?}: {error}")))?;
        let transcript = Transcript::default();
        let mut all = self.transcripts.borrow_mut();
        all.push(transcript.clone());
        let number = all.len() - 1;
        Ok(Session::new(wire, transcript, number, self.run.patience))
    }

    /// A session that has been greeted with 220.
    ///
    /// # Errors
    /// [`Verdict::Inconclusive`] if it was not.
    pub fn greeted(&self) -> Result<Session, Verdict> {
        let mut session = self.connect()?;
        session.hear_within(self.run.patience.max(Duration::from_secs(10))).given("220")?;
        Ok(session)
    }

    /// The verb by which this run greets.
    pub fn hello_verb(&self) -> &'static str {
        if self.run.port == Port::Lmtp { "LHLO" } else { "EHLO" }
    }

    /// A session that may say MAIL: it has said EHLO, or LHLO to an LMTP server, and has
    /// authenticated where no mail is taken without.
    ///
    /// # Errors
    /// [`Verdict::Inconclusive`] if that was refused.
    pub fn hello(&self) -> Result<Session, Verdict> {
        let mut session = self.hello_as_stranger()?;
        if self.run.cooperation.sign_in {
            self.sign_in(&mut session)?;
        }
        Ok(session)
    }

    fn sign_in(&self, session: &mut Session) -> Result<(), Verdict> {
        let credentials = self.credentials()?;
        if session.extension("STARTTLS").is_some() {
            self.secure(session)?;
        }
        session.ask(format!("AUTH PLAIN {}", sasl::plain(credentials))).given("235")
    }

    /// A session that has said EHLO, or LHLO to an LMTP server, and nothing else.
    ///
    /// # Errors
    /// [`Verdict::Inconclusive`] if that was refused.
    pub fn hello_as_stranger(&self) -> Result<Session, Verdict> {
        let mut session = self.greeted()?;
        session.hello(self.hello_verb()).given("250")?;
        Ok(session)
    }

    /// A session that may say MAIL to a server that offers `keyword`, with what stands behind it.
    /// For STARTTLS and AUTH it is one that has done neither.
    ///
    /// # Errors
    /// [`Verdict::NotApplicable`] if it does not offer it.
    pub fn offers(&self, keyword: &str) -> Result<(Session, String), Verdict> {
        let before_them = ["STARTTLS", "AUTH"].contains(&keyword);
        let session = if before_them { self.hello_as_stranger() } else { self.hello() }?;
        match session.extension(keyword).map(str::to_owned) {
            Some(parameters) => Ok((session, parameters)),
            None => Err(Verdict::NotApplicable(format!("{keyword} is not offered"))),
        }
    }

    /// Does STARTTLS on a session that has said EHLO, and says EHLO again.
    ///
    /// # Errors
    /// [`Verdict::NotApplicable`] if it is not offered; [`Verdict::Inconclusive`] if it fails.
    pub fn secure(&self, session: &mut Session) -> Result<(), Verdict> {
        if session.extension("STARTTLS").is_none() {
            return Err(Verdict::NotApplicable("STARTTLS is not offered".into()));
        }
        session.ask("STARTTLS").given("220")?;
        self.handshake(session)?;
        session.hello(self.hello_verb()).given("250")
    }

    /// A TLS handshake on a session whose server expects one.
    ///
    /// # Errors
    /// [`Verdict::Inconclusive`] if it fails.
    pub fn handshake(&self, session: &mut Session) -> Result<(), Verdict> {
        session
            .start_tls(self.tls())
            .map_err(|failure| inconclusive(format!("the TLS handshake failed: {failure}")))
    }

    /// What to ask for in a handshake.
    pub fn tls(&self) -> Handshake<'_> {
        Handshake {
            name: self.run.cooperation.tls_name.as_deref().unwrap_or("mx.example.test"),
            versions: rustls::ALL_VERSIONS,
            patience: self.run.patience,
        }
    }

    /// A session inside TLS that has said EHLO, by STARTTLS.
    ///
    /// # Errors
    /// As [`secure`](Self::secure).
    pub fn secured(&self) -> Result<Session, Verdict> {
        let mut session = self.hello_as_stranger()?;
        self.secure(&mut session)?;
        Ok(session)
    }

    /// A recipient that exists.
    ///
    /// # Errors
    /// [`Verdict::NotTested`] if none was told.
    pub fn recipient(&self) -> Result<&'r str, Verdict> {
        self.recipients(1).map(|all| all[0].as_str())
    }

    /// At least `count` recipients that exist.
    ///
    /// # Errors
    /// [`Verdict::NotTested`] if too few were told.
    pub fn recipients(&self, count: usize) -> Result<&'r [String], Verdict> {
        let all = &self.run.cooperation.recipients[..];
        if all.len() < count {
            return Err(Verdict::NotTested(format!("needs {count} existing recipients")));
        }
        Ok(all)
    }

    /// A local address that does not exist.
    ///
    /// # Errors
    /// [`Verdict::NotTested`] if none was told.
    pub fn unknown(&self) -> Result<&'r str, Verdict> {
        told(self.run.cooperation.unknown.as_deref(), "an unknown local recipient")
    }

    /// An address that a stranger may not relay to.
    ///
    /// # Errors
    /// [`Verdict::NotTested`] if none was told, or if the tester is no stranger.
    pub fn foreign(&self) -> Result<&'r str, Verdict> {
        if self.run.cooperation.trusted {
            return Err(Verdict::NotTested("the tester is trusted by the server".into()));
        }
        told(self.run.cooperation.foreign.as_deref(), "a foreign recipient")
    }

    /// A name and its password.
    ///
    /// # Errors
    /// [`Verdict::NotTested`] if none was told.
    pub fn credentials(&self) -> Result<&'r Credentials, Verdict> {
        told(self.run.cooperation.credentials.as_ref(), "credentials")
    }

    /// How to look into mailboxes.
    ///
    /// # Errors
    /// [`Verdict::NotTested`] if it was not told.
    pub fn mailbox(&self) -> Result<&'r Mailbox, Verdict> {
        told(self.run.cooperation.mailbox.as_ref(), "a mailbox to look into")
    }

    /// The messages with `token` in the mailbox of `recipient`: waits until there are `count`, or
    /// until it is clear that there are fewer.
    ///
    /// # Errors
    /// [`Verdict::NotTested`] without a mailbox; [`Verdict::Error`] if it cannot be read.
    pub fn stored(
        &self,
        recipient: &str,
        token: &str,
        count: usize,
    ) -> Result<Vec<Vec<u8>>, Verdict> {
        mailbox::wait_for(self.mailbox()?, recipient, token, count, self.run.patience)
            .map_err(|error| Verdict::Error(format!("the mailbox of {recipient}: {error}")))
    }

    /// The one message with `token` in the mailbox of `recipient`.
    ///
    /// # Errors
    /// As [`stored`](Self::stored), and [`Verdict::Inconclusive`] if there is not exactly one.
    pub fn stored_one(&self, recipient: &str, token: &str) -> Result<Vec<u8>, Verdict> {
        let mut found = self.stored(recipient, token, 1)?;
        match (found.len(), found.pop()) {
            (1, Some(message)) => Ok(message),
            (n, _) => Err(inconclusive(format!("{n} messages are stored in place of one"))),
        }
    }

    /// The one message with `token` in the mailbox of `recipient`, taken apart.
    ///
    /// # Errors
    /// As [`stored_one`](Self::stored_one).
    pub fn arrived(&self, recipient: &str, token: &str) -> Result<Stored, Verdict> {
        let mut stored = Stored::new(self.stored_one(recipient, token)?);
        // An mbox puts an empty line behind each message.
        if matches!(self.mailbox()?, Mailbox::Command(_)) {
            stored.body.pop_if(|last| last.is_empty());
        }
        Ok(stored)
    }

    /// Sends `octets`, dots doubled and the end included, to one existing recipient, who must get
    /// them; the message as it is stored, or `None` if the server refuses it after the end.
    ///
    /// # Errors
    /// As [`envelope`](Self::envelope) and [`arrived`](Self::arrived).
    pub fn deliver(&self, token: &str, octets: &[u8]) -> Result<Option<Stored>, Verdict> {
        self.mailbox()?;
        let mut session = self.hello()?;
        let recipient = self.envelope(&mut session)?;
        session.ask("DATA").given("354")?;
        session.send(octets);
        let end = session.hear();
        if end.is("4yz|5yz|closed") {
            return Ok(None);
        }
        end.given("25z")?;
        self.arrived(recipient, token).map(Some)
    }

    /// A domain that the server is responsible for.
    ///
    /// # Errors
    /// [`Verdict::NotTested`] if no address in one was told.
    pub fn domain(&self) -> Result<&'r str, Verdict> {
        let told = &self.run.cooperation;
        told.recipients
            .first()
            .map(String::as_str)
            .or(told.unknown.as_deref())
            .and_then(|address| address.rsplit_once('@'))
            .map(|(_, domain)| domain)
            .ok_or_else(|| Verdict::NotTested("needs an address in a local domain".into()))
    }

    /// Hears what follows the end of a message: one answer, from an LMTP server one for each of
    /// the `recipients` that it took (RFC 2033 §4.2).
    pub fn hear_end(&self, session: &mut Session, recipients: usize) -> Vec<Answer> {
        let answers = if self.run.port == Port::Lmtp { recipients } else { 1 };
        (0..answers).map(|_| session.hear()).collect()
    }

    /// Waits for what should not arrive: longer than a message takes, shorter than a reply may.
    pub fn let_settle(&self) {
        std::thread::sleep(self.run.pause);
    }

    /// A word that no other message has.
    pub fn token(&self) -> String {
        let mut next = self.tokens.borrow_mut();
        *next += 1;
        format!("{}-{:x}-{next}", self.id, self.run.seed)
    }

    /// A message with these lines as its body.
    pub fn message(&self, body: &[&str]) -> Message {
        let token = self.token();
        let mut text = format!(
            "From: <sender@client.example>\r\nTo: <recipient@example.test>\r\n\
             Subject: {token}\r\nDate: Mon, 02 Nov 2026 12:00:00 +0000\r\n\
             Message-ID: <{token}@client.example>\r\n\r\n"
        );
        for line in body {
            text.push_str(line);
            text.push_str("\r\n");
        }
        Message { token, octets: text.into_bytes() }
    }

    /// Starts a transaction to one existing recipient, up to where DATA may be said.
    ///
    /// # Errors
    /// [`Verdict::Inconclusive`] if MAIL or RCPT is refused.
    pub fn envelope(&self, session: &mut Session) -> Result<&'r str, Verdict> {
        let recipient = self.recipient()?;
        session.ask("MAIL FROM:<sender@client.example>").given("250")?;
        session.ask(format!("RCPT TO:<{recipient}>")).given("25z")?;
        Ok(recipient)
    }

    /// Sends one message by DATA to one existing recipient.
    ///
    /// # Errors
    /// [`Verdict::Inconclusive`] if it is refused on the way; the last answer is the caller's.
    pub fn send(
        &self,
        session: &mut Session,
        message: &Message,
    ) -> Result<(&'r str, Answer), Verdict> {
        let recipient = self.envelope(session)?;
        session.ask("DATA").given("354")?;
        session.send(message.stuffed());
        Ok((recipient, session.hear()))
    }

    /// A place in the last session, for verdicts that no answer shows.
    pub fn here(&self) -> Option<Place> {
        let all = self.transcripts.borrow();
        let last = all.last()?;
        Some(Place { session: all.len() - 1, line: last.last() })
    }
}

fn told<T>(what: Option<T>, name: &str) -> Result<T, Verdict> {
    what.ok_or_else(|| Verdict::NotTested(format!("needs {name}")))
}
