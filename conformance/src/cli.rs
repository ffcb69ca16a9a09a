//! The arguments of the command line.

use crate::garden_command::Garden;
use crate::packaging::Packaging;
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum, builder::PossibleValue};
use smtp_conformance::{
    client,
    profile::Profile,
    requirement::{Half, Level},
    runner,
    select::Selection,
    smuggling,
};
use std::{net::SocketAddr, num::NonZeroUsize, path::PathBuf, time::Duration};

/// Judges any SMTP server, and any SMTP client, black box, by the RFCs.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Exit codes: 0 pass, 1 fail, 2 usage or connection, 3 warnings with --deny warn"
)]
pub(crate) struct Arguments {
    /// What to do
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the cases against a server
    Server(Box<Server>),
    /// Run the cases against a client
    Client(Box<Client>),
    /// Try to smuggle messages through a server that relays, into the one that it relays to
    Smuggling(Box<Smuggling>),
    /// Look at a server and write a first target file; sends no message
    Probe(Probe),
    /// List the requirements
    List {
        /// Those of clients, in place of those of servers
        #[arg(long)]
        clients: bool,
        /// Which
        #[command(flatten)]
        filters: Filters,
    },
    /// Say what a requirement is, where it is written and why it matters
    Explain {
        /// Its id, or the beginning of some
        id: String,
    },
    /// Compare two reports: 0 if every verdict is the same, 1 if not
    Diff {
        /// The report before, as JSON
        before: PathBuf,
        /// The report after, as JSON
        after: PathBuf,
    },
    /// Put reports side by side, as one HTML page
    Matrix(Matrix),
    /// Say the same to many servers, and show who answers alone
    Garden(Box<Garden>),
    /// For those who make a package
    #[command(flatten)]
    Packaging(Packaging),
}

/// Put reports side by side: requirements down, servers (or clients) across.
#[derive(Debug, Args)]
pub(crate) struct Matrix {
    /// Reports as JSON, a column for each, in this order
    #[arg(value_name = "REPORT", required = true)]
    pub(crate) reports: Vec<PathBuf>,
    /// Where to write (`-`: to standard output)
    #[arg(long, short, value_name = "FILE", default_value = "matrix.html")]
    pub(crate) out: PathBuf,
    /// What nobody may see yet: [[withheld]] server, id
    #[arg(long, value_name = "FILE")]
    pub(crate) withhold: Option<PathBuf>,
}

/// Run the cases against a server.
#[derive(Debug, Args)]
pub(crate) struct Server {
    /// The server
    #[command(flatten)]
    pub(crate) told: Told,
    /// Which cases
    #[command(flatten)]
    pub(crate) filters: Filters,
    /// Cases at once
    #[arg(long, value_name = "N", default_value_t = runner::JOBS)]
    pub(crate) jobs: NonZeroUsize,
    /// Seconds to wait for a reply
    #[arg(long, value_name = "S", default_value = "10", value_parser = seconds)]
    pub(crate) timeout: Duration,
    /// Seconds to listen where nothing should come
    #[arg(long, value_name = "S", default_value = "0.5", value_parser = seconds)]
    pub(crate) pause: Duration,
    /// Makes the messages of this run its own; a new number otherwise
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Say which cases would run and how many messages they send, and connect to nobody
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// What is made of it
    #[command(flatten)]
    pub(crate) outputs: Outputs,
}

/// Run the cases against a client: `client [OPTIONS] -- COMMAND`, a sender file, or a client that a
/// person starts.
#[derive(Debug, Args)]
pub(crate) struct Client {
    /// The command that sends a message: its words, without a shell; {addr}, {host}, {port}, {from},
    /// {to}, {message} and others are put in
    #[arg(last = true, value_name = "COMMAND", required_unless_present_any = ["sender", "listen"])]
    pub(crate) command: Vec<String>,
    /// Read the commands from a file
    #[arg(long, value_name = "FILE", conflicts_with = "command")]
    pub(crate) sender: Option<PathBuf>,
    /// Listen here, for a client that you start by hand
    #[arg(long, value_name = "IP:PORT", conflicts_with_all = ["command", "sender"])]
    pub(crate) listen: Option<SocketAddr>,
    /// Its name and version, for reports: "curl 7.88.1"
    #[arg(long, value_name = "NAME")]
    pub(crate) software: Option<String>,
    /// An exit status that says: not sent, to be tried again; again for each
    #[arg(long, value_name = "N")]
    pub(crate) exit_temporary: Vec<i32>,
    /// An exit status that says: not sent, and never will be; again for each
    #[arg(long, value_name = "N")]
    pub(crate) exit_permanent: Vec<i32>,
    /// The command returns before the message is delivered: its status says nothing
    #[arg(long)]
    pub(crate) queues: bool,
    /// Seconds that a message may take; with --listen, seconds to wait for you [default: 20, 300]
    #[arg(long, value_name = "S", value_parser = seconds)]
    pub(crate) patience: Option<Duration>,
    /// Seconds to wait for a client that queues, to begin and to come again [default: 3]
    #[arg(long, value_name = "S", value_parser = seconds)]
    pub(crate) again: Option<Duration>,
    /// Which cases
    #[command(flatten)]
    pub(crate) filters: Filters,
    /// Cases at once; one where the client knows one server only
    #[arg(long, value_name = "N", default_value_t = client::JOBS)]
    pub(crate) jobs: NonZeroUsize,
    /// Makes the messages of this run its own; a new number otherwise
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// What is made of it
    #[command(flatten)]
    pub(crate) outputs: Outputs,
}

