//! What the machine tells its embedder.

use crate::{
    secret::Secret,
    wire::{Base64, Reply},
};

/// A command that was given to the machine; unique within its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(pub(super) u32);

/// Something that the server did. Replies come in the order of their commands.
///
/// Events borrow the input they were parsed from, never the machine.
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientEvent<'b> {
    /// The greeting (RFC 5321 §3.1): 220, or a refusal.
    Greeting(Reply<'b>),
    /// The reply that ends a command. A positive one to EHLO: see
    /// [`capabilities`](super::ClientConnection::capabilities). A 354 to DATA, once at least one
    /// recipient was accepted: the octets of the message are wanted.
    Reply {
        /// The command.
        id: CommandId,
        /// Its reply.
        reply: Reply<'b>,
    },
    /// A 334 (RFC 4954 §4): answer with [`respond`](super::ClientConnection::respond) or
    /// [`cancel`](super::ClientConnection::cancel).
    Challenge {
        /// The AUTH.
        id: CommandId,
        /// The challenge; `None` if it is not base64, which can only be cancelled.
        data: Option<Secret<Base64<'b>>>,
    },
    /// LMTP: the reply for one accepted recipient, at the end of the message (RFC 2033 §4.2).
    Delivery {
        /// The end of the message: the id of `end_body`, or of the last BDAT.
        id: CommandId,
        /// Which recipient, counted from 0 among those accepted, in the order of their RCPT.
        index: u32,
        /// What became of it.
        reply: Reply<'b>,
    },
    /// The command was never sent, since one before it failed: RCPT or DATA after a refused MAIL,
    /// DATA or BDAT after every RCPT was refused.
    Skipped(CommandId),
    /// STARTTLS was accepted and all plaintext is written and read. Do the handshake, then
    /// [`establish`](super::ClientConnection::establish) or
    /// [`abandon`](super::ClientConnection::abandon).
    Handshake,
    /// A reply that no command had asked for, such as 421 (§3.8). The connection is over.
    Unsolicited(Reply<'b>),
}

impl ClientEvent<'_> {
    /// The same event, owned.
    pub fn into_static(self) -> ClientEvent<'static> {
        use ClientEvent::{Challenge, Delivery, Greeting, Handshake, Reply, Skipped, Unsolicited};
        match self {
            Greeting(reply) => Greeting(reply.into_static()),
            Reply { id, reply } => Reply { id, reply: reply.into_static() },
            Challenge { id, data } => {
                let owned = |data: Secret<Base64<'_>>| Secret::new(data.into_inner().into_static());
                Challenge { id, data: data.map(owned) }
            }
            Delivery { id, index, reply } => Delivery { id, index, reply: reply.into_static() },
            Skipped(id) => Skipped(id),
            Handshake => Handshake,
            Unsolicited(reply) => Unsolicited(reply.into_static()),
        }
    }
}
