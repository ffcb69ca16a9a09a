//! Messages and recipients as rows, and back.

use super::{Attempt, Entry, Envelope, Recipient, State, Timestamp};
use crate::message_id::MessageId;
use rusqlite::{Connection, Error, OptionalExtension, Result, Row, named_params, types::Type};
use smtp_proto::{
    ext::{BodyType, Notify, Orcpt, Ret},
    wire::{ForwardPath, Mailbox, ReversePath, Xtext},
};

/// Where the octets of a message are, and how to tell that they are whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) size: u64,
    pub(super) crc32c: u32,
    pub(super) in_file: bool,
}

/// Whether a row cannot be understood, as opposed to not be read.
pub(super) fn is_damage(error: &Error) -> bool {
    matches!(
        error,
        Error::FromSqlConversionFailure(..)
            | Error::InvalidColumnType(..)
            | Error::IntegralValueOutOfRange(..)
            | Error::Utf8Error(..)
    )
}

fn damaged(what: &'static str) -> Error {
    Error::FromSqlConversionFailure(0, Type::Text, format!("no valid {what}").into())
}

/// Writes the row of a message and those of its recipients. Gives its key.
pub(super) fn insert(db: &Connection, entry: &Entry, stored: Stored) -> Result<i64> {
    let envelope = &entry.envelope;
    db.prepare_cached(
        "INSERT INTO message (id, sender, ret, envid, body_type, smtputf8, login, received, size,
         crc32c, in_file, unfinished) VALUES (:id, :sender, :ret, :envid, :body_type, :smtputf8,
         :login, :received, :size, :crc32c, :in_file, :unfinished)",
    )?
    .execute(named_params! {
        ":id": entry.id.to_string(),
        ":sender": envelope.from.mailbox().map(Mailbox::to_string).unwrap_or_default(),
        ":ret": envelope.ret.map(|ret| ret.to_string()),
        ":envid": envelope.envid.as_ref().map(Xtext::as_str),
        ":body_type": envelope.body.to_string(),
        ":smtputf8": envelope.smtputf8,
        ":login": envelope.login,
        ":received": entry.received.as_micros(),
        ":size": stored.size.cast_signed(),
        ":crc32c": stored.crc32c,
        ":in_file": stored.in_file,
        ":unfinished": entry.unfinished().cast_signed(),
    })?;
    let key = db.last_insert_rowid();
    let mut insert = db.prepare_cached(
        "INSERT INTO recipient (message, place, address, notify, orcpt, state, attempts, next,
         delay_told) VALUES (:message, :place, :address, :notify, :orcpt, :state, 0, :next, 0)",
    )?;
    for (place, recipient) in (0_u32..).zip(&entry.recipients) {
        insert.execute(named_params! {
            ":message": key,
            ":place": place,
            ":address": recipient
                .to
                .mailbox()
                .map_or_else(|| POSTMASTER.to_owned(), Mailbox::to_string),
            ":notify": recipient.notify.map(|notify| notify.to_string()),
            ":orcpt": recipient.orcpt.as_ref().map(Orcpt::to_string),
            ":state": recipient.state.as_str(),
            ":next": recipient.next.as_micros(),
        })?;
    }
    Ok(key)
}

/// The recipient without a domain (RFC 5321 §4.1.1.3).
const POSTMASTER: &str = "postmaster";

/// Writes what may have changed about a recipient.
pub(super) fn update(db: &Connection, key: i64, place: u32, recipient: &Recipient) -> Result<()> {
    let last = recipient.last.as_ref();
    db.prepare_cached(
        "UPDATE recipient SET state = :state, attempts = :attempts, next = :next,
         last_at = :last_at, last_host = :last_host, last_reply = :last_reply,
         last_dialogue = :last_dialogue, delay_told = :delay_told
         WHERE message = :message AND place = :place",
    )?
    .execute(named_params! {
        ":message": key,
        ":place": place,
        ":state": recipient.state.as_str(),
        ":attempts": recipient.attempts,
        ":next": recipient.next.as_micros(),
        ":last_at": last.map(|last| last.at.as_micros()),
        ":last_host": last.map(|last| &last.host),
        ":last_reply": last.map(|last| &last.reply),
        ":last_dialogue": last.and_then(|last| last.dialogue.as_deref()),
        ":delay_told": recipient.delay_told,
    })
    .map(drop)
}

/// Removes a message, its octets and its recipients.
pub(super) fn delete(db: &Connection, key: i64) -> Result<()> {
    db.prepare_cached("DELETE FROM recipient WHERE message = ?")?.execute([key])?;
    db.prepare_cached("DELETE FROM body WHERE message = ?")?.execute([key])?;
    db.prepare_cached("DELETE FROM message WHERE key = ?")?.execute([key])?;
    Ok(())
}

