//! `smtp-conformance garden`: one script for many servers.

use crate::{Stop, cli::seconds, new_seed, preflight, print, write};
use clap::{Args, ValueEnum, builder::PossibleValue};
use indicatif::ProgressBar;
use smtp_conformance::{
    garden::{self, Limits, Server, behaviour::Detail, generate, report::Report, script::Script},
    profile::Profile,
    runner,
    target::Described,
    tester::{self, Run},
};
use std::{
    fs,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    time::Duration,
};

/// Say the same to many servers, and show who answers alone.
#[derive(Debug, Args)]
pub(crate) struct Garden {
    /// Target files (.toml), scripts, and folders of scripts (.smtp)
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Make so many scripts: valid sessions, changed in one place or two
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) generate: Option<u32>,
    /// Which ones: the same seed makes the same scripts; a new number otherwise
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Only the scripts with these names
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Write the scripts into a folder, and connect to nobody
    #[arg(long, value_name = "FOLDER")]
    pub(crate) save: Option<PathBuf>,
    /// How closely servers must agree
    #[arg(long, value_name = "HOW", default_value = "class")]
    pub(crate) detail: Closeness,
    /// Scripts at once, each on every server
    #[arg(long, value_name = "N", default_value_t = runner::JOBS)]
    pub(crate) jobs: NonZeroUsize,
    /// Seconds to wait for a reply
    #[arg(long, value_name = "S", default_value = "5", value_parser = seconds)]
    pub(crate) timeout: Duration,
    /// Seconds to listen behind a reply: more may come
    #[arg(long, value_name = "S", default_value = "0.25", value_parser = seconds)]
    pub(crate) pause: Duration,
    /// Seconds after which no further script begins
    #[arg(long, value_name = "S", default_value = "900", value_parser = seconds)]
    pub(crate) time_limit: Duration,
    /// Play on servers that are not on this machine: they are mine
    #[arg(long)]
    pub(crate) i_run_this_server: bool,
    /// Write what was found as JSON (`-`: to standard output)
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Show the scripts in which nobody answers alone, too
    #[arg(long, short)]
    pub(crate) verbose: bool,
}

/// How closely servers must agree to count as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Closeness(pub(crate) Detail);

impl ValueEnum for Closeness {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [Closeness; 4] = {
            let [a, b, c, d] = Detail::ALL;
            [Closeness(a), Closeness(b), Closeness(c), Closeness(d)]
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.as_str()))
    }
}

/// Files of a folder of scripts.
const MOST_FILES: usize = 10_000;
/// Octets of a script file.
const MOST_OCTETS: u64 = 4 << 20;
/// Octets that all scripts together send to a server.
const MOST_SENT: usize = 256 << 20;

/// Plays the scripts on the servers, and says who answers alone.
pub(crate) fn run(arguments: &Garden) -> Result<u8, Stop> {
    let is_target = |path: &&PathBuf| path.extension().is_some_and(|end| end == "toml");
    let (targets, files): (Vec<_>, Vec<_>) = arguments.files.iter().partition(is_target);
    let seed = arguments.seed.unwrap_or_else(new_seed);
    let mut scripts = Vec::new();
    for path in files {
        read_scripts(path, &mut scripts)?;
    }
    if let Some(count) = arguments.generate {
        scripts.extend(generate::scripts(seed, usize::try_from(count).unwrap_or(usize::MAX)));
    }
    if !arguments.only.is_empty() {
        scripts.retain(|script| arguments.only.contains(&script.name));
    }
    if scripts.is_empty() {
        return Err(Stop(
            "no script: name a file or a folder, or let some be made by --generate".into(),
        ));
    }
    if let Some(folder) = &arguments.save {
        fs::create_dir_all(folder)?;
        for script in &scripts {
            write(&folder.join(format!("{}.smtp", script.name)), &script.to_string())?;
        }
        print(&format!("wrote {} scripts to {}\n", scripts.len(), folder.display()));
        return Ok(0);
    }
    let servers = servers(arguments, &targets, seed)?;
    let limits = Limits {
        pause: arguments.pause,
        script: 3 * arguments.timeout + Duration::from_secs(20),
        all: arguments.time_limit,
        jobs: arguments.jobs,
    };
    let bar = ProgressBar::new(u64::try_from(scripts.len()).unwrap_or(u64::MAX));
    let findings = garden::run(&servers, &scripts, limits, arguments.detail.0, &|_| bar.inc(1));
    bar.finish_and_clear();
    let findings = findings.map_err(Stop)?;
    let report = Report {
        servers: &servers,
        scripts: &scripts,
        findings: &findings,
        detail: arguments.detail.0,
    };
    let mut text = report.text(arguments.verbose);
    if arguments.generate.is_some() {
        text.push_str(&format!("the same scripts again: --seed {seed}\n"));
    }
    let json = report.json()? + "\n";
    match &arguments.json {
        Some(path) if path == Path::new("-") => {
            print(&json);
            eprint!("{text}");
        }
        Some(path) => {
            write(path, &json)?;
            print(&text);
        }
        None => print(&text),
    }
    let gone: Vec<_> = servers
        .iter()
        .filter(|server| !preflight::answers(&server.run))
        .map(|one| &*one.name)
        .collect();
    if gone.is_empty() {
        return Ok(0);
    }
    Err(Stop(format!(
        "after the run no connection, or silence: {}; did it crash?",
        gone.join(", ")
    )))
}

