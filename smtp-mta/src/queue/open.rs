//! The database at the start: made if it is missing, and put right after a crash.

use super::QueueError;
use crate::{maildir::sync_directory, message_id::MessageId, store::StoreError};
use rusqlite::{Connection, OpenFlags};
use std::{
    collections::HashSet,
    fs::{self, DirBuilder, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// The version of the schema.
const VERSION: i64 = 1;

/// What was there.
pub(super) struct Opened {
    pub(super) db: Connection,
    pub(super) messages: u64,
    pub(super) bytes: u64,
}

/// Where the database of the queue in `folder` is.
pub(super) fn path(folder: &Path) -> PathBuf {
    folder.join("queue.db")
}

/// Opens the database of the queue in `folder`, which is made if it is missing.
pub(super) fn open(folder: &Path) -> Result<Opened, QueueError> {
    let path = path(folder);
    let unusable = |what: String| QueueError::Unusable { path: path.clone(), what };
    let crashed = prepare(folder, &path)
        .map_err(StoreError::while_doing("cannot use the folder of the queue"))?;

    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut db = Connection::open_with_flags(&path, flags)?;
    db.busy_timeout(Duration::from_secs(5))?;
    db.set_prepared_statement_cache_capacity(64);
    let mode: String = db.query_row("PRAGMA journal_mode = WAL", (), |row| row.get(0))?;
    if mode != "wal" {
        return Err(unusable(format!("its journal cannot be a write-ahead log, only {mode}")));
    }
    db.execute_batch("PRAGMA synchronous = FULL; PRAGMA cache_size = -8192")?;
    match db.query_row("PRAGMA user_version", (), |row| row.get(0))? {
        VERSION => {}
        0 => {
            let transaction = db.transaction()?;
            transaction.execute_batch(include_str!("schema.sql"))?;
            transaction.pragma_update(None, "user_version", VERSION)?;
            transaction.commit()?;
        }
        other => return Err(unusable(format!("it has version {other}, and we know {VERSION}"))),
    }
    if crashed {
        let since = Instant::now();
        let found: String = db.query_row("PRAGMA quick_check(1)", (), |row| row.get(0))?;
        if found != "ok" {
            return Err(unusable(found));
        }
        let milliseconds = since.elapsed().as_millis() as u64;
        tracing::info!(milliseconds, "the queue was not closed; it is whole");
    }
    match_files(&mut db, folder)?;
    let (messages, bytes) =
        db.query_row("SELECT count(*), coalesce(sum(size), 0) FROM message", (), |row| {
            Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get::<_, i64>(1)?.cast_unsigned()))
        })?;
    Ok(Opened { db, messages, bytes })
}

/// Makes the folder and an empty database where they are missing. Gives whether the server before
/// us did not come to close it.
fn prepare(folder: &Path, path: &Path) -> io::Result<bool> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600).open(path)?;
    sync_directory(folder)?;
    if let Some(parent) = folder.parent() {
        sync_directory(parent)?;
    }
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    Ok(fs::metadata(log).is_ok_and(|log| log.len() > 0))
}

/// Removes files that belong to no message: a crash came between the two. A message whose file is
/// missing cannot be delivered: it is removed too.
fn match_files(db: &mut Connection, folder: &Path) -> Result<(), QueueError> {
    let doing = StoreError::while_doing;
    let mut files = HashSet::new();
    for entry in fs::read_dir(folder).map_err(doing("cannot read the folder of the queue"))? {
        let entry = entry.map_err(doing("cannot read the folder of the queue"))?;
        files.extend(entry.file_name().to_str().and_then(MessageId::parse));
    }
    let transaction = db.transaction()?;
    let mut missing = Vec::new();
    {
        let mut select = transaction.prepare("SELECT key, id FROM message WHERE in_file")?;
        let mut rows = select.query(())?;
        while let Some(row) = rows.next()? {
            let id = super::row::id(row, 1)?;
            if !files.remove(&id) {
                missing.push((row.get(0)?, id));
            }
        }
    }
    for (key, id) in missing {
        tracing::error!(id = id.to_string(), "the file of a message is missing: it is lost");
        super::row::delete(&transaction, key)?;
    }
    transaction.commit()?;
    for id in files {
        tracing::warn!(id = id.to_string(), "a file that belongs to no message is removed");
        fs::remove_file(folder.join(id.to_string()))
            .map_err(doing("cannot remove a file of the queue"))?;
    }
    Ok(())
}
