//! `smtp-mta queue`: what waits, from the command line.

use super::{
    client::{Client, Trouble},
    printable::{self, Pieces},
    protocol::{Change, Done, Message, Selection, Totals},
    section::Section,
    text::{Count, HEAD, Row, Sum, Whole},
};
use crate::{
    message_id::MessageId,
    queue::{Options, State, Timestamp},
    retry::parse_time,
};
use clap::{Args, Subcommand};
use serde::Serialize;
use std::{
    collections::HashSet,
    io::{self, IsTerminal, Write},
    path::Path,
    process::ExitCode,
    time::Duration,
};

/// Exit status: there was nothing to change.
const NOTHING: u8 = 3;

/// What can be done with the messages that wait. A server that runs does it; if none does, the
/// command itself.
///
/// Exit status: 0 done, 1 an error, 2 wrong arguments, 3 there was nothing to change, or not in all
/// the messages that were named.
#[derive(Debug, Subcommand)]
pub enum QueueCommand {
    /// Print what is in the queue, the oldest first
    List {
        /// Which
        #[command(flatten)]
        which: Which,
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Print one message: its envelope and how far each recipient is, or its octets
    Show {
        /// The name of the message
        id: MessageId,
        /// Print the header as it is, and no envelope
        #[arg(long)]
        headers: bool,
        /// Print the body as it is, and no envelope
        #[arg(long)]
        body: bool,
        /// Print a JSON object
        #[arg(long, conflicts_with_all = ["headers", "body"])]
        json: bool,
    },
    /// Try now what waits, even where a destination is left alone after failures
    Retry(ChangeArguments),
    /// Attempt no delivery until it is released
    Hold(ChangeArguments),
    /// Deliver again what is held, and now
    Release(ChangeArguments),
    /// Remove messages, for all their recipients; nobody is told
    Delete(ChangeArguments),
}

/// Which messages. All that is given must apply.
#[derive(Debug, Args)]
pub struct Which {
    /// Names of messages
    #[arg(value_name = "ID")]
    ids: Vec<MessageId>,
    /// From this address or domain; `*` stands for anything, `<>` is the null sender
    #[arg(long, value_name = "ADDRESS")]
    from: Option<String>,
    /// For this address or domain; `*` stands for anything
    #[arg(long, value_name = "ADDRESS")]
    to: Option<String>,
    /// With a recipient that is `waiting` or `held`
    #[arg(long)]
    state: Option<State>,
    /// That came before this time: 30s, 5m, 4h, 2d
    #[arg(long, value_name = "TIME", value_parser = time)]
    older_than: Option<Duration>,
}

/// Which messages are changed.
#[derive(Debug, Args)]
pub struct ChangeArguments {
    #[command(flatten)]
    which: Which,
    /// All messages in the queue
    #[arg(long, required_unless_present_any = FILTERS, conflicts_with_all = FILTERS)]
    all: bool,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

const FILTERS: [&str; 5] = ["ids", "from", "to", "state", "older_than"];

fn time(text: &str) -> Result<Duration, &'static str> {
    parse_time(text).ok_or("not a time such as `30s`, `5m`, `4h` or `2d`")
}

impl Which {
    fn selection(&self, now: Timestamp) -> Selection {
        Selection {
            ids: self.ids.clone(),
            from: self.from.clone(),
            to: self.to.clone(),
            state: self.state,
            before: self.older_than.map(|time| now - time),
        }
    }
}

impl QueueCommand {
    /// Does it, in the data folder `data` whose queue has these options.
    ///
    /// # Errors
    /// A plain sentence.
    pub fn run(&self, data: &Path, options: Options) -> Result<ExitCode, String> {
        let mut client = Client::new(data.to_owned(), options)?;
        let out = &mut io::stdout().lock();
        let done = match self {
            Self::List { which, json } => list(&mut client, which, *json, out),
            Self::Show { id, headers, body, json } if *headers || *body => {
                debug_assert!(!json, "clap refuses it");
                octets(&mut client, *id, Section::new(*headers, *body), out)
            }
            Self::Show { id, json, .. } => show(&mut client, *id, *json, out),
            Self::Retry(arguments) => change(&mut client, Change::Retry, arguments, out),
            Self::Hold(arguments) => change(&mut client, Change::Hold, arguments, out),
            Self::Release(arguments) => change(&mut client, Change::Release, arguments, out),
            Self::Delete(arguments) => change(&mut client, Change::Delete, arguments, out),
        };
        match done.and_then(|code| out.flush().map(|()| code).map_err(Trouble::Output)) {
            Ok(code) => Ok(code),
            // As by `| head`: it has what it wants.
            Err(Trouble::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                Ok(ExitCode::SUCCESS)
            }
            Err(Trouble::Output(error)) => Err(format!("cannot write: {error}")),
            Err(Trouble::Cut(error)) => Err(format!("the server has gone: {error}")),
            Err(Trouble::Refused(sentence)) => Err(sentence),
        }
    }
}

fn list(
    client: &mut Client,
    which: &Which,
    json: bool,
    out: &mut impl Write,
) -> Result<ExitCode, Trouble> {
    let now = Timestamp::now();
    let filter = which.selection(now);
    let mut totals = Totals::default();
    client.list(&filter, |message| {
        if json {
            return write_json(out, &message);
        }
        if totals.messages == 0 {
            out.write_all(HEAD.as_bytes())?;
        }
        count(&mut totals, &message);
        write!(out, "{}", Row(&message, now))
    })?;
    if !json {
        let sum = match totals.messages {
            0 if filter == Selection::default() => "the queue is empty".into(),
            0 => "no message matches".into(),
            _ => Sum(&totals, now).to_string(),
        };
        writeln!(out, "{sum}").map_err(Trouble::Output)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn count(totals: &mut Totals, message: &Message) {
    let are = |state| message.recipients.iter().filter(|it| it.state == state).count() as u64;
    totals.messages += 1;
    totals.size += message.size;
    totals.waiting += are(State::Waiting);
    totals.held += are(State::Held);
    let before = totals.oldest.unwrap_or(message.received);
    totals.oldest = Some(before.min(message.received));
}

fn show(
    client: &mut Client,
    id: MessageId,
    json: bool,
    out: &mut impl Write,
) -> Result<ExitCode, Trouble> {
    let message = client.show(id)?;
    if json {
        write_json(out, &message)
    } else {
        write!(out, "{}", Whole(&message, Timestamp::now()))
    }
    .map_err(Trouble::Output)?;
    Ok(ExitCode::SUCCESS)
}

fn octets(
    client: &mut Client,
    id: MessageId,
    mut section: Section,
    out: &mut (impl Write + IsTerminal),
) -> Result<ExitCode, Trouble> {
    let mut pieces = out.is_terminal().then(Pieces::default);
    client.body(id, |octets| {
        let (part, more) = section.next(octets);
        match &mut pieces {
            Some(pieces) => out.write_all(pieces.next(part).as_bytes())?,
            None => out.write_all(part)?,
        }
        Ok(more)
    })?;
    if let Some(pieces) = pieces {
        out.write_all(pieces.end().as_bytes()).map_err(Trouble::Output)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn change(
    client: &mut Client,
    change: Change,
    ChangeArguments { which, json, .. }: &ChangeArguments,
    out: &mut impl Write,
) -> Result<ExitCode, Trouble> {
    let (changed, done) = client.change(change, &which.selection(Timestamp::now()))?;
    let Done { messages, recipients, .. } = done;
    let changed: HashSet<_> = changed.into_iter().collect();
    let missing: Vec<_> = which.ids.iter().filter(|id| !changed.contains(id)).collect();
    for id in &missing {
        // If the error output is closed, there is nobody to tell.
        let _ = writeln!(io::stderr(), "smtp-mta: {id}: {}", nothing(change));
    }
    if *json {
        #[derive(Serialize)]
        struct Changed {
            messages: u64,
            recipients: u64,
        }
        write_json(out, &Changed { messages, recipients })
    } else if messages == 0 && missing.is_empty() {
        writeln!(out, "no message matches")
    } else {
        let recipients = match change {
            Change::Delete => String::new(),
            _ => format!(" ({})", Count(recipients, "recipient")),
        };
        writeln!(out, "{} {}{recipients}", Count(messages, "message"), done_to(change))
    }
    .map_err(Trouble::Output)?;
    let all = messages > 0 && missing.is_empty();
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::from(NOTHING) })
}

fn done_to(change: Change) -> &'static str {
    match change {
        Change::Hold => "held",
        Change::Release => "released",
        Change::Retry => "will be tried now",
        Change::Delete => "deleted",
    }
}

fn nothing(change: Change) -> &'static str {
    match change {
        Change::Hold | Change::Retry => "not in the queue, or no recipient is waiting",
        Change::Release => "not in the queue, or no recipient is held",
        Change::Delete => "not in the queue, or the filter leaves it out",
    }
}

fn write_json(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    writeln!(out, "{}", printable::json(&serde_json::to_string(value)?))
}
