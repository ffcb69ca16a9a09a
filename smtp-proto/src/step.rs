//! What a call of `poll_event` can answer, for both roles.

/// What `poll_event` has to say.
#[must_use = "an event may carry a question that must be answered"]
#[derive(Debug)]
pub enum Step<E> {
    /// Something happened. Handle it, then call `poll_event` again.
    Event(E),
    /// Nothing more can happen until you supply what is named.
    Need(Need),
    /// Over. Write what is left, then close the stream. Every later call says the same.
    Closed(CloseReason),
}

/// What the machine waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// No question is open. Write what `poll_transmit` has, then read more. A partial line may be
    /// left unread: offer it again, with what follows.
    Input,
    /// The next move is yours. Server: a question is open; answer it, or wait for its timer. This
    /// is the back-pressure: reading ahead is allowed, moving what was offered is not. Client:
    /// nothing is awaited; give a command, the next octets of a body, or a response.
    Decision,
    /// The output is over its mark, or must drain before TLS. Write before going on; do not read.
    Flush,
}

/// Why a connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// The peer said QUIT and was answered.
    Quit,
    /// The peer closed its side and everything it had sent has been dealt with.
    Eof,
    /// A timer fired; [`Timer`](crate::Timer) names which.
    Timeout(crate::Timer),
    /// The embedder refused with `disconnect`.
    Refused,
    /// The embedder called `shutdown`.
    Shutdown,
    /// The peer broke the rules too often, or one that leaves no way to go on.
    Violations,
    /// Plaintext octets were left where TLS should have begun (RFC 3207 §4.2, §6).
    Residue,
    /// The TLS handshake failed.
    Abandoned,
    /// Client: the server answered 421, or nobody had asked it: it closes (RFC 5321 §3.8).
    Unavailable,
    /// Client: what the server sent is no reply, not one that may follow this command, or too long:
    /// who stands where is not known any more.
    Unintelligible,
    /// Client: you gave up in the middle of a body.
    Aborted,
}

/// Whether the stream is inside TLS when the machine starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Start {
    /// In clear text.
    Plain,
    /// Inside TLS, as on port 465 (RFC 8314 §3.3).
    Tls,
}