/// Try to smuggle messages through a server that relays, into the one that it relays to.
#[derive(Debug, Args)]
pub(crate) struct Smuggling {
    /// The target file of the server that relays; `capture` is where it relays to
    #[arg(value_name = "SENDER")]
    pub(crate) sender: PathBuf,
    /// The target file of the server that it shall relay to, with two mailboxes
    #[arg(value_name = "RECEIVER")]
    pub(crate) receiver: PathBuf,
    /// These servers are not on this machine: they are mine
    #[arg(long)]
    pub(crate) i_run_this_server: bool,
    /// Forms of a false end, by their names in the report; all of them otherwise
    #[arg(long, value_name = "FORM", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Messages handed over at once, and sessions with the receiver at once
    #[arg(long, value_name = "N", default_value_t = smuggling::JOBS)]
    pub(crate) jobs: NonZeroUsize,
    /// Seconds to wait for a reply of the sender
    #[arg(long, value_name = "S", default_value = "10", value_parser = seconds)]
    pub(crate) timeout: Duration,
    /// Seconds that a message may take to the mailbox
    #[arg(long, value_name = "S", default_value = "30", value_parser = seconds)]
    pub(crate) patience: Duration,
    /// Seconds to wait for a second message that should not come
    #[arg(long, value_name = "S", default_value = "1", value_parser = seconds)]
    pub(crate) pause: Duration,
    /// Makes the messages of this run its own; a new number otherwise
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Write the report as JSON (`-`: to standard output)
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Show the dialogues of all forms
    #[arg(long, short)]
    pub(crate) verbose: bool,
    /// Show the summary only
    #[arg(long, short, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Colours
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Colour,
}

/// What is made of a run.
#[derive(Debug, Args)]
#[command(next_help_heading = "Reports")]
pub(crate) struct Outputs {
    /// Deviations that are expected: [[deviation]] id, verdict, reason, until
    #[arg(long, value_name = "FILE")]
    pub(crate) expect: Option<PathBuf>,
    /// End with exit code 3 if there is this
    #[arg(long, value_name = "WHAT")]
    pub(crate) deny: Option<Deny>,
    /// Write the report as JSON (`-`: to standard output)
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write the report as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Write failures and warnings as SARIF, for code scanning
    #[arg(long, value_name = "FILE")]
    pub(crate) sarif: Option<PathBuf>,
    /// Write the report as one HTML page
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Show every row, and the dialogues of warnings too
    #[arg(long, short)]
    pub(crate) verbose: bool,
    /// Show the summary only
    #[arg(long, short, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Colours
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Colour,
}

/// What makes a run end with exit code 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Deny {
    /// A warning that was not expected
    Warn,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The server, and what its operator tells of it. A flag wins over the target file.
#[derive(Debug, Args)]
#[command(next_help_heading = "The server")]
pub(crate) struct Told {
    /// The listener that the run is about
    #[arg(value_name = "HOST:PORT")]
    pub(crate) address: Option<String>,
    /// Read all of this from a file
    #[arg(long, value_name = "FILE")]
    pub(crate) target: Option<PathBuf>,
    /// Run against a server that is not on this machine: it is mine
    #[arg(long)]
    pub(crate) i_run_this_server: bool,
    /// Its name and version, for reports: "Postfix 3.7.11"
    #[arg(long, value_name = "NAME")]
    pub(crate) software: Option<String>,
    /// The listener with TLS from the first octet
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) implicit_tls: Option<String>,
    /// The listener for submission
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) submission: Option<String>,
    /// The listener for LMTP
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) lmtp: Option<String>,
    /// A mailbox that exists; again for each
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) recipient: Vec<String>,
    /// An address in a local domain that does not exist
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) unknown: Option<String>,
    /// An address that a stranger must not be allowed to relay to
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) foreign: Option<String>,
    /// A recipient that is accepted and whose delivery fails later
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) failing: Option<String>,
    /// A name to authenticate with
    #[arg(long, value_name = "NAME", requires = "password")]
    pub(crate) user: Option<String>,
    /// Its password; dialogues show it, so take one for tests
    #[arg(
        long,
        value_name = "WORD",
        requires = "user",
        env = "SMTP_CONFORMANCE_PASSWORD",
        hide_env_values = true
    )]
    pub(crate) password: Option<String>,
    /// The name for SNI
    #[arg(long, value_name = "NAME")]
    pub(crate) tls_name: Option<String>,
    /// The Maildir of a recipient; again for each
    #[arg(long, value_name = "ADDRESS=FOLDER", value_parser = maildir, conflicts_with = "mailbox_command")]
    pub(crate) maildir: Vec<(String, PathBuf)>,
    /// A command that prints the messages of the address behind it as mbox; words split at spaces
    #[arg(long, value_name = "COMMAND")]
    pub(crate) mailbox_command: Option<String>,
    /// Where to listen for what the server relays to the suite, in place of looking into mailboxes
    #[arg(long, value_name = "IP:PORT", conflicts_with_all = ["mailbox_command", "maildir"])]
    pub(crate) capture: Option<SocketAddr>,
    /// The server trusts this machine: leave out the tests of strangers
    #[arg(long)]
    pub(crate) trusted: bool,
    /// The server takes mail only after AUTH: sign in first; a run finds out by itself
    #[arg(long)]
    pub(crate) sign_in: bool,
    /// The mailbox shows messages as they were received, without fields of the server's own
    #[arg(long)]
    pub(crate) as_received: bool,
    /// The server's process, whose memory may be watched
    #[arg(long, value_name = "N")]
    pub(crate) pid: Option<u32>,
    /// The server's log file
    #[arg(long, value_name = "FILE")]
    pub(crate) log: Option<PathBuf>,
}