fn read_scripts(path: &Path, scripts: &mut Vec<Script>) -> Result<(), Stop> {
    let failed =
        |path: &Path, error: &dyn std::fmt::Display| Stop(format!("{}: {error}", path.display()));
    let mut files = vec![path.to_owned()];
    if path.is_dir() {
        let entries = fs::read_dir(path).map_err(|error| failed(path, &error))?;
        let entries = entries.take(MOST_FILES).map(|entry| entry.map(|entry| entry.path()));
        files = entries.collect::<Result<_, _>>().map_err(|error| failed(path, &error))?;
        files.retain(|file| file.extension().is_some_and(|end| end == "smtp"));
        files.sort();
    }
    for file in files {
        let size = fs::metadata(&file).map_err(|error| failed(&file, &error))?.len();
        if size > MOST_OCTETS {
            return Err(failed(&file, &"too long for a script"));
        }
        let text = fs::read_to_string(&file).map_err(|error| failed(&file, &error))?;
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        scripts.push(Script::read(&name, &text).map_err(|error| failed(&file, &error))?);
        if scripts.iter().map(Script::octets).sum::<usize>() > MOST_SENT {
            return Err(failed(path, &"the scripts together are too long"));
        }
    }
    Ok(())
}

fn servers(arguments: &Garden, paths: &[&PathBuf], seed: u64) -> Result<Vec<Server>, Stop> {
    if paths.len() < 3 {
        return Err(Stop("name at least three target files: one of two is not alone".into()));
    }
    let mut servers: Vec<Server> = Vec::new();
    for path in paths {
        let failed = |error: &dyn std::fmt::Display| Stop(format!("{}: {error}", path.display()));
        let text = fs::read_to_string(path).map_err(|error| failed(&error))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let described = Described::read(&text, folder).map_err(|error| failed(&error))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if servers.iter().any(|other| other.name == name) {
            return Err(Stop(format!("two target files are named {name}")));
        }
        // What `address` says twice, it is.
        let lmtp = described.address.is_some() && described.address == described.lmtp;
        let profile = if lmtp { Profile::Lmtp } else { Profile::Default };
        let target = described
            .resolve(profile, arguments.timeout, arguments.i_run_this_server)
            .map_err(|error| failed(&error))?;
        let greeted = preflight::greet(&target, profile.port(), arguments.timeout)
            .map_err(|Stop(why)| failed(&why))?;
        let mut cooperation = described.cooperation;
        cooperation.sign_in |= greeted.wants_auth && cooperation.credentials.is_some();
        let run = Run {
            target: Box::new(target),
            cooperation,
            patience: greeted.patience,
            pause: arguments.pause,
            port: profile.port(),
            seed,
            minute: tester::MINUTE,
            strict: false,
        };
        servers.push(Server { name, run });
    }
    Ok(servers)
}
