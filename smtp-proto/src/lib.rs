//! SMTP as a pure state machine: no IO, no clock, no runtime, no allocation for a command.
//!
//! Bytes and time go in; questions, facts and bytes come out. You own the socket, the clock and the
//! policy; the machine owns the protocol: order of commands, grammar, framing, limits, timers, and
//! every reply that is not yours to give.
//!
//! ```text
//!             bytes + time                 questions + answers
//!   socket  <------------>  this crate  <---------------------->  policy
//!             (adapter)      (no IO)          (embedder)
//! ```
//!
//! Whoever is new here begins with `docs/embedding/` of the repository: the loop, servers and
//! clients by example.
//!
//! # The contract
//!
//! 1. The machine does no IO, reads no clock, spawns nothing, never blocks, and never panics on
//!    input. It keeps no string of the peer's; its memory is bounded by the [`Limits`].
//! 2. Offer unread input from its first octet at every `poll_event`; what the call leaves (at most
//!    [`Limits::max_unread`]) must lead the next offer.
//! 3. A call yields at most one event; the event's input is consumed then, not when you answer.
//!    Work is linear in the input and stops at the output mark.
//! 4. [`Need::Input`]: no question is open, read more. [`Need::Decision`]: answer something or wait
//!    for the timer; reading ahead is allowed, moving the buffer is not. [`Need::Flush`]: write until
//!    drained; do not read.
//! 5. Events borrow your buffer, never the machine. While several questions are open only
//!    [`Rcpt`](server::Event::Rcpt) and [`Violation`](server::Event::Violation) follow.
//! 6. A [`Pending`](server::Pending) is answered once, in any order; replies leave in command order.
//!    Its clock starts when you get it; on expiry the machine answers and the token is
//!    [`Stale`](server::Stale).
//! 7. Reply text is copied during the call. The machine's own replies queue in the same order; a
//!    `Violation` may be reported before its reply leaves.
//! 8. `handle_eof`: nothing will follow what you still offer. Commands in hand run, open questions
//!    stay valid, then [`Step::Closed`].
//! 9. Only `handle_timeout` fires timers; `poll_timeout` may change after any call. Waiting for you
//!    never counts against the peer.
//! 10. Every run of [`Body`](server::Event::Body) ends in exactly one of
//!     [`BodyEnd`](server::Event::BodyEnd) or [`Delivery`](server::Event::Delivery),
//!     [`BodyAborted`](server::Event::BodyAborted), or [`Reset`](server::Event::Reset) after your
//!     `discard_body`; every accepted MAIL ends in exactly one `Reset`.
//! 11. After `Closed`: write what is left, for at most [`Timeouts::linger`], then close. All calls
//!     stay harmless and give the same reason.
//! 12. The same input and answers give the same events and replies however the input is cut; only
//!     `EarlyTalker`, `Residue`, and octets behind a refused DATA or a malformed BDAT depend on when
//!     you read. So offer what you have read once more before you refuse a DATA: text that did not
//!     wait for 354 must not run as commands.
//!
//! # The loop
//!
//! ```
//! use smtp_proto::{Instant, Need, Step, server::{Event, ServerConfig, ServerConnection, Start}};
//! use smtp_proto::wire::Host;
//!
//! let config = ServerConfig::builder(Host::parse("mx.example.test").unwrap()).build();
//! let mut connection = ServerConnection::new(config, Start::Plain);
//! let mut input: &[u8] = b"EHLO client.example\r\nQUIT\r\n"; // what your socket gave
//! let mut sent = Vec::new(); // what your socket takes
//! let why = loop {
//!     match connection.poll_event(&mut input, Instant::ZERO) {
//!         // Your policy answers what it cares about …
//!         Step::Event(Event::Hello { pending, .. }) => connection.accept(pending).unwrap(),
//!         // … and leaves the rest.
//!         Step::Event(event) => connection.answer_default(event),
//!         Step::Need(need) => {
//!             while let Some(octets) = connection.poll_transmit() {
//!                 let n = octets.len();
//!                 sent.extend_from_slice(octets);
//!                 connection.handle_transmitted(n);
//!             }
//!             assert_eq!(need, Need::Input);
//!             // Read from the socket here, or fire the timer; there is nothing more to read:
//!             connection.handle_eof();
//!         }
//!         Step::Closed(why) => break why,
//!     }
//! };
//! assert_eq!(why, smtp_proto::CloseReason::Quit);
//! sent.extend_from_slice(connection.poll_transmit().unwrap());
//! assert!(sent.starts_with(b"220 mx.example.test ESMTP\r\n250-mx.example.test\r\n"));
//! assert!(sent.ends_with(b"221 2.0.0 Bye\r\n"));
//! ```
//!
//! # The client
//!
//! [`client::ClientConnection`] is held the same way: offer input, write output, fire timers. It
//! asks no questions; you give commands, and it sends them in groups or one by one, as the server
//! allows, and tells their replies. How it differs from the contract above stands at its top.
//!
//! ```
//! use smtp_proto::{Instant, Need, Start, Step, client::{ClientConfig, ClientConnection, ClientEvent}};
//! use smtp_proto::wire::{ForwardPath, HelloName, Mail, Rcpt, ReversePath};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut connection = ClientConnection::new(ClientConfig::builder().build(), Start::Plain);
//! // What a server says, in three reads.
//! let mut reads = [
//!     &b"220 mx.example.test ESMTP\r\n"[..],
//!     b"250-mx.example.test\r\n250 PIPELINING\r\n",
//!     b"250 2.1.0 Ok\r\n550 5.1.1 No such user\r\n503 5.5.1 No valid recipients\r\n",
//! ].into_iter();
//! let (mut input, mut sent) = (&b""[..], Vec::new());
//! let mut refused = Vec::new();
//! loop {
//!     match connection.poll_event(&mut input, Instant::ZERO) {
//!         Step::Event(ClientEvent::Greeting(_)) => {
//!             connection.hello(&HelloName::parse("client.example")?)?;
//!         }
//!         Step::Event(ClientEvent::Reply { reply, .. }) if reply.code() >= 400 => {
//!             refused.push(reply.to_string());
//!         }
//!         Step::Event(_) if connection.is_idle() => {
//!             // One write takes all three, since the server offers PIPELINING.
//!             connection.mail(&Mail::new(ReversePath::Null))?;
//!             connection.rcpt(&Rcpt::new(ForwardPath::parse("<a@example.org>")?.0))?;
//!             connection.data()?;
//!         }
//!         Step::Event(_) => {}
//!         Step::Need(_) => {
//!             while let Some(octets) = connection.poll_transmit() {
//!                 let n = octets.len();
//!                 sent.extend_from_slice(octets);
//!                 connection.handle_transmitted(n);
//!             }
//!             match reads.next() {
//!                 Some(read) => input = read,
//!                 None => connection.handle_eof(),
//!             }
//!         }
//!         Step::Closed(_) => break,
//!     }
//! }
//! assert!(sent.ends_with(b"MAIL FROM:<>\r\nRCPT TO:<a@example.org>\r\nDATA\r\n"));
//! assert_eq!(refused, ["550 5.1.1 No such user", "503 5.5.1 No valid recipients"]);
//! # Ok(())
//! # }
//! ```
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod body;
pub mod client;
#[cfg(test)]
mod diagram;
pub mod ext;
mod limits;
mod line;
mod misuse;
pub mod proxy;
mod secret;
pub mod server;
mod status;
mod step;
mod time;
mod timer;
mod violation;
pub mod wire;

pub use limits::Limits;
pub use misuse::Misuse;
pub use secret::Secret;
pub use status::{Class, EnhancedCode};
pub use step::{CloseReason, Need, Start, Step};
pub use time::Instant;
pub use timer::{Timeouts, Timer};
pub use violation::{SyntaxFault, Violation};
