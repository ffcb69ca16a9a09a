//! `smtp-proto` of Stalwart: `Request::parse`.

use super::{Peer, verb};
use crate::{Facts, Outcome};
use stalwart::{
    MAIL_BODY_8BITMIME, MAIL_BODY_BINARYMIME, MAIL_RET_FULL, MAIL_RET_HDRS, MAIL_SMTPUTF8,
    RCPT_NOTIFY_DELAY, RCPT_NOTIFY_FAILURE, RCPT_NOTIFY_NEVER, RCPT_NOTIFY_SUCCESS, Request,
};

pub(super) const PEER: Peer = Peer {
    name: "smtp-proto",
    shows: &[
        "name",
        "plain address",
        "SIZE",
        "BODY",
        "SMTPUTF8",
        "RET",
        "ENVID",
        "NOTIFY",
        "ORCPT",
        "text",
    ],
    parse,
};

fn parse(line: &[u8]) -> Option<Outcome> {
    const KNOWN: &[&str] = &[
        "EHLO", "HELO", "LHLO", "MAIL", "RCPT", "DATA", "BDAT", "RSET", "NOOP", "QUIT", "VRFY",
        "EXPN", "HELP", "ETRN", "STARTTLS", "AUTH",
    ];
    if !KNOWN.contains(&verb(line).as_str()) {
        return None;
    }
    let wire = [line, b"\r\n"].concat();
    let Ok(request) = Request::parse(&mut wire.iter()) else { return Some(Outcome::Refused) };
    let mut facts = Facts::from([("verb", request.name().to_owned())]);
    match request {
        Request::Ehlo { host } | Request::Lhlo { host } | Request::Helo { host } => {
            facts.insert("name", host.into_owned());
        }
        Request::Mail { from } => {
            let flag = |flag: u64| from.flags & flag != 0;
            facts.insert("plain address", from.address.into_owned());
            if from.size > 0 {
                facts.insert("SIZE", from.size.to_string());
            }
            let body = [(MAIL_BODY_BINARYMIME, "BINARYMIME"), (MAIL_BODY_8BITMIME, "8BITMIME")];
            let body = body.iter().find(|(bit, _)| flag(*bit)).map_or("7BIT", |(_, name)| *name);
            facts.insert("BODY", body.to_owned());
            if flag(MAIL_SMTPUTF8) {
                facts.insert("SMTPUTF8", String::new());
            }
            if flag(MAIL_RET_FULL) {
                facts.insert("RET", "FULL".to_owned());
            }
            if flag(MAIL_RET_HDRS) {
                facts.insert("RET", "HDRS".to_owned());
            }
            if let Some(envid) = from.env_id {
                facts.insert("ENVID", envid.into_owned());
            }
        }
        Request::Rcpt { to } => {
            facts.insert("plain address", to.address.into_owned());
            let words: Vec<&str> = [
                (RCPT_NOTIFY_NEVER, "NEVER"),
                (RCPT_NOTIFY_SUCCESS, "SUCCESS"),
                (RCPT_NOTIFY_FAILURE, "FAILURE"),
                (RCPT_NOTIFY_DELAY, "DELAY"),
            ]
            .into_iter()
            .filter(|(bit, _)| to.flags & bit != 0)
            .map(|(_, word)| word)
            .collect();
            if !words.is_empty() {
                facts.insert("NOTIFY", words.join(","));
            }
            if let Some(orcpt) = to.orcpt {
                facts.insert("ORCPT", orcpt.into_owned());
            }
        }
        Request::Vrfy { value } | Request::Expn { value } | Request::Help { value } => {
            facts.insert("text", value.into_owned());
        }
        Request::Etrn { name } => {
            facts.insert("text", name.into_owned());
        }
        _ => {}
    }
    Some(Outcome::Taken(facts))
}
