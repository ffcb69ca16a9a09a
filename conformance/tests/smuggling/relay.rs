//! A relay and a server with mailboxes, of a few lines each, that do wrong on demand.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

/// What they take for the end of a message when they do no wrong.
pub(crate) const END: &[u8] = b"\r\n.\r\n";

/// Octets that are read up to certain others.
struct Reader {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Reader {
    /// What is in front of the first of `ends`, which goes too.
    fn until(&mut self, ends: &[&[u8]]) -> Option<Vec<u8>> {
        loop {
            let first = ends.iter().filter_map(|end| Some((find(&self.unread, end)?, end.len())));
            if let Some((at, length)) = first.min_by_key(|&(at, length)| (at + length, at)) {
                let octets = self.unread[..at].to_vec();
                self.unread.drain(..at + length);
                return Some(octets);
            }
            self.more()?;
        }
    }

    fn take(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.unread.len() < count {
            self.more()?;
        }
        Some(self.unread.drain(..count).collect())
    }

    fn more(&mut self) -> Option<()> {
        let mut buffer = [0; 4096];
        let n = self.stream.read(&mut buffer).ok().filter(|&n| n > 0)?;
        self.unread.extend_from_slice(&buffer[..n]);
        Some(())
    }

    fn say(&mut self, text: &str) -> Option<()> {
        self.stream.write_all(format!("{text}\r\n").as_bytes()).ok()
    }

    /// Hears a reply; `None` if it is a refusal.
    fn hear(&mut self) -> Option<()> {
        loop {
            let line = self.until(&[b"\r\n"])?;
            if line.get(3) != Some(&b'-') {
                return matches!(line[0], b'2' | b'3').then_some(());
            }
        }
    }

    fn ask(&mut self, line: &str) -> Option<()> {
        self.say(line)?;
        self.hear()
    }
}

pub(crate) fn find(whole: &[u8], part: &[u8]) -> Option<usize> {
    whole.windows(part.len()).position(|window| window == part)
}

fn replaced(text: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = find(rest, old) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(new);
        rest = &rest[at + old.len()..];
    }
    out.extend_from_slice(rest);
    out
}

/// A message as it was received.
struct Message {
    from: String,
    to: Vec<String>,
    /// By DATA with the dots that were added.
    octets: Vec<u8>,
    chunked: bool,
}

impl Message {
    fn new(from: &str) -> Self {
        Self { from: from.into(), to: Vec::new(), octets: Vec::new(), chunked: false }
    }

    /// The text, as it was meant.
    fn text(&self) -> Vec<u8> {
        if self.chunked { self.octets.clone() } else { replaced(&self.octets, b"\r\n.", b"\r\n") }
    }

    /// Whether it is the one with nothing odd in it.
    fn is_plain(&self) -> bool {
        self.from.contains("-0-outer")
    }
}

/// What becomes of a message that was received: the replies.
type Taken<'t> = dyn Fn(&Message) -> Option<&'static str> + 't;

/// A listener on a port of its own, until the test process ends: each session in a thread.
fn listen(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let serve = Arc::clone(&serve);
            thread::spawn(move || serve(stream));
        }
    });
    address
}

