//! What is asked of the database without changing it.

use super::{
    Cursor, Entry, Filter, QueueError, Timestamp,
    body::StoredBody,
    row::{self, Stored},
};
use crate::message_id::MessageId;
use rusqlite::{
    CachedStatement, Connection, OpenFlags, OptionalExtension, params_from_iter, types::Value,
};
use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Connections that are kept for the next question.
const IDLE: usize = 4;

/// Connections that only read, each for one question at a time: a long list holds up neither the
/// writer nor a short question.
#[derive(Debug)]
pub(super) struct Readers {
    path: PathBuf,
    /// `None` once closed.
    idle: Mutex<Option<Vec<Connection>>>,
}

impl Readers {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, idle: Mutex::new(Some(Vec::new())) }
    }

    /// Answers `question`. Blocks.
    pub(super) fn ask<T>(
        &self,
        question: impl FnOnce(&Connection) -> Result<T, QueueError>,
    ) -> Result<T, QueueError> {
        let idle = match &mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(idle) => idle.pop(),
            None => return Err(QueueError::Closed),
        };
        let db = match idle {
            Some(db) => db,
            None => open(&self.path)?,
        };
        let answer = question(&db);
        if let Some(idle) = &mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner)
            && idle.len() < IDLE
        {
            idle.push(db);
        }
        answer
    }

    /// Answers no more.
    pub(super) fn close(&self) {
        *self.idle.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(Duration::from_secs(5))?;
    Ok(db)
}

/// Entries whose rows have these keys. One that cannot be understood must not hide the others.
fn entries(
    db: &Connection,
    keys: impl Iterator<Item = rusqlite::Result<i64>>,
) -> Result<Vec<Entry>, QueueError> {
    let mut entries = Vec::new();
    for key in keys {
        entries.extend(entry(db, key?, true)?);
    }
    Ok(entries)
}

fn entry(db: &Connection, key: i64, dialogues: bool) -> Result<Option<Entry>, QueueError> {
    match row::entry(db, key, dialogues) {
        Err(error) if row::is_damage(&error) => {
            tracing::error!(key, reason = error.to_string(), "a message in the queue is damaged");
            Ok(None)
        }
        other => Ok(other?),
    }
}

pub(super) fn due(
    db: &Connection,
    after: Cursor,
    until: Timestamp,
    limit: usize,
) -> Result<(Vec<Entry>, Cursor), QueueError> {
    let transaction = db.unchecked_transaction()?;
    let mut select = transaction.prepare_cached(
        "SELECT next, message FROM recipient
         WHERE state = 'waiting' AND (next, message) > (?, ?) AND next <= ?
         ORDER BY next, message",
    )?;
    let mut rows = select.query((after.next, after.key, until.as_micros()))?;
    let (mut found, mut seen, mut cursor) = (Vec::new(), HashSet::new(), after);
    while found.len() < limit {
        let Some(row) = rows.next()? else {
            return Ok((found, Cursor { next: until.as_micros(), key: i64::MAX }));
        };
        cursor = Cursor { next: row.get(0)?, key: row.get(1)? };
        // Where another recipient was due before this one, the entry was given out for that.
        if seen.insert(cursor.key)
            && let Some(entry) = entry(db, cursor.key, false)?
            && entry.due().is_some_and(|due| due.as_micros() == cursor.next)
        {
            found.push(entry);
        }
    }
    Ok((found, cursor))
}

pub(super) fn next_due(db: &Connection, after: Cursor) -> Result<Option<Timestamp>, QueueError> {
    let next = db
        .prepare_cached(
            "SELECT next FROM recipient WHERE state = 'waiting' AND (next, message) > (?, ?)
             ORDER BY next, message LIMIT 1",
        )?
        .query_row((after.next, after.key), |row| row.get(0))
        .optional()?;
    Ok(next.map(Timestamp::from_micros))
}

