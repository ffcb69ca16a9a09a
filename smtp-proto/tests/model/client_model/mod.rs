//! What a client does, slowly and plainly: nothing here knows the machine under test.
//!
//! | file | what |
//! |---|---|
//! | `mod` | the state, what comes from outside, the loop |
//! | `commands` | which command may be given, and the octets of messages |
//! | `replies` | what each reply does |
//!
//! A command joins the stream to the server at once when it may leave, and the server takes as much of
//! the stream as it likes. Where the client stands is not kept but
//! found anew each time, from the replies so far and the commands that have none yet.

mod commands;
mod replies;

/// How the client is.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) lmtp: bool,
    pub(crate) may_pipeline: bool,
    pub(crate) may_helo: bool,
    /// A bare CR or LF becomes CRLF; else it may not be sent.
    pub(crate) normalise: bool,
    /// Commands without a reply.
    pub(crate) unanswered: usize,
}

/// What the embedder can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Hello,
    StartTls,
    Auth,
    Respond,
    Cancel,
    Mail,
    /// One of several addresses.
    Rcpt(u8),
    Data,
    /// So many octets, and whether they are the last.
    Bdat(u8, bool),
    /// A piece of the message.
    Body(&'static str),
    EndBody,
    Rset,
    Noop,
    Quit,
    Establish,
    Abandon,
    Abort,
}

/// A command without a reply.
#[derive(Clone, Debug)]
struct Given {
    number: usize,
    kind: Kind,
    line: String,
    /// So many octets at the end of the line are those of a message.
    octets: usize,
    /// Its end in the stream, once it may leave.
    end: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Hello,
    Helo,
    StartTls,
    Auth,
    Mail,
    Rcpt,
    Data,
    /// The dot behind a message; behind one that nobody wanted.
    End,
    LoneDot,
    Chunk,
    LastChunk,
    Rset,
    Noop,
    Quit,
}

/// Where the client stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Start,
    /// The greeting was a refusal.
    Rejected,
    Fresh,
    Ready,
    Mail,
    Envelope,
    /// 354 came.
    Dot,
    Chunks,
    LastChunk,
    /// The message cannot be completed.
    Failed,
    Handshake,
    /// A command is on its way behind which none may be given.
    Waiting,
    Closed,
}

#[derive(Debug)]
pub(crate) struct Model {
    setup: Setup,
    now: u64,
    input: String,
    eof: bool,
    /// Octets that the server takes before it stops reading, if it does.
    room: Option<usize>,
    /// Where the replies so far have led.
    settled: Place,
    queue: Vec<Given>,
    given: usize,
    /// What the server offered.
    offer: Vec<String>,
    esmtp: bool,
    tls: bool,
    authenticated: bool,
    challenged: bool,
    cancelled: bool,
    /// MAIL was accepted; recipients that were.
    transaction: bool,
    accepted: usize,
    /// LMTP: replies to the end of the message.
    delivered: usize,
    /// The message so far, as it was given, and where it begins in the stream.
    body: String,
    body_at: usize,
    body_failed: bool,
    /// What is waited for, and until when.
    wait: Option<(String, u64)>,
    linger: Option<u64>,
    /// All that may leave, how much of it the server has taken, and where its last message octet ends.
    stream: String,
    taken: usize,
    octets_end: usize,
    pub(crate) told: Vec<String>,
}

impl Model {
    pub(crate) fn new(setup: Setup) -> Self {
        Self {
            setup,
            now: 1,
            input: String::new(),
            eof: false,
            room: None,
            settled: Place::Start,
            queue: vec![],
            given: 0,
            offer: vec![],
            esmtp: false,
            tls: false,
            authenticated: false,
            challenged: false,
            cancelled: false,
            transaction: false,
            accepted: 0,
            delivered: 0,
            body: String::new(),
            body_at: 0,
            body_failed: false,
            wait: None,
            linger: None,
            stream: String::new(),
            taken: 0,
            octets_end: 0,
            told: vec![],
        }
    }

    // What comes from outside.

    pub(crate) fn receive(&mut self, text: &str) {
        self.input += text;
        self.advance();
    }

