//! The one thread that writes to the database.
//!
//! It takes all the work that waits, does it in one transaction, which the disk confirms once, and
//! then answers each. Who is alone is not kept waiting for others, but for settlements: nobody
//! waits for those, so they go with what comes next, or alone a little later.

use super::{
    Change, Full, QueueError, Recipient, State,
    body::Body,
    error::is_disk_full,
    job::{Arrival, Job, Patience, Work, gather},
    recent::Recent,
    room::Room,
    row,
};
use crate::message_id::MessageId;
use bytes::Bytes;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior};
use std::{
    collections::BTreeMap,
    fs, mem,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

/// How long settlements wait for other work to share its transaction. For so long a crash has a
/// message sent again that the next server already has.
const SETTLEMENTS: Duration = Duration::from_millis(10);

/// How long a message waits for others to share its transaction, if the one before was shared: those
/// who had a part in it are about to bring their next. A message alone never waits.
const OTHERS: Duration = Duration::from_millis(1);

/// Pages after which the log of the database is copied into it: 8 MiB. With a group on top, the log
/// stays below the ballast.
const CHECKPOINT: u64 = 2048;

/// When a settlement that could not be written is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// What the log of the database came to, as its hook tells.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// Transactions that were written.
    pub(super) commits: AtomicU64,
    /// Pages in the log since it began anew.
    pages: AtomicU64,
}

pub(super) struct Writer {
    db: Connection,
    folder: PathBuf,
    room: Arc<Room>,
    log: Arc<Log>,
    recent: Arc<Recent>,
    /// Pages of the log at which it is copied into the database.
    checkpoint_at: u64,
    /// Settlements that could not be written. They are true whether the disk has room or not, so
    /// they are tried until they are written.
    unwritten: Vec<Job>,
    /// Files of messages that are gone.
    files: Vec<PathBuf>,
}

/// What a transaction does beside the database, once it is written.
#[derive(Debug, Default)]
struct Effects {
    messages: i64,
    bytes: i64,
    files: Vec<PathBuf>,
    /// The octets that have come.
    arrived: Vec<(MessageId, Bytes)>,
    /// Messages that are gone, or whose next attempt is some time away.
    done: Vec<MessageId>,
}

