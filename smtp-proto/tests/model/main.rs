//! The machines beside slow and obvious models, which are written from the RFCs and know nothing of
//! `smtp-proto`: whatever the peer sends, whenever it comes, and whatever the embedder decides.
//!
//! A failure shrinks to a short dialogue, which is printed. `PROPTEST_CASES` sets how many are tried.

#![allow(clippy::unwrap_used, clippy::panic, reason = "this is how a test fails")]

mod client;
mod client_model;
mod client_script;
mod server;
mod server_machine;
mod server_model;
mod server_script;

#[test]
fn the_models_know_nothing_of_the_machines() {
    for (file, text) in [
        ("client_model/commands.rs", include_str!("client_model/commands.rs")),
        ("client_model/mod.rs", include_str!("client_model/mod.rs")),
        ("client_model/replies.rs", include_str!("client_model/replies.rs")),
        ("server_model/answers.rs", include_str!("server_model/answers.rs")),
        ("server_model/body.rs", include_str!("server_model/body.rs")),
        ("server_model/commands.rs", include_str!("server_model/commands.rs")),
        ("server_model/mod.rs", include_str!("server_model/mod.rs")),
        ("server_model/setup.rs", include_str!("server_model/setup.rs")),
    ] {
        assert!(!text.contains("smtp_proto"), "{file}");
    }
}