/// A session in which one of `ends` ends a message, and `take` decides what becomes of it: no reply
/// ends the session.
fn session(stream: TcpStream, ends: &[&[u8]], rcpt: &Rcpt, take: &Taken<'_>) -> Option<()> {
    let mut reader = Reader { stream, unread: Vec::new() };
    let mut message = Message::new("");
    reader.say("220 mx.example.test ESMTP")?;
    loop {
        let line = String::from_utf8_lossy(&reader.until(&[b"\r\n"])?).into_owned();
        let path = || line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
        let words: Vec<_> = line.split([' ', ':']).collect();
        match words[0].to_ascii_uppercase().as_str() {
            "EHLO" => reader.say("250-mx.example.test\r\n250-STARTTLS\r\n250 CHUNKING")?,
            "MAIL" => {
                message = Message::new(path()?.0);
                reader.say("250 2.1.0 sender ok")?;
            }
            "RCPT" => match rcpt(&message.from) {
                Some(refusal) => reader.say(refusal)?,
                None => {
                    message.to.push(path()?.0.into());
                    reader.say("250 2.1.5 recipient ok")?;
                }
            },
            "DATA" if message.to.is_empty() => reader.say("503 5.5.1 no recipient")?,
            "DATA" => {
                reader.say("354 go on")?;
                message.octets = reader.until(ends)?;
                reader.say(take(&message)?)?;
            }
            "BDAT" => {
                message.chunked = true;
                message.octets.extend(reader.take(words[1].parse().ok()?)?);
                let reply = if words.len() > 2 { take(&message)? } else { "250 2.0.0 go on" };
                reader.say(reply)?;
            }
            "QUIT" => return reader.say("221 2.0.0 bye"),
            _ => reader.say("500 5.5.2 what")?,
        }
    }
}

/// A refusal of a recipient, by the reverse-path.
type Rcpt = dyn Fn(&str) -> Option<&'static str> + Send + Sync;

/// What a receiver does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Receiver {
    /// Nothing: CRLF.CRLF alone ends a message.
    Strict,
    /// This ends one as well.
    Ends(&'static [u8]),
    /// It says 250 twice, and stores one message.
    SaysItTwice,
    /// It takes messages and stores none.
    Loses,
    /// It stores what is in front of the first NUL.
    CutsAtNul,
    /// It changes bare LF to CRLF.
    Changes,
    /// It refuses bare LF.
    Refuses,
    /// It says nothing when a message has ended.
    Hangs,
    /// It closes then.
    Closes,
    /// It takes no recipient at first.
    Greylists,
}

/// A server with a Maildir for each recipient below `folder`.
pub(crate) fn receiver(what: Receiver, folder: PathBuf) -> SocketAddr {
    let ends: Vec<&[u8]> = match what {
        Receiver::Ends(end) => vec![END, end],
        _ => vec![END],
    };
    let greylists = move |from: &str| {
        let plain = from.contains("-0-outer");
        (what == Receiver::Greylists && !plain).then_some("451 4.7.1 come again")
    };
    listen(move |stream| {
        session(stream, &ends, &greylists, &|message| store(what, &folder, message));
    })
}

fn store(what: Receiver, folder: &Path, message: &Message) -> Option<&'static str> {
    let mut octets = message.text();
    match what {
        _ if message.is_plain() => {}
        Receiver::Hangs => loop {
            thread::park();
        },
        Receiver::Closes => return None,
        Receiver::Loses => return Some("250 2.0.0 lost"),
        Receiver::Refuses if find(&replaced(&octets, b"\r\n", b""), b"\n").is_some() => {
            return Some("550 5.5.2 a bare LF");
        }
        Receiver::CutsAtNul => {
            octets = octets.split(|&b| b == 0).next()?.to_vec();
        }
        Receiver::Changes => {
            octets = replaced(&replaced(&octets, b"\r\n", b"\n"), b"\n", b"\r\n");
        }
        _ => {}
    }
    for recipient in &message.to {
        let place = folder.join(recipient).join("new");
        fs::create_dir_all(&place).unwrap();
        // Only whole messages are in `new`.
        let name = format!("{}{:?}", message.from, thread::current().id());
        fs::write(folder.join(&name), &octets).unwrap();
        fs::rename(folder.join(&name), place.join(&name)).unwrap();
    }
    let twice = what == Receiver::SaysItTwice && !message.is_plain();
    Some(if twice { "250 2.0.0 stored\r\n250 2.0.0 stored" } else { "250 2.0.0 stored" })
}

