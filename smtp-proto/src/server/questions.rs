//! The questions that are open, and the order of replies.

/// What a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind { Connect, Hello, StartTls, Handshake, Auth, Mail, Rcpt, Data, Message, Delivery, Verify, Expand, Command }
