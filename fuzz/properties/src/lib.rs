//! What must hold on any input whatever.
//!
//! Each function is one property and the body of the fuzz target of the same name; it panics when
//! the property does not hold. `tests/corpora.rs` runs them over the committed corpora, so that
//! every input that ever mattered is replayed by `cargo test`, without a fuzzer.

mod bdat;
mod client_session;
mod command;
mod decisions;
mod dot_oracle;
mod dsn;
pub mod embedder;
mod encode;
mod pair;
mod path;
mod proxy;
mod reference;
mod replies;
mod reply;
mod sasl;
mod server_session;
mod split;

pub use bdat::bdat;
pub use client_session::client_session;
pub use command::command;
pub use decisions::decisions;
pub use dot_oracle::dot_oracle;
pub use dsn::dsn;
pub use encode::encode;
pub use pair::pair;
pub use path::path;
pub use proxy::proxy;
pub use reply::reply;
pub use sasl::sasl;
pub use server_session::server_session;
pub use split::split;