/// What a sender does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    /// Nothing: it refuses bare CR and LF.
    Strict,
    /// It relays what DATA brought as it came.
    Leaky,
    /// It makes CRLF of bare CR and LF, and doubles the dots then.
    Rewrites,
    /// It makes CRLF of bare LF when the dots are doubled already: what was no end becomes one.
    RewritesTooLate,
    /// It doubles no dots: CRLF.CRLF in a chunk goes through.
    DoublesNoDots,
    /// It breaks lines when the dots are doubled already.
    BreaksLines,
    /// LF.LF ends a message for it.
    Splits,
    /// It relays the text in base64.
    Encodes,
    /// It keeps what is in front of the first NUL.
    CutsAtNul,
    /// It takes messages, and relays none.
    Keeps,
    /// It takes no recipient at first.
    Greylists,
    /// It says nothing when a message has ended.
    Hangs,
    /// It closes then.
    Closes,
}

/// A server that relays to `next`.
pub(crate) fn sender(what: Sender, next: SocketAddr) -> SocketAddr {
    let ends: Vec<&[u8]> = match what {
        Sender::Splits => vec![END, b"\n.\n"],
        _ => vec![END],
    };
    let greylists = move |from: &str| {
        let plain = from.contains("-0-outer");
        (what == Sender::Greylists && !plain).then_some("451 4.7.1 come again")
    };
    listen(move |stream| {
        session(stream, &ends, &greylists, &|message| relay(what, next, message));
    })
}

fn relay(what: Sender, next: SocketAddr, message: &Message) -> Option<&'static str> {
    let mut text = message.text();
    // The end that was read brings the CRLF of the last line; a chunk has its own.
    if message.chunked {
        text.truncate(text.len() - b"\r\n".len());
    }
    let bare = replaced(&text, b"\r\n", b"");
    match what {
        _ if message.is_plain() => {}
        Sender::Strict if bare.contains(&b'\n') || bare.contains(&b'\r') => {
            return Some("550 5.5.2 bare CR or LF");
        }
        Sender::Keeps => return Some("250 2.0.0 kept"),
        Sender::Hangs => loop {
            thread::park();
        },
        Sender::Closes => return None,
        Sender::Rewrites => {
            text = replaced(&replaced(&text, b"\r\n", b"\n"), b"\r", b"\n");
            text = replaced(&text, b"\n", b"\r\n");
        }
        Sender::Encodes => text = b"Subject: encoded\r\n\r\nYmFzZTY0".to_vec(),
        Sender::CutsAtNul => text = text.split(|&b| b == 0).next()?.to_vec(),
        _ => {}
    }
    if what != Sender::DoublesNoDots {
        text = replaced(&text, b"\r\n.", b"\r\n..");
    }
    match what {
        Sender::Leaky if !message.chunked => text.clone_from(&message.octets),
        Sender::RewritesTooLate => {
            text = replaced(&replaced(&text, b"\r\n", b"\n"), b"\n", b"\r\n");
        }
        Sender::BreaksLines => {
            let line = &[b'x'; 990][..];
            text = replaced(&text, line, &[line, b"\r\n"].concat());
        }
        _ => {}
    }
    // Delivery is behind the reply, as in a queue.
    let (from, to) = (message.from.clone(), message.to.clone());
    thread::spawn(move || deliver(next, &from, &to, &text));
    Some("250 2.0.0 queued")
}

fn deliver(next: SocketAddr, from: &str, to: &[String], text: &[u8]) -> Option<()> {
    let stream = TcpStream::connect(next).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
    let mut reader = Reader { stream, unread: Vec::new() };
    reader.hear()?;
    reader.ask("EHLO relay.example")?;
    reader.ask(&format!("MAIL FROM:<{from}>"))?;
    for recipient in to {
        reader.ask(&format!("RCPT TO:<{recipient}>"))?;
    }
    reader.ask("DATA")?;
    reader.stream.write_all(&[text, END].concat()).ok()?;
    reader.hear()?;
    reader.ask("QUIT")
}
