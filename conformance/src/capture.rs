//! A listener that a judged server relays to: what arrives there is what the server passes on.
//!
//! It takes everything, for everybody, and keeps it octet for octet. It offers no extension that
//! would let a sender change how it sends; it does not judge.

use std::{
    collections::HashMap,
    io::{self, BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    thread,
    time::Duration,
};

/// Octets of one message at most; what is longer is refused.
const MOST_OCTETS: usize = 64 << 20;
/// Messages kept at most; further ones are refused.
const MOST_MESSAGES: usize = 10_000;
/// A sender that is silent for so long is gone.
const PATIENCE: Duration = Duration::from_secs(60);

/// A message with its forward paths, without brackets.
struct Captured {
    recipients: Vec<String>,
    octets: Vec<u8>,
}

type Store = Arc<Mutex<Vec<Captured>>>;

fn listeners() -> &'static Mutex<HashMap<SocketAddr, Store>> {
    static ALL: OnceLock<Mutex<HashMap<SocketAddr, Store>>> = OnceLock::new();
    ALL.get_or_init(Mutex::default)
}

/// Listens on `address` until the program ends; a second call for it changes nothing. Gives where
/// it listens: port 0 lets the kernel choose one.
///
/// # Errors
/// Those of the system: the address is in use, or not ours.
pub fn listen(address: SocketAddr) -> io::Result<SocketAddr> {
    let mut all = listeners().lock().unwrap_or_else(PoisonError::into_inner);
    if all.contains_key(&address) {
        return Ok(address);
    }
    let listener = TcpListener::bind(address)?;
    let address = listener.local_addr()?;
    let store = Store::default();
    all.insert(address, Arc::clone(&store));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let store = Arc::clone(&store);
            // A sender that goes away has sent nothing that counts.
            thread::spawn(move || drop(receive(stream, &store)));
        }
    });
    Ok(address)
}

/// The messages that arrived for `recipient` at the listener on `address`.
pub fn messages(address: SocketAddr, recipient: &str) -> Vec<Vec<u8>> {
    let all = listeners().lock().unwrap_or_else(PoisonError::into_inner);
    let Some(store) = all.get(&address) else { return Vec::new() };
    let store = store.lock().unwrap_or_else(PoisonError::into_inner);
    let is_for = |message: &&Captured| {
        message.recipients.iter().any(|path| path.eq_ignore_ascii_case(recipient))
    };
    store.iter().filter(is_for).map(|message| message.octets.clone()).collect()
}

/// One session with a sender.
fn receive(stream: TcpStream, store: &Store) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let mut out = stream.try_clone()?;
    let mut input = BufReader::new(stream);
    let mut recipients = Vec::new();
    out.write_all(b"220 capture.example ESMTP\r\n")?;
    while let Some(line) = read_line(&mut input)? {
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        let verb: String = text.chars().take(4).collect::<String>().to_ascii_uppercase();
        let reply: &[u8] = match verb.as_str() {
            "EHLO" => b"250-capture.example\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n",
            "RCPT" => {
                let path = text.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
                recipients.extend(path.map(|(path, _)| path.to_owned()));
                b"250 2.1.5 Ok\r\n"
            }
            "DATA" => {
                out.write_all(b"354 Go ahead\r\n")?;
                let Some(octets) = read_message(&mut input)? else { return Ok(()) };
                let mut kept = store.lock().unwrap_or_else(PoisonError::into_inner);
                if octets.len() >= MOST_OCTETS || kept.len() >= MOST_MESSAGES {
                    b"552 5.3.4 Too much\r\n"
                } else {
                    let recipients = std::mem::take(&mut recipients);
                    kept.push(Captured { recipients, octets });
                    b"250 2.0.0 Ok\r\n"
                }
            }
            "QUIT" => return out.write_all(b"221 2.0.0 Bye\r\n"),
            "HELO" | "MAIL" | "RSET" => {
                recipients.clear();
                b"250 2.0.0 Ok\r\n"
            }
            "NOOP" => b"250 2.0.0 Ok\r\n",
            _ => b"502 5.5.1 Not here\r\n",
        };
        out.write_all(reply)?;
    }
    Ok(())
}

/// Octets up to CRLF, and with it; a bare LF ends nothing. `None` at the end of the stream, and for
/// a line of more than [`MOST_OCTETS`].
fn read_line(input: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    loop {
        if input.read_until(b'\n', &mut line)? == 0 || line.len() > MOST_OCTETS {
            return Ok(None);
        }
        if line.ends_with(b"\r\n") {
            return Ok(Some(line));
        }
    }
}

/// The message behind a 354, its dots unstuffed. `None` if the stream ends before it. What is too
/// long is read to its end and cut.
fn read_message(input: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut octets = Vec::new();
    while let Some(line) = read_line(input)? {
        if line == b".\r\n" {
            return Ok(Some(octets));
        }
        if octets.len() < MOST_OCTETS {
            octets.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn what_is_relayed_is_kept_octet_for_octet_for_its_recipients() {
        let address = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let mut sender = TcpStream::connect(address).unwrap();
        let session =
            b"EHLO a.example\r\nMAIL FROM:<x@a.example>\r\nRCPT TO:<U@b.example>\r\nDATA\r\n\
            Subject: t\r\n\r\n..dot\r\nbare\n.\nline\r\n.\r\nQUIT\r\n";
        sender.write_all(session).unwrap();
        let mut heard = String::new();
        sender.read_to_string(&mut heard).unwrap();
        assert!(heard.ends_with("354 Go ahead\r\n250 2.0.0 Ok\r\n221 2.0.0 Bye\r\n"), "{heard}");
        let kept = messages(address, "u@B.example");
        assert_eq!(kept, [b"Subject: t\r\n\r\n.dot\r\nbare\n.\nline\r\n".to_vec()]);
        assert!(messages(address, "other@b.example").is_empty());
    }

    #[test]
    fn a_message_without_its_end_is_not_kept() {
        let address = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let mut sender = TcpStream::connect(address).unwrap();
        sender.write_all(b"RCPT TO:<u@b.example>\r\nDATA\r\nhalf\r\n").unwrap();
        sender.shutdown(std::net::Shutdown::Write).unwrap();
        sender.read_to_end(&mut Vec::new()).unwrap();
        assert!(messages(address, "u@b.example").is_empty());
    }
}
