//! The conformance suite in memory: against the driver, with TLS, AUTH and LMTP, and against the
//! bare machine. No requirement is broken, in the default profile and to the letter.

#![allow(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

mod target;

use smtp_conformance::{
    cooperation::{Cooperation, Credentials},
    outcome::Verdict,
    runner,
    select::Selection,
    tester::{MINUTE, Run},
    wire::{Port, Target},
};
use smtp_driver::{Acceptor, Service};
use smtp_proto::{
    Limits,
    ext::Extensions,
    server::{Mode, ServerConfig},
    wire::{Host, Mechanism},
};
use std::{sync::Arc, time::Duration};
use target::{DriverTarget, MachineTarget};
use testkit::{
    policy::{DOMAIN, Policy, USERS},
    tls::Authority,
};

fn config(mode: Mode, extensions: Extensions) -> Arc<ServerConfig> {
    let mut limits = Limits::default();
    limits.message = 1 << 20;
    limits.decisions_in_flight = 32;
    let host = Host::parse("mx.example.test").unwrap();
    ServerConfig::builder(host).mode(mode).extensions(extensions).limits(limits).build()
}

/// What the server's operator tells the suite. There is no mailbox: `Policy` adds no trace fields.
fn cooperation() -> Cooperation {
    Cooperation {
        recipients: USERS.iter().map(|user| format!("{user}@{DOMAIN}")).collect(),
        unknown: Some(format!("nosuchuser@{DOMAIN}")),
        foreign: Some("someone@elsewhere.example".into()),
        credentials: Some(Credentials { user: "user1".into(), password: "secret1".into() }),
        tls_name: Some("mx.example.test".into()),
        ..Cooperation::default()
    }
}

fn judge(target: impl Target + 'static, port: Port, strict: bool) {
    let run = Run {
        target: Box::new(target),
        cooperation: cooperation(),
        patience: Duration::from_secs(5),
        pause: Duration::from_millis(500),
        port,
        seed: 1,
        strict,
        minute: MINUTE,
    };
    let reports = runner::run(&run, &Selection::default(), &|_| {});
    let mut passed = 0;
    let mut broken = String::new();
    for report in &reports {
        match &report.verdict {
            Verdict::Pass => passed += 1,
            Verdict::NotApplicable(_) | Verdict::NotTested(_) => {}
            verdict => {
                broken += &format!("{} {}: {}\n", report.id, verdict.name(), verdict.reason());
                for line in report.sessions.iter().flatten() {
                    broken += &format!("    {line}\n");
                }
            }
        }
    }
    assert!(broken.is_empty(), "{broken}");
    assert!(passed > 60, "only {passed} requirements were judged");
}

fn driver() -> DriverTarget {
    let tls = Acceptor::new(Authority::new().server_config(&["mx.example.test"]));
    let auth = [Mechanism::PLAIN, Mechanism::LOGIN];
    let all = || Extensions::new().smtputf8().chunking().dsn().starttls().auth(auth.clone());
    let policy = Policy::new();
    let service = |mode| {
        let service = Service::new(config(mode, all())).unwrap();
        service.credentials(policy.clone())
    };
    DriverTarget::new(policy.clone())
        .listen(Port::Main, service(Mode::Smtp).starttls(tls.clone()))
        .listen(Port::ImplicitTls, service(Mode::Smtp).implicit_tls(tls.clone()))
        .listen(Port::Submission, service(Mode::Submission).starttls(tls.clone()))
        .listen(Port::Lmtp, service(Mode::Lmtp).starttls(tls))
}

#[test]
fn the_driver_breaks_no_requirement() {
    judge(driver(), Port::Main, false);
}

#[test]
fn the_driver_breaks_no_requirement_to_the_letter() {
    judge(driver(), Port::Main, true);
}

#[test]
fn the_bare_machine_breaks_no_requirement() {
    let config = config(Mode::Smtp, Extensions::new().smtputf8().chunking().dsn());
    judge(MachineTarget::new(config, Policy::new()), Port::Main, true);
}