/// The message with the key `key` and all its recipients, with or without their dialogues, which
/// are long.
pub(super) fn entry(db: &Connection, key: i64, dialogues: bool) -> Result<Option<Entry>> {
    let message = db
        .prepare_cached(
            "SELECT id, sender, ret, envid, body_type, smtputf8, login, received, size
             FROM message WHERE key = ?",
        )?
        .query_row([key], message)
        .optional()?;
    let Some(mut entry) = message else { return Ok(None) };
    let mut select = db.prepare_cached(
        "SELECT address, notify, orcpt, state, attempts, next, last_at, last_host, last_reply,
         iif(?, last_dialogue, NULL), delay_told, place FROM recipient WHERE message = ?
         ORDER BY place",
    )?;
    let mut rows = select.query((dialogues, key))?;
    while let Some(row) = rows.next()? {
        if row.get::<_, isize>(11)? != entry.recipients.len().cast_signed() {
            return Err(damaged("place of a recipient"));
        }
        entry.recipients.push(recipient(row)?);
    }
    Ok(Some(entry))
}

/// One recipient of the message with the key `key`.
pub(super) fn recipient_at(db: &Connection, key: i64, place: u32) -> Result<Option<Recipient>> {
    db.prepare_cached(
        "SELECT address, notify, orcpt, state, attempts, next, last_at, last_host, last_reply,
         last_dialogue, delay_told FROM recipient WHERE message = ? AND place = ?",
    )?
    .query_row((key, place), recipient)
    .optional()
}

fn message(row: &Row<'_>) -> Result<Entry> {
    let envid = row.get_ref(3)?.as_str_or_null()?;
    let envid = envid.map(|text| Xtext::parse(text).map(Xtext::into_static)).transpose();
    Ok(Entry {
        id: id(row, 0)?,
        envelope: Envelope {
            from: match row.get_ref(1)?.as_str()? {
                "" => ReversePath::Null,
                text => ReversePath::Mailbox(mailbox(text)?),
            },
            ret: match row.get_ref(2)?.as_str_or_null()? {
                None => None,
                Some("FULL") => Some(Ret::Full),
                Some("HDRS") => Some(Ret::Hdrs),
                Some(_) => return Err(damaged("RET")),
            },
            envid: envid.map_err(|_| damaged("ENVID"))?,
            body: match row.get_ref(4)?.as_str()? {
                "7BIT" => BodyType::SevenBit,
                "8BITMIME" => BodyType::EightBitMime,
                _ => return Err(damaged("body type")),
            },
            smtputf8: row.get(5)?,
            login: row.get(6)?,
        },
        received: Timestamp::from_micros(row.get(7)?),
        size: row.get::<_, i64>(8)?.cast_unsigned(),
        recipients: Vec::with_capacity(1),
    })
}

fn recipient(row: &Row<'_>) -> Result<Recipient> {
    let orcpt = row.get_ref(2)?.as_str_or_null()?;
    let orcpt = orcpt.map(|text| Orcpt::parse(text).map(Orcpt::into_static)).transpose();
    let last_at: Option<i64> = row.get(6)?;
    Ok(Recipient {
        to: match row.get_ref(0)?.as_str()? {
            POSTMASTER => ForwardPath::Postmaster,
            text => ForwardPath::Mailbox(mailbox(text)?),
        },
        notify: row.get_ref(1)?.as_str_or_null()?.map(notify).transpose()?,
        orcpt: orcpt.map_err(|_| damaged("ORCPT"))?,
        state: row.get_ref(3)?.as_str()?.parse::<State>().map_err(|_| damaged("state"))?,
        attempts: row.get(4)?,
        next: Timestamp::from_micros(row.get(5)?),
        last: match last_at {
            None => None,
            Some(at) => Some(Attempt {
                at: Timestamp::from_micros(at),
                host: row.get(7)?,
                reply: row.get(8)?,
                dialogue: row.get(9)?,
            }),
        },
        delay_told: row.get(10)?,
    })
}

pub(super) fn id(row: &Row<'_>, column: usize) -> Result<MessageId> {
    MessageId::parse(row.get_ref(column)?.as_str()?).ok_or_else(|| damaged("message id"))
}

fn mailbox(text: &str) -> Result<Mailbox<'static>> {
    Mailbox::parse(text).map(Mailbox::into_static).map_err(|_| damaged("address"))
}

/// Reads what [`Notify`] writes.
fn notify(text: &str) -> Result<Notify> {
    let (mut success, mut failure, mut delay) = (false, false, false);
    for word in text.split(',') {
        match word {
            "NEVER" => return Ok(Notify::Never),
            "SUCCESS" => success = true,
            "FAILURE" => failure = true,
            "DELAY" => delay = true,
            _ => return Err(damaged("NOTIFY")),
        }
    }
    Ok(Notify::On { success, failure, delay })
}
