//! Messages between their acceptance and the end of the last attempt.
//!
//! A message has recipients, and each of them is in one [`State`]. When all are final, the message
//! leaves the queue together with the arrival of what there is to report about it.
//!
//! ```text
//! spool -> enqueue -> expanded
//!                  -> waiting <-> held
//!                       |  ^
//!                attempt|  |settle: later
//!                       v  |
//!                     (lane) -> settle: delivered | relayed | failed -> gone
//! ```

mod body;
mod error;
mod filter;
#[cfg(test)]
mod full_disk;
mod job;
mod open;
mod reader;
mod recent;
mod room;
mod row;
mod sqlite;
mod timestamp;
mod types;
mod writer;

pub use body::StoredBody;
pub use error::{Full, QueueError};
pub use filter::Filter;
pub use sqlite::{Cursor, Options, Settled, SqliteQueue, Totals};
pub use timestamp::Timestamp;
pub use types::{
    Attempt, Change, Entry, Envelope, Final, NewMessage, NewRecipient, Recipient, Settlement, State,
};
