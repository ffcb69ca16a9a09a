//! `smtp-conformance`: judges an SMTP server or an SMTP client, and says what it found.

#![forbid(unsafe_code)]

mod cli;
mod client_told;
mod command_line;
mod garden_command;
mod packaging;
mod preflight;
mod smuggle;
mod told;

use clap::{CommandFactory, Parser};
use cli::{Arguments, Colour, Command, Deny, Filters, Outputs, Server};
use indicatif::{ProgressBar, ProgressStyle};
use smtp_conformance::{
    capture, case,
    client::{self, sender::Fixed},
    cooperation::Mailbox,
    diff::Difference,
    dns::{NameServer, Zone},
    expect::{Date, Expected},
    explain,
    matrix::{self, Matrix, withheld::Withheld},
    probe,
    report::{Document, Status, Subject, html, json, junit, sarif, text},
    requirement::Half,
    runner::{self, Task},
    select::Selection,
    target::Refused,
    tester::{self, Run},
};
use std::{
    fs,
    io::{self, IsTerminal, Write},
    net::SocketAddr,
    num::NonZeroUsize,
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

/// Why there is no verdict, in words: exit code 2.
struct Stop(String);

impl<E: std::error::Error> From<E> for Stop {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// A run in which something is broken.
const FAIL: u8 = 1;
/// A run that did not take place.
const USAGE: u8 = 2;
/// A run with warnings that were denied.
const DENIED: u8 = 3;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ended = match arguments.command {
        Command::Server(server) => judge(&server),
        Command::Smuggling(pair) => {
            let no_color = std::env::var_os("NO_COLOR");
            let terminal = io::stdout().is_terminal();
            smuggle::smuggle(&pair, coloured(pair.color, terminal, no_color.as_deref()))
        }
        Command::Probe(probe) => look(&probe),
        Command::Client(client) => judge_client(&client),
        Command::List { clients, filters } => list(&filters, clients),
        Command::Explain { id } => explain::explain(&id).map_err(Stop).map(|text| {
            print(&text);
            0
        }),
        Command::Diff { before, after } => compare(&before, &after),
        Command::Matrix(matrix) => side_by_side(&matrix),
        Command::Packaging(asked) => {
            asked.run(Arguments::command()).map(|()| 0).map_err(Stop::from)
        }
        Command::Garden(garden) => garden_command::run(&garden),
    };
    match ended {
        Ok(code) => ExitCode::from(code),
        Err(Stop(why)) => {
            eprintln!("smtp-conformance: {why}");
            ExitCode::from(USAGE)
        }
    }
}

/// To standard output; a reader that has gone is no error.
fn print(text: &str) {
    let _gone: io::Result<()> = io::stdout().lock().write_all(text.as_bytes());
}

fn list(filters: &Filters, clients: bool) -> Result<u8, Stop> {
    if clients {
        let selection = chosen(filters, Half::Client)?;
        print(&explain::list(&client::plan(&selection), selection.profile));
    } else {
        let selection = chosen(filters, Half::Server)?;
        print(&explain::list(&runner::plan(&selection), selection.profile));
    }
    Ok(0)
}

fn chosen(filters: &Filters, half: Half) -> Result<Selection, Stop> {
    let selection = filters.selection(half);
    if let Some(filter) = selection.empty_filter() {
        return Err(Stop(format!("no requirement fits \"{filter}\"; try `smtp-conformance list`")));
    }
    if selection.requirements().is_empty() {
        return Err(Stop("the filters together leave no requirement".into()));
    }
    Ok(selection)
}

fn read_report(path: &Path) -> Result<Document, Stop> {
    let text = fs::read_to_string(path).map_err(|e| Stop(format!("{}: {e}", path.display())))?;
    json::read(&text).map_err(|e| Stop(format!("{}: {e}", path.display())))
}

fn compare(before: &Path, after: &Path) -> Result<u8, Stop> {
    let difference = Difference::between(&read_report(before)?, &read_report(after)?);
    print(&difference.to_string());
    Ok(if difference.is_empty() { 0 } else { FAIL })
}

fn side_by_side(arguments: &cli::Matrix) -> Result<u8, Stop> {
    let withheld = match &arguments.withhold {
        None => Withheld::default(),
        Some(path) => {
            let failed = |e: &dyn std::fmt::Display| Stop(format!("{}: {e}", path.display()));
            let text = fs::read_to_string(path).map_err(|error| failed(&error))?;
            Withheld::read(&text).map_err(|error| failed(&error))?
        }
    };
    let mut reports = Vec::new();
    for path in &arguments.reports {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        reports.push((stem, read_report(path)?));
    }
    let page = matrix::html::write(&Matrix::new(reports, &withheld)?);
    if arguments.out == Path::new("-") {
        print(&page);
    } else {
        write(&arguments.out, &page)?;
    }
    Ok(0)
}

fn look(arguments: &cli::Probe) -> Result<u8, Stop> {
    let output = (arguments.output != Path::new("-")).then_some(&arguments.output);
    if let Some(path) = output.filter(|path| path.exists() && !arguments.force) {
        return Err(Stop(format!("{} is there; --force writes over it", path.display())));
    }
    let own = arguments.i_run_this_server;
    let seen = probe::probe(&arguments.address, arguments.lmtp, own, arguments.timeout)?;
    match output {
        None => print(&seen.file),
        Some(path) => {
            write(path, &seen.file)?;
            print(&format!("{}wrote {}\n", seen.summary, path.display()));
        }
    }
    Ok(0)
}

fn write(path: &Path, text: &str) -> Result<(), Stop> {
    fs::write(path, text).map_err(|error| Stop(format!("{}: {error}", path.display())))
}

fn judge(arguments: &Server) -> Result<u8, Stop> {
    let selection = chosen(&arguments.filters, Half::Server)?;
    let expected = arguments.outputs.expect.as_deref().map(read_expected).transpose()?;
    let described = arguments.told.described().map_err(Stop)?;
    let tasks = runner::plan(&selection);
    if arguments.dry_run {
        print(&explain::dry_run(&tasks, &described.cooperation, selection.profile));
        return Ok(0);
    }
    let server = described.address.clone().ok_or(Refused::Nowhere)?;
    let own = arguments.told.i_run_this_server;
    let target = described.resolve(selection.profile, arguments.timeout, own)?;
    let mut greeted = preflight::greet(&target, selection.profile.port(), arguments.timeout)?;
    let mut cooperation = described.cooperation;
    if greeted.wants_auth && !cooperation.sign_in {
        cooperation.sign_in = cooperation.credentials.is_some();
        let remark = match cooperation.credentials {
            Some(_) => "MAIL is refused with 530, so sessions sign in first",
            None => "MAIL is refused with 530: give --user and --password to test more",
        };
        greeted.remarks.push(remark.into());
    }
    let subject = Subject {
        half: Half::Server,
        server,
        software: cooperation.software.clone().unwrap_or_default(),
        file: named(arguments.told.target.as_deref()),
        date: Date::today().to_string(),
        greeting: greeted.greeting,
        profile: selection.profile,
        seed: arguments.seed.unwrap_or_else(new_seed),
        command: command_line::again(std::env::args().skip(1)),
        remarks: greeted.remarks,
    };
    let run = Run {
        target: Box::new(target),
        cooperation,
        patience: greeted.patience,
        pause: arguments.pause,
        port: selection.profile.port(),
        seed: subject.seed,
        strict: selection.profile.is_strict(),
        minute: tester::MINUTE,
    };
    let _answers = run.cooperation.dns.map(name_server).transpose()?;
    if let Some(Mailbox::Capture(address)) = run.cooperation.mailbox {
        capture::listen(address)
            .map_err(|error| Stop(format!("cannot listen on {address}: {error}")))?;
    }
    preflight::check_mailbox(&run)?;
    let began = Instant::now();
    let reports = run_with_bar(&tasks, |progress| {
        runner::run_jobs(&run, &selection, arguments.jobs, progress)
    });
    let mut document = Document::new(subject, reports, began.elapsed());
    if let Some(expected) = expected {
        expected.apply(&mut document, Date::today());
    }
    tell(&document, &arguments.outputs)?;
    if !preflight::answers(&run) {
        let text = "after the run the server takes no connection, or says nothing: did it crash? \
                    Cases that could not connect are inconclusive";
        return Err(Stop(text.into()));
    }
    Ok(exit_code(&document, &arguments.outputs))
}

/// Answers what the server asks, until it is dropped.
fn name_server(address: SocketAddr) -> Result<NameServer, Stop> {
    NameServer::start(Zone::for_servers(), Some(address))
        .map_err(|error| Stop(format!("cannot listen on {address} for names: {error}")))
}

fn judge_client(arguments: &cli::Client) -> Result<u8, Stop> {
    let selection = chosen(&arguments.filters, Half::Client)?;
    let expected = arguments.outputs.expect.as_deref().map(read_expected).transpose()?;
    let client_told::Described { name, software, sender } = arguments.described().map_err(Stop)?;
    let subject = Subject {
        half: Half::Client,
        server: name,
        software,
        file: named(arguments.sender.as_deref()),
        date: Date::today().to_string(),
        greeting: String::new(),
        profile: selection.profile,
        seed: arguments.seed.unwrap_or_else(new_seed),
        command: command_line::again(std::env::args().skip(1)),
        remarks: Vec::new(),
    };
    let one_by_one = sender.fixed() != Fixed::default();
    let jobs = if one_by_one { NonZeroUsize::MIN } else { arguments.jobs };
    let identity = Arc::new(client::identity::Identity::new()?);
    let strict = selection.profile.is_strict();
    let run =
        client::trial::Run { strict, ..client::trial::Run::new(sender, identity, subject.seed) };
    let tasks = client::plan(&selection);
    let began = Instant::now();
    let reports = run_with_bar(&tasks, |progress| {
        runner::run_tasks(&tasks, jobs, &|case| client::run(case, &run), progress)
    });
    let mut document = Document::new(subject, reports, began.elapsed());
    if let Some(expected) = expected {
        expected.apply(&mut document, Date::today());
    }
    tell(&document, &arguments.outputs)?;
    Ok(exit_code(&document, &arguments.outputs))
}

fn exit_code(document: &Document, outputs: &Outputs) -> u8 {
    let warnings = document.unexpected(Status::Warn).count();
    if document.is_red() {
        FAIL
    } else if outputs.deny == Some(Deny::Warn) && warnings > 0 {
        eprintln!("smtp-conformance: {warnings} warnings are denied");
        DENIED
    } else {
        0
    }
}

fn read_expected(path: &Path) -> Result<Expected, Stop> {
    let failed = |error: &dyn std::fmt::Display| Stop(format!("{}: {error}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| failed(&error))?;
    Expected::read(&text).map_err(|error| failed(&error))
}

/// The file as it was named; empty if none was.
fn named(file: Option<&Path>) -> String {
    file.map(|path| path.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Microseconds since 1970: two runs that reach the same mailbox differ.
fn new_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_micros()).unwrap_or(u64::MAX)
}

fn run_with_bar<C>(
    tasks: &[Task<C>],
    run: impl FnOnce(&(dyn Fn(&case::Report) + Sync)) -> Vec<case::Report>,
) -> Vec<case::Report> {
    let count = tasks.iter().filter(|task| task.case.is_ok()).count();
    // It is drawn on standard error, and only if that is a terminal.
    let bar = ProgressBar::new(u64::try_from(count).unwrap_or(u64::MAX));
    let template = "{elapsed:>4} [{bar:30}] {pos}/{len} {wide_msg}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    let reports = run(&|report| {
        let status = Status::from(&report.verdict);
        bar.set_message(format!("{} {}", report.id, status));
        bar.inc(1);
    });
    bar.finish_and_clear();
    reports
}

fn tell(document: &Document, arguments: &Outputs) -> Result<(), Stop> {
    let dash = |path: &Option<std::path::PathBuf>| path.as_deref() == Some(Path::new("-"));
    let outputs = [
        (&arguments.json, json::write(document)?),
        (&arguments.junit, junit::write(document)),
        (&arguments.sarif, sarif::write(document)),
        (&arguments.html, html::write(document)),
    ];
    let taken = outputs.iter().any(|(path, _)| dash(path));
    for (path, text) in &outputs {
        match path {
            None => {}
            Some(_) if dash(path) => print(text),
            Some(path) => write(path, text)?,
        }
    }
    let out: &mut dyn Write = if taken { &mut io::stderr() } else { &mut io::stdout() };
    let terminal = if taken { io::stderr().is_terminal() } else { io::stdout().is_terminal() };
    let colour = coloured(arguments.color, terminal, std::env::var_os("NO_COLOR").as_deref());
    let style = text::Style { colour, verbose: arguments.verbose };
    let text =
        if arguments.quiet { text::summary(document, style) } else { text::write(document, style) };
    let _gone: io::Result<()> = out.write_all(text.as_bytes());
    Ok(())
}

/// <https://no-color.org>: set and not empty means none, unless a flag says otherwise.
fn coloured(when: Colour, terminal: bool, no_color: Option<&std::ffi::OsStr>) -> bool {
    match when {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto => terminal && no_color.is_none_or(std::ffi::OsStr::is_empty),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_color_counts_unless_a_flag_says_otherwise() {
        let set = Some("1".as_ref());
        assert!(
            coloured(Colour::Auto, true, None) && coloured(Colour::Auto, true, Some("".as_ref()))
        );
        assert!(!coloured(Colour::Auto, true, set) && !coloured(Colour::Auto, false, None));
        assert!(coloured(Colour::Always, false, set) && !coloured(Colour::Never, true, None));
    }
}
