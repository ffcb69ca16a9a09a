//! What a client may do and few clients do: no case may blame it for that.

/// A habit that breaks no rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Habit {
    /// Writes its commands in small letters.
    SmallLetters,
    /// Sends octet by octet.
    Octets,
    /// Says NOOP, RSET and VRFY where nobody asked for them.
    Chatty,
    /// Knows SIZE, 8BITMIME and SMTPUTF8, and neither PIPELINING nor CHUNKING.
    OneByOne,
    /// Opens a connection for each recipient.
    Apart,
    /// Puts trace and other fields in front of the message.
    OwnFields,
    /// Signs in by LOGIN where it can.
    Login,
}

impl Habit {
    /// All of them.
    pub(crate) const ALL: [Self; 7] = [
        Self::SmallLetters,
        Self::Octets,
        Self::Chatty,
        Self::OneByOne,
        Self::Apart,
        Self::OwnFields,
        Self::Login,
    ];
}