impl Writer {
    pub(super) fn new(
        mut db: Connection,
        folder: PathBuf,
        room: Arc<Room>,
        log: Arc<Log>,
        recent: Arc<Recent>,
    ) -> rusqlite::Result<Self> {
        let hook = Arc::clone(&log);
        db.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages: i32| {
            hook.commits.fetch_add(1, Relaxed);
            hook.pages.store(u64::try_from(pages).unwrap_or_default(), Relaxed);
            Ok(())
        }))?;
        let (unwritten, files) = (Vec::new(), Vec::new());
        Ok(Self { db, folder, room, log, recent, checkpoint_at: CHECKPOINT, unwritten, files })
    }

    /// Works until it is told to close, or nobody is left who could have work. Blocks.
    pub(super) fn run(mut self, jobs: &Receiver<Job>) {
        self.count_spare();
        let (mut closing, mut was_shared) = (None, false);
        while closing.is_none() {
            let mut group = mem::take(&mut self.unwritten);
            let first = if group.is_empty() {
                jobs.recv().map_err(RecvTimeoutError::from)
            } else {
                jobs.recv_timeout(AGAIN)
            };
            match first {
                Ok(job) => group.push(job),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            let others = if was_shared { OTHERS } else { Duration::ZERO };
            gather(&mut group, jobs, Patience { settlements: SETTLEMENTS, others });
            was_shared = group.iter().filter(|job| !job.can_wait()).nth(1).is_some();
            if let Some(place) = group.iter().position(|job| matches!(job.work, Work::Close)) {
                closing = Some(group.swap_remove(place).reply);
                group.extend(jobs.try_iter().filter(|job| !matches!(job.work, Work::Close)));
            }
            self.commit(group);
            self.tidy();
        }
        self.finish();
        if let Some(closing) = closing {
            // Nobody waits for it any more.
            drop(closing.send(Ok(0)));
        }
    }

    /// Does `jobs` in one transaction and answers them; if that fails, one by one.
    fn commit(&mut self, mut jobs: Vec<Job>) {
        let error = match self.transaction(&jobs) {
            Ok(answers) => {
                return jobs.into_iter().zip(answers).for_each(|(job, answer)| job.answer(answer));
            }
            Err(error) => error,
        };
        let (alone, full) = (jobs.len() == 1, is_disk_full(&error));
        if full {
            let newcomers = |job: &mut Job| matches!(job.work, Work::Enqueue(_));
            for job in jobs.extract_if(.., newcomers) {
                job.answer(Err(Full::Disk.into()));
            }
        }
        let made_room = full && self.make_room();
        if alone
            && !made_room
            && let Some(job) = jobs.pop()
        {
            return self.fail(job, error);
        }
        for job in jobs {
            self.commit(vec![job]);
        }
    }

    /// Gives up the ballast so that what is in the log goes into the database, and the room of the
    /// log can be used again: for the messages that leave. Gives whether that was done.
    fn make_room(&self) -> bool {
        if !self.room.drop_ballast() {
            return false;
        }
        tracing::error!("the disk is full: no message is accepted until there is room");
        self.checkpoint("PASSIVE").unwrap_or(false)
    }

    fn fail(&mut self, job: Job, error: rusqlite::Error) {
        let is_there = error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation);
        match &job.work {
            Work::Enqueue(Arrival { entry, .. }) if is_there => {
                let id = entry.id;
                job.answer(Err(QueueError::Unacceptable(id)));
            }
            Work::Settle { .. } if !is_there && !row::is_damage(&error) => {
                if self.unwritten.is_empty() {
                    let reason = error.to_string();
                    tracing::error!(reason, "what became of messages could not be written yet");
                }
                self.unwritten.push(job);
            }
            _ => job.answer(Err(error.into())),
        }
    }

    /// Either all of it is on the disk, or nothing has changed.
    fn transaction(&mut self, jobs: &[Job]) -> rusqlite::Result<Vec<Result<u64, QueueError>>> {
        let mut effects = Effects::default();
        let db = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut answers = Vec::with_capacity(jobs.len());
        for job in jobs {
            answers.push(match &job.work {
                Work::Enqueue(arrival) => {
                    let size = arrival.stored.size;
                    match self.room.in_queue(effects.messages, effects.bytes, size) {
                        Ok(()) => effects.arrive(&db, arrival).map(|()| Ok(1)),
                        Err(full) => Ok(Err(full.into())),
                    }
                }
                Work::Settle { id, changes, reports } => effects.settle(&db, *id, changes, reports),
                Work::Change { change, from, recipients } => {
                    change_each(&db, change, *from, recipients).map(Ok)
                }
                Work::Delete(ids) => effects.delete(&db, ids).map(Ok),
                Work::Close => Ok(Ok(0)),
            }?);
        }
        db.commit()?;
        self.room.changed(effects.messages, effects.bytes);
        self.recent.change(effects.arrived, effects.done, Instant::now());
        self.files.extend(effects.files.into_iter().map(|file| self.folder.join(file)));
        Ok(answers)
    }

    /// What can be done once everybody has an answer.
    fn tidy(&mut self) {
        for file in self.files.drain(..) {
            if let Err(error) = fs::remove_file(&file) {
                let (path, reason) = (file.display().to_string(), error.to_string());
                tracing::warn!(path, reason, "the file of a finished message stays");
            }
        }
        let pages = self.log.pages.load(Relaxed);
        if pages >= self.checkpoint_at || !self.room.has_ballast() {
            self.count_spare();
        }
        if pages >= self.checkpoint_at {
            // A reader may hold back a part of it. A log that grows because there is no room for
            // its content would soon be longer than the ballast.
            let whole = self.checkpoint("PASSIVE").unwrap_or_else(|error| {
                let reason = error.to_string();
                tracing::error!(reason, "the log of the queue could not be copied");
                is_disk_full(&error) && self.make_room()
            });
            self.checkpoint_at = if whole { CHECKPOINT } else { pages + CHECKPOINT };
        }
    }

    /// Sees how much room there is in the database itself.
    fn count_spare(&self) {
        let count = |pragma| self.db.pragma_query_value(None, pragma, |row| row.get::<_, u32>(0));
        if let (Ok(pages), Ok(size)) = (count("freelist_count"), count("page_size")) {
            self.room.has_spare(u64::from(pages) * u64::from(size));
        }
    }

    /// Copies the log into the database. Gives whether that was all of it.
    fn checkpoint(&self, mode: &str) -> rusqlite::Result<bool> {
        self.db.query_row(&format!("PRAGMA wal_checkpoint({mode})"), (), |row| {
            Ok(row.get::<_, i64>(0)? == 0 && row.get::<_, i64>(1)? == row.get::<_, i64>(2)?)
        })
    }

    fn finish(self) {
        for job in &self.unwritten {
            if let Work::Settle { id, .. } = job.work {
                let id = id.to_string();
                tracing::error!(id, "what became of a message is lost: it will be tried again");
            }
        }
        let copied = self.checkpoint("TRUNCATE").map(drop);
        if let Err(error) = copied.and(self.db.close().map_err(|(_, error)| error)) {
            tracing::error!(reason = error.to_string(), "the queue could not be closed");
        }
    }
}

