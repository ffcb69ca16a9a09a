//! The chapter about a load test, whose programs are those of others: `swaks` and Postfix's.
//!
//! `cargo test -p smtp-mta --test manual -- --ignored`

use crate::{
    console,
    first_mail::free_port,
    site::program::{Server, program},
};
use std::{
    fs,
    process::{Child, Command, Stdio},
};

/// A program that is killed at the end.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "needs swaks, smtp-source and smtp-sink"]
fn a_load_goes_through_as_the_manual_shows_it() {
    let chapter = console::read("load-test.md");
    // The ports of the chapter may be taken.
    let ports = [("2525", free_port()), ("2526", free_port())];
    let folder = tempfile::tempdir().unwrap();
    let toml = console::replaced(console::blocks(&chapter, "toml")[0], &ports);
    fs::write(folder.path().join("load.toml"), toml).unwrap();
    let commands = console::replaced(console::blocks(&chapter, "sh")[0], &ports);
    let (sink, serve) = commands.trim_end().split_once('\n').unwrap();

    let mut words = sink.split(' ');
    let mut sink = Command::new(words.next().unwrap());
    // As root it wants to be told whom to be.
    let as_root = rustix::process::geteuid().is_root().then_some(["-u", "nobody"]);
    let sink = sink.args(as_root.iter().flatten()).args(words).stdout(Stdio::null());
    let _sink = Running(sink.spawn().unwrap());
    let arguments: Vec<_> = serve.split(' ').skip(1).collect();
    let server = Server::of(program(&arguments).current_dir(folder.path()).stderr(Stdio::null()));
    console::run_text(&chapter, folder.path(), &ports, &mut console::Names::default());
    server.stop();
}