    /// The server takes so many octets more; `None`: whatever comes.
    pub(crate) fn make_room(&mut self, room: Option<usize>) {
        self.room = room;
        self.send();
        self.advance();
    }

    /// The server says this and closes its side; what is whole of it still counts.
    pub(crate) fn finish(&mut self, text: &str) {
        self.input += text;
        self.eof = true;
        self.advance();
    }

    /// RFC 5321 §4.5.3.2: a server that does not answer in time is left.
    pub(crate) fn pass(&mut self, seconds: u64) {
        self.now += seconds;
        self.linger = self.linger.filter(|&at| at > self.now);
        if let Some((what, _)) = self.wait.take_if(|(_, at)| *at <= self.now) {
            let timer = match what.split(' ').next() {
                Some("handshake") => "Handshake",
                Some("octets") => "Flush",
                _ => "Reply",
            };
            self.close(&format!("Timeout({timer})"));
        }
        self.advance();
    }

    /// A command; what is wrong with it, if anything.
    pub(crate) fn give(&mut self, command: Command) -> Result<(), &'static str> {
        let outcome = self.take(command);
        self.advance();
        outcome
    }

    /// What the server has taken.
    pub(crate) fn sent(&self) -> &str {
        &self.stream[..self.taken]
    }

    /// All but the octets of a message that follow it.
    fn has_left(&self, given: &Given) -> bool {
        given.end.is_some_and(|end| end <= self.taken + given.octets)
    }

    fn has(&self, kind: Kind) -> bool {
        self.queue.iter().any(|it| it.kind == kind)
    }

    fn offers(&self, keyword: &str) -> bool {
        self.offer.iter().any(|it| it == keyword)
    }

    /// RFC 2920 §2: only where it is offered.
    fn pipelines(&self) -> bool {
        self.setup.may_pipeline && self.offers("PIPELINING")
    }

    /// Where the client stands if all that has no reply yet succeeds.
    pub(crate) fn place(&self) -> Place {
        self.queue.iter().fold(self.settled, |place, given| match (given.kind, place) {
            (Kind::Hello | Kind::Helo | Kind::StartTls | Kind::Auth, _) => Place::Waiting,
            (Kind::Data | Kind::Quit, _) => Place::Waiting,
            (Kind::Mail, _) => Place::Mail,
            (Kind::Rcpt, Place::Mail) => Place::Envelope,
            (Kind::Chunk, Place::Envelope) => Place::Chunks,
            (Kind::LastChunk, Place::Envelope | Place::Chunks) => Place::LastChunk,
            (Kind::End | Kind::LoneDot | Kind::Rset, _) => Place::Ready,
            (_, place) => place,
        })
    }

    /// What the server has heard and not answered.
    pub(crate) fn awaited(&self) -> Vec<&'static str> {
        if self.settled == Place::Start {
            return vec!["greeting"];
        }
        let heard = self.queue.iter().filter(|it| self.has_left(it) && !self.challenged);
        let name = |it: &Given| match it.kind {
            Kind::Hello => "EHLO",
            Kind::Data => "DATA",
            Kind::Auth => "AUTH",
            Kind::StartTls => "STARTTLS",
            _ => "other",
        };
        heard.map(name).collect()
    }

    /// Whether the next word is the client's, in an AUTH exchange.
    pub(crate) fn is_challenged(&self) -> bool {
        self.challenged
    }

    /// What can be seen of the session from outside.
    pub(crate) fn facts(&self) -> String {
        let nothing_left = self.queue.is_empty() && self.taken == self.stream.len();
        let idle = self.place() == Place::Ready && nothing_left;
        let Self { esmtp, tls, authenticated, accepted, .. } = self;
        format!(
            "idle {idle} esmtp {esmtp} tls {tls} authenticated {authenticated} accepted {accepted} \
             pipelining {}",
            self.offers("PIPELINING")
        )
    }

    // The loop.

    fn advance(&mut self) {
        while self.step() {}
        self.set_wait();
    }

    fn step(&mut self) -> bool {
        if matches!(self.settled, Place::Closed | Place::Handshake) {
            return false;
        }
        if let Some(first) = self.queue.first().filter(|first| self.is_moot(first)).cloned() {
            self.queue.remove(0);
            self.told.push(format!("skipped {}", first.number));
            if first.kind == Kind::Data {
                // An open transaction must be reset.
                self.settled = if self.transaction { Place::Failed } else { Place::Ready };
            }
            return true;
        }
        if let Some(reply) = self.next_reply() {
            match reply {
                Ok((code, lines)) => self.reply(code, &lines),
                Err(()) => self.close("Unintelligible"),
            }
            return true;
        }
        if self.eof {
            self.close("Eof");
        }
        // What was heard before a command left is no reply to it.
        self.send();
        false
    }

    /// What has not left and makes no sense any more does not leave.
    fn is_moot(&self, first: &Given) -> bool {
        let moot = match first.kind {
            Kind::Rcpt => !self.transaction,
            Kind::Data => !self.transaction || self.accepted == 0,
            _ => false,
        };
        moot && first.end.is_none()
    }

    /// RFC 5321 §4.3.1: one command at a time. RFC 2920 §3.1: or a group, up to one that ends it.
    fn send(&mut self) {
        let pipelines = self.pipelines();
        for place in 0..self.queue.len() {
            let before = &self.queue[..place];
            let free = if pipelines {
                !before.iter().any(|it| ends_group(it.kind))
            } else {
                before.is_empty()
            };
            let given = &mut self.queue[place];
            if free && given.end.is_none() {
                self.stream += &given.line;
                given.end = Some(self.stream.len());
                if given.octets > 0 {
                    self.octets_end = self.stream.len();
                }
            }
        }
        let left = self.stream.len() - self.taken;
        let takes = self.room.map_or(left, |room| room.min(left));
        self.taken += takes;
        self.room = self.room.map(|room| room - takes);
    }

    /// RFC 5321 §4.2.1: lines with a hyphen behind the code, and a last one without.
    fn next_reply(&mut self) -> Option<Result<(u16, Vec<String>), ()>> {
        let mut lines = vec![];
        let mut rest = self.input.as_str();
        loop {
            // What is no reply is seen at its first character.
            if !rest.chars().take(3).all(|c| c.is_ascii_digit()) {
                return Some(Err(()));
            }
            let (line, behind) = rest.split_once("\r\n")?;
            rest = behind;
            let code = line[..3].parse().unwrap();
            lines.push(line[4..].to_owned());
            if line.as_bytes()[3] != b'-' {
                self.input = rest.to_owned();
                return Some(Ok((code, lines)));
            }
        }
    }

    // Time.

    pub(crate) fn deadline(&self) -> Option<u64> {
        self.linger.or(self.wait.as_ref().map(|(_, at)| *at))
    }

    /// §4.5.3.2: each reply has its time, which begins anew with what is sent and what is heard.
    fn set_wait(&mut self) {
        let (what, seconds) = match (self.settled, self.queue.first()) {
            (Place::Closed, _) => return,
            (Place::Start, _) => ("greeting".to_owned(), 300),
            (Place::Handshake, _) => ("handshake".to_owned(), 60),
            // §4.5.3.2.5: each write has its time, however little of it is taken.
            _ if self.taken < self.stream.len() => (format!("octets {}", self.taken), 180),
            (_, Some(first)) if !self.challenged => {
                let seconds = match first.kind {
                    Kind::Data => 120,
                    Kind::End | Kind::LoneDot | Kind::Chunk | Kind::LastChunk => 600,
                    Kind::Quit => 60,
                    _ => 300,
                };
                let (sent, delivered) = (self.taken, self.delivered);
                (format!("{} {:?} {sent} {delivered}", first.number, first.kind), seconds)
            }
            _ => return self.wait = None,
        };
        if self.wait.as_ref().is_none_or(|(running, _)| *running != what) {
            self.wait = Some((what, self.now + seconds));
        }
    }
}

/// RFC 2920 §3.1: nothing follows these in a group; RFC 3207 §4, RFC 4954 §4: STARTTLS and AUTH.
fn ends_group(kind: Kind) -> bool {
    !matches!(
        kind,
        Kind::Mail
            | Kind::Rcpt
            | Kind::End
            | Kind::LoneDot
            | Kind::Chunk
            | Kind::LastChunk
            | Kind::Rset
    )
}
