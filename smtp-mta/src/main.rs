//! The commands: `serve`, `check`, `user`, `queue`, `send`, `demo`, `version`, `completions`, `man`.

#![forbid(unsafe_code)]

mod packaging;
mod signals;
mod systemd;

use clap::{CommandFactory, Parser, Subcommand};
use packaging::Packaging;
use sd_notify::NotifyState;
use signals::Signals;
use smtp_mta::{
    config::{Config, Log, LogLevel, loopback},
    control::command::QueueCommand,
    demo::Demo,
    log,
    send::SendCommand,
    server::{Mta, Passed, Refusal},
    tls,
    users::{UsersFile, command::UserCommand},
    welcome::Welcome,
};
use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
};
use tokio::runtime::Runtime;

/// A mail server in one process and one file. Without arguments it serves on loopback.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Read the configuration from this file
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// Keep everything in this folder, whatever the configuration says
    #[arg(long, value_name = "DIR", global = true)]
    data: Option<PathBuf>,
    /// Listen on this port of loopback, 0 for one that is free
    #[arg(long, value_name = "PORT", global = true, conflicts_with = "config")]
    port: Option<u16>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Receive mail until told to stop (the default)
    Serve,
    /// Say whether the configuration can be used
    Check,
    /// Say who may log in
    #[command(subcommand)]
    User(UserCommand),
    /// Look at the messages that wait, and hold, release, retry or delete them
    #[command(subcommand)]
    Queue(QueueCommand),
    Send(Box<SendCommand>),
    /// Show the way of a message between two servers, on loopback, and end
    Demo(Demo),
    /// Print the version
    Version,
    #[command(flatten)]
    Packaging(Packaging),
}

fn main() -> ExitCode {
    let arguments = Arc::new(Arguments::parse());
    let success = |()| ExitCode::SUCCESS;
    let done = match &arguments.command {
        None | Some(Command::Serve) => serve(&arguments).map(success),
        Some(Command::Check) => check(&arguments).map(success),
        Some(Command::User(command)) => user(&arguments, command).map(success),
        Some(Command::Queue(command)) => queue(&arguments, command),
        Some(Command::Send(command)) => send(&arguments, command),
        Some(Command::Demo(demo)) => {
            runtime().and_then(|runtime| runtime.block_on(demo.run())).map(success)
        }
        Some(Command::Version) => {
            print(&format!("smtp-mta {}\n", env!("CARGO_PKG_VERSION")));
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Packaging(asked)) => {
            asked.run(Arguments::command()).map(success).map_err(|error| Refusal(error.to_string()))
        }
    };
    match done {
        Ok(code) => code,
        Err(refusal) => {
            // If the error output is closed, there is nobody to tell.
            let _ = writeln!(io::stderr(), "smtp-mta: {refusal}");
            ExitCode::FAILURE
        }
    }
}

fn configure(arguments: &Arguments) -> Result<Config, Refusal> {
    let mut config = match &arguments.config {
        Some(path) => Config::read(path).map_err(|error| Refusal(error.to_string()))?,
        None => Config::default(),
    };
    if let Some(data) = &arguments.data {
        config.data_dir.clone_from(data);
    }
    if let Some(port) = arguments.port {
        config.listeners = loopback(port);
    }
    Ok(config)
}

fn check(arguments: &Arguments) -> Result<(), Refusal> {
    let config = configure(arguments)?;
    tls::check(&config)?;
    tls::client(config.ca_file.as_deref()).map_err(|error| Refusal(error.to_string()))?;
    let file = arguments
        .config
        .as_ref()
        .map_or("the built-in configuration".into(), |path| path.display().to_string());
    print(&format!("{file} is right\n"));
    Ok(())
}

fn user(arguments: &Arguments, command: &UserCommand) -> Result<(), Refusal> {
    let config = configure(arguments)?;
    print(&command.run(&UsersFile::new(&config.data_dir))?);
    Ok(())
}

fn queue(arguments: &Arguments, command: &QueueCommand) -> Result<ExitCode, Refusal> {
    let config = configure(arguments)?;
    // Not what a start of the server would warn of.
    log::install(Log { level: LogLevel::Error, ..config.log });
    Ok(command.run(&config.data_dir, config.queue.options())?)
}

fn send(arguments: &Arguments, command: &SendCommand) -> Result<ExitCode, Refusal> {
    let config = configure(arguments)?;
    runtime()?.block_on(command.run(&config))
}

fn serve(arguments: &Arc<Arguments>) -> Result<(), Refusal> {
    let config = configure(arguments)?;
    // Before there is a second thread.
    let passed = Passed::from_env()?;
    let level = log::install(config.log);
    if rustix::process::geteuid().is_root() {
        tracing::warn!("running as root, which is not needed: use a user of its own");
    }
    let runtime = runtime()?;
    let served = runtime.block_on(async {
        let mta = Mta::start_with(&config, passed)?;
        let signals = Signals::new().map_err(|e| Refusal(format!("cannot start: {e}")))?;
        print(&Welcome { config: &config, listening: mta.listening() }.to_string());
        let reread = {
            let arguments = Arc::clone(arguments);
            move || configure(&arguments)
        };
        signals.obey(mta.control(), level, reread);
        systemd::tell(&[NotifyState::Ready]);
        mta.run().await;
        Ok(())
    });
    // A disk that does not answer keeps nobody waiting.
    runtime.shutdown_background();
    served
}

fn runtime() -> Result<Runtime, Refusal> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.enable_all().max_blocking_threads(DISK_THREADS).build();
    runtime.map_err(|error| Refusal(format!("cannot start: {error}")))
}

/// Messages that are written and synced at the same time; more would only queue in the disk.
const DISK_THREADS: usize = 64;

/// If the output is closed, the server runs all the same.
fn print(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