impl Effects {
    fn arrive(&mut self, db: &Transaction<'_>, arrival: &Arrival) -> rusqlite::Result<()> {
        let key = row::insert(db, &arrival.entry, arrival.stored)?;
        if let Body::Inline(octets) = &arrival.body {
            db.prepare_cached("INSERT INTO body (message, octets) VALUES (?, ?)")?
                .execute((key, &**octets))?;
            self.arrived.push((arrival.entry.id, octets.clone()));
        }
        self.messages += 1;
        self.bytes += arrival.stored.size.cast_signed();
        Ok(())
    }

    fn settle(
        &mut self,
        db: &Transaction<'_>,
        id: MessageId,
        changes: &[(u32, Change)],
        reports: &[Arrival],
    ) -> rusqlite::Result<Result<u64, QueueError>> {
        let Some(message) = find(db, id)? else { return Ok(Err(QueueError::NoMessage(id))) };
        let mut changed: BTreeMap<u32, Recipient> = BTreeMap::new();
        let mut finished = 0;
        for (place, change) in changes {
            if !changed.contains_key(place) {
                let Some(recipient) = row::recipient_at(db, message.key, *place)? else {
                    return Ok(Err(QueueError::NoRecipient(id, *place)));
                };
                changed.insert(*place, recipient);
            }
            if let Some(recipient) = changed.get_mut(place) {
                let was_final = recipient.state.is_final();
                recipient.apply(change);
                finished += u64::from(recipient.state.is_final() && !was_final);
            }
        }
        let unfinished = message.unfinished.saturating_sub(finished);
        if unfinished == 0 {
            self.remove(db, id, &message)?;
        } else {
            for (place, recipient) in &changed {
                row::update(db, message.key, *place, recipient)?;
            }
            if finished > 0 {
                db.prepare_cached("UPDATE message SET unfinished = ? WHERE key = ?")?
                    .execute((unfinished.cast_signed(), message.key))?;
            }
            if changes.iter().any(|(_, change)| matches!(change, Change::Wait { .. })) {
                self.done.push(id);
            }
        }
        for report in reports {
            self.arrive(db, report)?;
        }
        Ok(Ok(unfinished))
    }

    fn delete(&mut self, db: &Transaction<'_>, ids: &[MessageId]) -> rusqlite::Result<u64> {
        let mut count = 0;
        for id in ids {
            if let Some(message) = find(db, *id)? {
                self.remove(db, *id, &message)?;
                count += 1;
            }
        }
        Ok(count)
    }

    fn remove(
        &mut self,
        db: &Transaction<'_>,
        id: MessageId,
        message: &Found,
    ) -> rusqlite::Result<()> {
        row::delete(db, message.key)?;
        self.messages -= 1;
        self.bytes -= message.size;
        self.done.push(id);
        if message.in_file {
            self.files.push(id.to_string().into());
        }
        Ok(())
    }
}

fn change_each(
    db: &Transaction<'_>,
    change: &Change,
    from: State,
    recipients: &[(MessageId, u32)],
) -> rusqlite::Result<u64> {
    let mut count = 0;
    for (id, place) in recipients {
        let Some(message) = find(db, *id)? else { continue };
        let Some(mut recipient) = row::recipient_at(db, message.key, *place)? else { continue };
        if recipient.state == from {
            recipient.apply(change);
            row::update(db, message.key, *place, &recipient)?;
            count += 1;
        }
    }
    Ok(count)
}

/// A message, as far as the writer has to know it.
struct Found {
    key: i64,
    size: i64,
    in_file: bool,
    unfinished: u64,
}

fn find(db: &Transaction<'_>, id: MessageId) -> rusqlite::Result<Option<Found>> {
    db.prepare_cached("SELECT key, size, in_file, unfinished FROM message WHERE id = ?")?
        .query_row([id.to_string()], |row| {
            let unfinished = row.get::<_, i64>(3)?.cast_unsigned();
            Ok(Found { key: row.get(0)?, size: row.get(1)?, in_file: row.get(2)?, unfinished })
        })
        .optional()
}