/// The first `limit` messages behind `after` that are meant, in the order of their names.
fn select<'db>(
    db: &'db Connection,
    columns: &str,
    filter: &Filter,
    after: Option<MessageId>,
    limit: usize,
) -> rusqlite::Result<(CachedStatement<'db>, Vec<Value>)> {
    let (conditions, mut values) = filter.messages();
    let sql = format!(
        "SELECT {columns} FROM message m WHERE {conditions} AND m.id > ? ORDER BY m.id LIMIT ?"
    );
    values.push(after.map(|id| id.to_string()).unwrap_or_default().into());
    values.push(i64::try_from(limit).unwrap_or(i64::MAX).into());
    Ok((db.prepare_cached(&sql)?, values))
}

pub(super) fn find(
    db: &Connection,
    filter: &Filter,
    after: Option<MessageId>,
    limit: usize,
) -> Result<Vec<Entry>, QueueError> {
    let transaction = db.unchecked_transaction()?;
    let (mut select, values) = select(&transaction, "m.key", filter, after, limit)?;
    let keys = select.query_map(params_from_iter(values), |row| row.get(0))?;
    entries(db, keys)
}

/// The names of the messages that are meant.
pub(super) fn messages(
    db: &Connection,
    filter: &Filter,
    after: Option<MessageId>,
    limit: usize,
) -> Result<Vec<MessageId>, QueueError> {
    let (mut select, values) = select(db, "m.id", filter, after, limit)?;
    let ids = select.query_map(params_from_iter(values), |row| row::id(row, 0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// The recipients that are meant, of the first `limit` messages.
pub(super) fn recipients(
    db: &Connection,
    filter: &Filter,
    after: Option<MessageId>,
    limit: usize,
) -> Result<Vec<(MessageId, u32)>, QueueError> {
    let transaction = db.unchecked_transaction()?;
    let (mut messages, values) = select(&transaction, "m.key, m.id", filter, after, limit)?;
    let (conditions, more) = filter.recipients();
    let sql = format!("SELECT r.place FROM recipient r WHERE r.message = ? AND {conditions}");
    let mut places = transaction.prepare_cached(&sql)?;
    let mut found = Vec::new();
    let mut rows = messages.query(params_from_iter(values))?;
    while let Some(row) = rows.next()? {
        let (key, id) = (row.get::<_, i64>(0)?, row::id(row, 1)?);
        let values = [Value::from(key)].into_iter().chain(more.iter().cloned());
        for place in places.query_map(params_from_iter(values), |row| row.get(0))? {
            found.push((id, place?));
        }
    }
    Ok(found)
}

pub(super) fn body(
    db: &Connection,
    folder: &Path,
    id: MessageId,
) -> Result<StoredBody, QueueError> {
    let found = db
        .prepare_cached(
            "SELECT size, crc32c, in_file, octets FROM message LEFT JOIN body ON message = key
             WHERE id = ?",
        )?
        .query_row([id.to_string()], |row| {
            let size = row.get::<_, i64>(0)?.cast_unsigned();
            let stored = Stored { size, crc32c: row.get(1)?, in_file: row.get(2)? };
            Ok((stored, row.get::<_, Option<Vec<u8>>>(3)?))
        })
        .optional()?;
    match found {
        None => Err(QueueError::NoMessage(id)),
        Some((stored, _)) if stored.in_file => StoredBody::open(folder, id, stored),
        Some((stored, octets)) => StoredBody::inline(id, stored, octets.unwrap_or_default()),
    }
}

/// Recipients that are waiting and that are held, and when the oldest message arrived.
pub(super) fn totals(db: &Connection) -> Result<(u64, u64, Option<Timestamp>), QueueError> {
    let transaction = db.unchecked_transaction()?;
    let count = |state: &str| {
        let sql = format!("SELECT count(*) FROM recipient WHERE state = '{state}'");
        transaction.query_row(&sql, (), |row| row.get::<_, i64>(0)).map(i64::cast_unsigned)
    };
    let oldest = transaction
        .query_row("SELECT received FROM message ORDER BY id LIMIT 1", (), |row| row.get(0))
        .optional()?;
    Ok((count("waiting")?, count("held")?, oldest.map(Timestamp::from_micros)))
}
