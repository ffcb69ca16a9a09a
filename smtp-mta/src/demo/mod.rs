//! `smtp-mta demo`: the way of a message, shown on loopback.
//!
//! Two servers and a name server in this process. A message is submitted to the first for three
//! recipients: one is found by the DNS, one is handed on by LMTP, and one does not exist, which the
//! sender is told. Nothing but loopback is needed, and nothing stays.

mod servers;
mod story;
mod witness;
mod zone;

use crate::server::Refusal;
use clap::Args;
use servers::Server;
use std::{
    io::{self, Write},
    path::Path,
    time::Duration,
};
use story::Story;
use tempfile::TempDir;
use tokio::{signal::ctrl_c, time::timeout};
use witness::Witness;

/// How long all of it may take. A slow machine needs a second.
const PATIENCE: Duration = Duration::from_secs(30);

/// How it is to be done.
#[derive(Clone, Debug, Args)]
pub struct Demo {
    /// Keep the folders of the servers, and say where they are
    #[arg(long)]
    keep: bool,
}

impl Demo {
    /// Does it, and prints what happens as it happens.
    ///
    /// # Errors
    /// A sentence that says what went wrong; the log of the servers is on the standard error output
    /// then. It is an error as well if what was delivered differs from what was sent.
    pub async fn run(&self) -> Result<(), Refusal> {
        let folder = tempfile::Builder::new().prefix("smtp-mta-demo-").tempdir();
        let folder = folder
            .map_err(|error| Refusal(format!("cannot make a folder for the servers: {error}")))?;
        let (witness, events) = Witness::install();
        let mut story = Story::new(events);
        let told = tokio::select! {
            told = timeout(PATIENCE, story.tell(folder.path(), &witness)) => told.unwrap_or_else(|_| {
                let (seconds, left) = (PATIENCE.as_secs(), story.left());
                Err(Refusal(format!("after {seconds} seconds there is still nothing of {left}")))
            }),
            _ = ctrl_c() => Err(Refusal("stopped".into())),
        };
        let mut ended = told;
        for server in story.into_servers() {
            ended = ended.and(server.stop().await);
        }
        if ended.is_err() {
            let _ = io::stderr().write_all(witness.log().as_bytes());
        }
        ended.and(self.clear_away(folder))
    }

    fn clear_away(&self, folder: TempDir) -> Result<(), Refusal> {
        if self.keep {
            say(&format!("\nKept: {}", folder.keep().display()));
            return Ok(());
        }
        let path = folder.path().display().to_string();
        folder.close().map_err(|error| Refusal(format!("cannot remove {path}: {error}")))
    }
}

/// Prints a line at once. If the output is closed, the demonstration ends all the same.
fn say(line: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Prints `text` as a part of its own.
fn quote(text: &str) {
    for line in text.lines() {
        say(format!("    {line}").trim_end());
    }
}

/// `path` below the folder that all of it is in.
fn below(path: &Path, folder: &Path) -> String {
    path.strip_prefix(folder).unwrap_or(path).display().to_string()
}
