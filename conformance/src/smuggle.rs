//! `smtp-conformance smuggling`: the target files of two servers, a tap between them, and the report.

use crate::{FAIL, Stop, cli::Smuggling, command_line, new_seed, print, told, write};
use smtp_conformance::{
    capture,
    cooperation::Mailbox,
    expect::Date,
    profile::Profile,
    report::text::Style,
    smuggling::{
        self, Document, Pair, Passed, Received, Row, Server, Tap,
        form::{FORMS, Form},
    },
    target::{Described, Refused},
    tester,
};
use std::{
    io::{self, Write},
    path::Path,
    time::Instant,
};

/// Runs all forms; the exit code.
pub(crate) fn smuggle(arguments: &Smuggling, colour: bool) -> Result<u8, Stop> {
    let forms = forms(&arguments.only)?;
    let sender = told::target_file(&arguments.sender).map_err(Stop)?;
    let receiver = told::target_file(&arguments.receiver).map_err(Stop)?;
    let (servers, seed) = ([named(&sender)?, named(&receiver)?], arguments.seed);
    let pair = pair(arguments, sender, receiver, seed.unwrap_or_else(new_seed))?;
    let began = Instant::now();
    arrives(&pair.check()?)?;
    let results = pair.run(&forms, arguments.jobs)?;
    let [sender, receiver] = servers;
    let document = Document {
        schema: smuggling::SCHEMA,
        suite: env!("CARGO_PKG_VERSION"),
        sender,
        receiver,
        date: Date::today().to_string(),
        seed: pair.sender.seed,
        command: command_line::again(std::env::args().skip(1)),
        milliseconds: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        results,
    };
    let style = Style { colour, verbose: arguments.verbose };
    let text = smuggling::text(&document, style, arguments.quiet);
    match arguments.json.as_deref() {
        Some(path) if path == Path::new("-") => {
            print(&smuggling::json(&document)?);
            let _gone: io::Result<()> = io::stderr().write_all(text.as_bytes());
        }
        Some(path) => {
            write(path, &smuggling::json(&document)?)?;
            print(&text);
        }
        None => print(&text),
    }
    Ok(if document.is_red() { FAIL } else { 0 })
}

fn forms(names: &[String]) -> Result<Vec<Form>, Stop> {
    if names.is_empty() {
        return Ok(FORMS.to_vec());
    }
    let by_name = |name: &String| {
        let form = FORMS.iter().find(|form| form.name.eq_ignore_ascii_case(name.trim()));
        let all = || FORMS.iter().map(|form| form.name).collect::<Vec<_>>().join(", ");
        form.copied()
            .ok_or_else(|| Stop(format!("no form is called \"{name}\"; there are {}", all())))
    };
    names.iter().map(by_name).collect()
}

fn named(server: &Described) -> Result<Server, Stop> {
    let address = server.address.clone().ok_or(Refused::Nowhere)?;
    Ok(Server { address, software: server.cooperation.software.clone().unwrap_or_default() })
}

fn pair(
    arguments: &Smuggling,
    sender: Described,
    receiver: Described,
    seed: u64,
) -> Result<Pair, Stop> {
    let own = arguments.i_run_this_server;
    let resolve = |server: &Described| server.resolve(Profile::Default, arguments.timeout, own);
    let (target, address) = (resolve(&sender)?, resolve(&receiver)?.main);
    let Some(Mailbox::Capture(relays_to)) = sender.cooperation.mailbox else {
        let name = arguments.sender.display();
        return Err(Stop(format!(
            "{name} does not say where the server relays to: [mailbox] capture = \"IP:PORT\""
        )));
    };
    let told = receiver.cooperation;
    let (Some(mailbox), [recipient, smuggled_recipient, ..]) = (told.mailbox, &told.recipients[..])
    else {
        let name = arguments.receiver.display();
        return Err(Stop(format!("{name} needs two recipients, and a mailbox to look into")));
    };
    if let Mailbox::Capture(address) = mailbox {
        capture::listen(address)
            .map_err(|error| Stop(format!("cannot listen on {address}: {error}")))?;
    }
    let tap = Tap::listen(relays_to, address, arguments.jobs, arguments.patience)
        .map_err(|error| Stop(format!("cannot listen on {relays_to}: {error}")))?;
    Ok(Pair {
        tap,
        mailbox,
        recipient: recipient.clone(),
        smuggled_recipient: smuggled_recipient.clone(),
        patience: arguments.patience,
        sender: tester::Run {
            port: Profile::Default.port(),
            target: Box::new(target),
            cooperation: sender.cooperation,
            patience: arguments.timeout,
            pause: arguments.pause,
            seed,
            strict: false,
            minute: tester::MINUTE,
        },
    })
}

/// The first message of a run must arrive: otherwise no form says anything.
fn arrives(row: &Row) -> Result<(), Stop> {
    if matches!(row.receiver, Received::Whole | Received::Altered(_)) {
        return Ok(());
    }
    let why = match &row.sender {
        Passed::NotRelayed => "the sender took it, and did not relay it to `capture`".to_owned(),
        _ if row.receiver == Received::NotReached => format!("the sender: {}", row.sender),
        _ => format!("the receiver: {}", row.receiver),
    };
    Err(Stop(format!("a message with nothing odd in it did not arrive: {why}")))
}