/// Which requirements. Filters of one kind widen each other, those of two kinds narrow.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which requirements")]
pub(crate) struct Filters {
    /// Which requirements, and how they grade
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(crate) profile: Choice,
    /// Ids: beginnings, or globs
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Ids to leave out
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub(crate) without: Vec<String>,
    /// Families: SEQ, SEC-TLS
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) family: Vec<String>,
    /// Sections with those below: 4.1, 5321:4.1
    #[arg(long, value_name = "N", value_delimiter = ',')]
    pub(crate) section: Vec<String>,
    /// RFC numbers
    #[arg(long, value_name = "N", value_delimiter = ',')]
    pub(crate) rfc: Vec<u16>,
    /// Levels
    #[arg(long, value_name = "LEVEL", value_delimiter = ',')]
    pub(crate) level: Vec<Strength>,
    /// Tags: security, dos, slow, submission, lmtp
    #[arg(long, value_name = "TAG", value_delimiter = ',')]
    pub(crate) tag: Vec<String>,
    /// Run also what may bring the server down
    #[arg(long)]
    pub(crate) dos: bool,
    /// Run also what takes minutes
    #[arg(long)]
    pub(crate) slow: bool,
}

/// A level, as it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Strength {
    /// MUST and MUST NOT
    Must,
    /// SHOULD and SHOULD NOT
    Should,
    /// MAY
    May,
}

/// A profile, as it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Choice(pub(crate) Profile);

impl ValueEnum for Choice {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [Choice; 6] = {
            let [a, b, c, d, e, f] = Profile::ALL;
            [Choice(a), Choice(b), Choice(c), Choice(d), Choice(e), Choice(f)]
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.as_str()).help(self.0.about()))
    }
}

/// Look at a server.
#[derive(Debug, Args)]
pub(crate) struct Probe {
    /// The server
    #[arg(value_name = "HOST:PORT")]
    pub(crate) address: String,
    /// Where to write (`-`: to standard output)
    #[arg(long, short, value_name = "FILE", default_value = "target.toml")]
    pub(crate) output: PathBuf,
    /// Write over a file that is there
    #[arg(long)]
    pub(crate) force: bool,
    /// Look at a server that is not on this machine: it is mine
    #[arg(long)]
    pub(crate) i_run_this_server: bool,
    /// Greet with LHLO
    #[arg(long, action = ArgAction::SetTrue)]
    pub(crate) lmtp: bool,
    /// Seconds to wait for a reply
    #[arg(long, value_name = "S", default_value = "30", value_parser = seconds)]
    pub(crate) timeout: Duration,
}

pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    let time = Duration::try_from_secs_f64(number).map_err(|error| error.to_string())?;
    if time.is_zero() { Err("more than 0, please".to_owned()) } else { Ok(time) }
}

fn maildir(text: &str) -> Result<(String, PathBuf), String> {
    let (address, folder) = text.split_once('=').ok_or("ADDRESS=FOLDER, please")?;
    Ok((address.to_owned(), folder.into()))
}

impl Filters {
    /// The selection from the catalogue of `half`.
    pub(crate) fn selection(&self, half: Half) -> Selection {
        let levels = self.level.iter().map(|strength| match strength {
            Strength::Must => Level::Must,
            Strength::Should => Level::Should,
            Strength::May => Level::May,
        });
        Selection {
            half,
            profile: self.profile.0,
            ids: self.only.clone(),
            without: self.without.clone(),
            families: self.family.clone(),
            sections: self.section.clone(),
            rfcs: self.rfc.clone(),
            levels: levels.collect(),
            tags: self.tag.clone(),
            dos: self.dos,
            slow: self.slow,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_flag_stands_in_the_manual() {
        let manual = [
            include_str!("../../docs/manual/conformance.md"),
            include_str!("../../docs/manual/garden.md"),
        ]
        .concat();
        for command in Arguments::command().get_subcommands() {
            for flag in command.get_arguments().filter_map(clap::Arg::get_long) {
                assert!(
                    manual.contains(&format!("--{flag}")),
                    "--{flag} of {}",
                    command.get_name()
                );
            }
        }
    }
}
