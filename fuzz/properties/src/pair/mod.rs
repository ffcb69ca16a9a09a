//! Our client and our server, joined.

mod choice;
mod client;
mod server;

use choice::{CUT_OFF, Choice, REFUSES_MESSAGE, TWICE};
use client::Client;
use server::Server;

/// A message goes from our client to our server, with any choice of extensions on either side, cut
/// at random on its way, and perhaps cut off:
///
/// - neither side ever waits for the other for ever, and neither breaks a rule: the server counts
///   no violation, the client gives no command in vain;
/// - what the client calls delivered was accepted by the server, for just those recipients, and the
///   octets are those of the message: line endings made CRLF where that was asked for, and one CRLF
///   more if its last line had none;
/// - what the server accepted, the client calls delivered, unless the stream was cut off;
/// - a message that may not be sent (a bare line ending, a NUL, 8-bit octets not announced) is
///   accepted by nobody.
///
/// The first three octets of `data` choose the extensions, what the client makes of them, and the
/// cuts; the fourth how many recipients there are and which are refused; the rest is the message.
///
/// # Panics
/// If it is not so.
pub fn pair(data: &[u8]) {
    let [offer, ask, seed, recipients, message @ ..] = data else { return };
    let choice = Choice { offer: *offer, ask: *ask, recipients: *recipients };
    let mut pair = Pair {
        server: Server::new(choice),
        client: Client::new(choice, message),
        random: u32::from(*seed) | 0x100,
        cut_off: choice.asks(CUT_OFF).then(|| usize::from(*seed) * 7),
        carried: 0,
    };
    pair.run();
    pair.judge(choice, message);
}

/// Both, and what is between them.
struct Pair {
    server: Server,
    client: Client,
    random: u32,
    /// After so many octets in both directions the stream ends.
    cut_off: Option<usize>,
    carried: usize,
}

impl Pair {
    fn run(&mut self) {
        let mut idle = 0;
        while idle < 4 {
            let before = (self.carried, self.client.moves, self.server.moves);
            self.client.run();
            self.carry_to_server();
            self.server.run();
            self.carry_to_client();
            idle = if before == (self.carried, self.client.moves, self.server.moves) {
                idle + 1
            } else {
                0
            };
            if self.client.closed.is_some() && self.client.outbox.is_empty() {
                self.server.end();
            }
            if self.server.closed.is_some() && self.server.outbox.is_empty() {
                self.client.end();
            }
        }
        let closed = (self.client.closed, self.server.closed);
        assert!(closed.0.is_some() && closed.1.is_some(), "one waits for the other: {closed:?}");
    }

    /// How many octets go now, out of so many that could.
    fn cut(&mut self, there: usize) -> usize {
        // xorshift: only to have sizes that differ.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        let size = match self.random % 4 {
            0 => 1,
            1 => (self.random >> 8) as usize % 40,
            2 => (self.random >> 8) as usize % 700,
            _ => usize::MAX,
        };
        let left = self.cut_off.map_or(usize::MAX, |at| at.saturating_sub(self.carried));
        if left == 0 {
            self.client.end();
            self.server.end();
        }
        size.min(there).min(left)
    }

    fn carry_to_server(&mut self) {
        let n = self.cut(self.client.outbox.len());
        self.server.inbox.extend(self.client.outbox.drain(..n));
        self.carried += n;
    }

    fn carry_to_client(&mut self) {
        let n = self.cut(self.server.outbox.len());
        self.client.inbox.extend(self.server.outbox.drain(..n));
        self.carried += n;
    }

    fn judge(&self, choice: Choice, message: &[u8]) {
        assert_eq!(self.server.connection.session().violations, 0, "the client broke a rule");
        let cut = self.cut_off.is_some_and(|at| self.carried >= at);
        let wanted = choice.canonical(message);
        let (told, accepted) = (&self.client.delivered, &self.server.accepted);
        assert!(told.len() <= accepted.len(), "delivered, says the client, and it is not");
        for (recipients, (theirs, octets)) in told.iter().zip(accepted) {
            assert_eq!(recipients, theirs, "other recipients");
            assert_eq!(Some(octets), wanted.as_ref(), "other octets");
        }
        if !cut {
            assert_eq!(told.len(), accepted.len(), "the client was not told of all");
            let possible = wanted.is_some() && choice.names().iter().any(|name| name.contains("r"));
            let twice = if choice.asks(TWICE) { 2 } else { 1 };
            if possible && !choice.offers(REFUSES_MESSAGE) {
                assert_eq!(told.len(), twice, "nothing stood in the way");
            }
        }
        if wanted.is_none() {
            assert!(accepted.is_empty(), "a message that may not be sent was accepted");
        }
    }
}
