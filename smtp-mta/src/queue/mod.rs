//! Messages between their acceptance and the end of the last attempt.
//!
//! A message has recipients, and each of them is in one [`State`]. When all are final, the message
//! leaves the queue together with the arrival of what there is to report about it.

mod timestamp;
mod types;

pub use timestamp::Timestamp;
pub use types::{
    Attempt, Change, Entry, Envelope, Final, NewMessage, NewRecipient, Recipient, Settlement, State,
};
