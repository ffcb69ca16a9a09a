//! The program in a process of its own.

use rustix::process::{Pid, Signal, kill_process};
use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, ChildStdout, Command, Output, Stdio},
};

/// Where it is.
pub(crate) const PATH: &str = env!("CARGO_BIN_EXE_smtp-mta");

/// The program with these arguments.
pub(crate) fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(PATH);
    command.args(arguments);
    command
}

/// Runs it to its end.
pub(crate) fn output(arguments: &[&str]) -> Output {
    program(arguments).output().unwrap()
}

/// A server in a process of its own, killed at the end of the test.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) out: BufReader<ChildStdout>,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// The built-in configuration, with a folder and a port of its own.
    pub(crate) fn start(data: &Path) -> Self {
        Self::with(&["--port", "0", "--data", data.to_str().unwrap()])
    }

    /// A server whose first listener is the one to use.
    pub(crate) fn with(arguments: &[&str]) -> Self {
        Self::logging_to(Stdio::null(), arguments)
    }

    /// The same with a log.
    pub(crate) fn logging_to(log: Stdio, arguments: &[&str]) -> Self {
        Self::of(program(arguments).stderr(log))
    }

    /// The server that a command starts.
    pub(crate) fn of(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let address = line.strip_prefix("listening on ").unwrap().split(' ').next().unwrap();
        Self { address: address.parse().unwrap(), child, out }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Ends it as a postmaster does.
    pub(crate) fn stop(mut self) {
        self.signal(Signal::TERM);
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
