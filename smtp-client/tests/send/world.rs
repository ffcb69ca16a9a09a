//! A connection to a server that says what is written down, in virtual time.

use smtp_client::{
    Connection, Envelope, EnvelopeBuilder, Failure, IntoBody, Policy, Report,
    proto::wire::HelloName,
};
use std::sync::Arc;
use testkit::{
    clock::{Task, VirtualRuntime},
    memory::MemoryStream,
    scripted_peer::{Heard, ScriptedPeer, Surprise},
};

pub(crate) const HOST: &str = "mx.example.test";
pub(crate) static MESSAGE: &str = "Subject: x\r\n\r\n.dot\r\nend\r\n";

/// The greeting, and EHLO with these extensions.
pub(crate) fn welcome(extensions: &[&str]) -> String {
    let mut script = String::from("S: 220 mx.example.test\nC: EHLO client.example.test\n");
    match extensions.split_last() {
        None => script.push_str("S: 250 mx.example.test\n"),
        Some((last, rest)) => {
            script.push_str("S: 250-mx.example.test\n");
            rest.iter().for_each(|it| script.push_str(&format!("S: 250-{it}\n")));
            script.push_str(&format!("S: 250 {last}\n"));
        }
    }
    script
}

pub(crate) fn policy() -> Policy {
    Policy::new(HelloName::parse("client.example.test").unwrap())
}

/// From `a@example.test` to these.
pub(crate) fn envelope(to: &[&str]) -> EnvelopeBuilder {
    to.iter().fold(Envelope::builder("a@example.test"), |builder, to| builder.to(to))
}

pub(crate) type Conn = Connection<MemoryStream, VirtualRuntime>;

/// A server that plays a script.
pub(crate) struct World {
    pub(crate) runtime: VirtualRuntime,
    peer: Task<Result<Heard, Surprise>>,
}

impl World {
    pub(crate) fn new(script: &str) -> (Self, MemoryStream) {
        let runtime = VirtualRuntime::new();
        let (client, peer) = script.parse::<ScriptedPeer>().unwrap().connect(&runtime);
        (Self { runtime, peer }, client)
    }

    /// What the server has heard, once its script is at its end.
    pub(crate) fn heard(self) -> Heard {
        self.runtime.run_until(self.peer).unwrap()
    }

    /// What the server waited for in vain.
    pub(crate) fn missing(self) -> String {
        self.runtime.run_until(self.peer).unwrap_err().why
    }
}

/// Opens a connection to a server that plays `script`.
pub(crate) fn open(script: &str, policy: Policy) -> (World, Result<Conn, Failure>) {
    let (world, stream) = World::new(script);
    let runtime = world.runtime.clone();
    let opening = Connection::open(stream, runtime.clone(), HOST, Arc::new(policy));
    let opened = runtime.run_until(opening);
    (world, opened)
}

/// Sends one message to a server that plays `script`, and says QUIT: what became of it, in a line
/// for each recipient, and what the server heard.
pub(crate) fn send(
    script: &str,
    policy: Policy,
    envelope: &Envelope,
    body: impl IntoBody,
) -> (Vec<String>, Heard) {
    let (world, opened) = open(script, policy);
    let mut connection = opened.unwrap();
    let report = world.runtime.run_until(async {
        let report = connection.send(envelope, body).await;
        connection.quit().await;
        report
    });
    (lines(&report), world.heard())
}

/// A line for each outcome: the status, the stage, the reply.
pub(crate) fn lines(report: &Report) -> Vec<String> {
    let line = |it: &smtp_client::Outcome| format!("{} {}: {}", it.status, it.stage, it.reply);
    report.outcomes.iter().map(line).collect()
}
