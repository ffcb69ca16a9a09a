//! The chapter about the first mail.

use crate::{
    console,
    site::program::{Server, program},
};
use std::{fs, net::TcpListener, process::Stdio};

/// A port of loopback that nobody uses.
pub(crate) fn free_port() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string()
}

#[test]
fn the_first_mail_arrives_as_the_manual_shows_it() {
    let chapter = console::read("first-mail.md");
    // The ports of the chapter may be taken.
    let ports = [("2525", free_port()), ("2587", free_port())];
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("mta.toml");
    let toml = console::blocks(&chapter, "toml");
    fs::write(&config, console::replaced(toml[0], &ports)).unwrap();
    let (before, after) = chapter.split_once("## The server").unwrap();
    let mut names = console::Names::default();
    console::run_text(before, folder.path(), &ports, &mut names);

    let mut serve = program(&["serve", "--config", "mta.toml"]);
    let server = Server::of(serve.current_dir(folder.path()).stderr(Stdio::null()));
    console::run_text(after, folder.path(), &ports, &mut names);
    server.stop();

    // The route that is shown fits into that file.
    let text = console::replaced(toml[0], &ports) + toml[1];
    fs::write(&config, text).unwrap();
    let check = program(&["check", "--config", config.to_str().unwrap()]).output().unwrap();
    assert!(check.status.success(), "{check:?}");
}
