//! Messages for a client to send.

/// A message, in the two forms that clients take from a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Stands in it, and in no other message.
    pub token: String,
    head: String,
    body: Vec<u8>,
    /// The line ends of the body are what is tested.
    exact: bool,
}

impl Message {
    /// A message with these lines as its body.
    pub fn lines(token: &str, lines: &[&str]) -> Self {
        let body = lines.iter().flat_map(|line| [line.as_bytes(), b"\r\n"].concat()).collect();
        Self { token: token.to_owned(), head: head(token, ""), body, exact: false }
    }

    /// A message with these octets as its body, whatever they are; its header tells of 8 bits.
    pub fn octets(token: &str, body: &[u8]) -> Self {
        let mime = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
                    Content-Transfer-Encoding: 8bit\r\n";
        let mime = if body.is_ascii() { "" } else { mime };
        let head = head(token, mime);
        Self { token: token.to_owned(), head, body: body.to_vec(), exact: true }
    }

    /// With CRLF at the end of each line, as it is in transit: `{eml}`.
    pub fn eml(&self) -> Vec<u8> {
        [self.head.as_bytes(), &self.body].concat()
    }

    /// With LF at the end of each line, as text is on this machine: `{message}` and standard input.
    pub fn unix(&self) -> Vec<u8> {
        let head = self.head.replace("\r\n", "\n").into_bytes();
        if self.exact {
            return [head, self.body.clone()].concat();
        }
        let mut body = self.body.clone();
        body.retain(|&octet| octet != b'\r');
        [head, body].concat()
    }
}

fn head(token: &str, mime: &str) -> String {
    format!(
        "From: <sender@client.example>\r\nTo: <rcpt1@example.test>\r\nSubject: {token}\r\n\
         Date: Mon, 02 Nov 2026 12:00:00 +0000\r\nMessage-ID: <{token}@client.example>\r\n{mime}\r\n"
    )
}
