//! The queue as one SQLite database, with files for long messages beside it.

use super::{
    Change, Entry, Filter, Full, NewMessage, QueueError, Recipient, Settlement, State, StoredBody,
    Timestamp, body,
    job::{Arrival, Job, Work},
    open::{self, Opened},
    reader::{self, Readers},
    recent::Recent,
    room::Room,
    writer::{Log, Writer},
};
use crate::message_id::MessageId;
use rusqlite::Connection;
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc,
    },
    thread,
};
use tokio::{sync::oneshot, task::spawn_blocking};

/// Messages that are looked up at once when many are changed: as names, a megabyte or two.
const PAGE: usize = 65_536;

/// How many of them one transaction changes at most, so that nobody waits long for it.
const CHUNK: usize = 256;

/// How much the queue may hold, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Octets of the longest message that goes into the database; a longer one has a file.
    pub inline_limit: usize,
    /// Messages in the queue.
    pub max_messages: u64,
    /// Octets of all messages in the queue.
    pub max_bytes: u64,
    /// Octets of the disk that are left free: for reports, and for whoever else lives there.
    pub reserve: u64,
}

impl Default for Options {
    /// Messages up to 64 KiB in the database, no limits but those of the disk, of which 64 MiB are
    /// left.
    fn default() -> Self {
        let (max_messages, max_bytes) = (u64::MAX, u64::MAX);
        Self { inline_limit: 64 << 10, max_messages, max_bytes, reserve: 64 << 20 }
    }
}

/// A place in the order in which recipients are due. The default is before all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub(super) next: i64,
    pub(super) key: i64,
}

impl Default for Cursor {
    fn default() -> Self {
        Self { next: i64::MIN, key: 0 }
    }
}

/// How much is in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    /// Messages.
    pub messages: u64,
    /// Octets of all messages.
    pub bytes: u64,
    /// Recipients that wait for an attempt.
    pub waiting: u64,
    /// Recipients that are held.
    pub held: u64,
    /// When the oldest message arrived.
    pub oldest: Option<Timestamp>,
    /// Transactions that were written since the start; each costs one sync of the disk.
    pub commits: u64,
    /// Messages whose octets were read from the disk since the start.
    pub reads: u64,
}

/// The queue. A handle: its clones are the same queue.
///
/// What it has answered survives a power cut. Everything that changes it goes through one thread,
/// and work that waits at the same time shares one sync of the disk. A folder must not be opened
/// twice at the same time; [`DataDir`](crate::data_dir::DataDir) sees to that.
#[derive(Clone, Debug)]
pub struct SqliteQueue(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    inline_limit: usize,
    jobs: mpsc::Sender<Job>,
    readers: Readers,
    room: Arc<Room>,
    log: Arc<Log>,
    recent: Arc<Recent>,
    /// Messages whose octets were read from the disk.
    reads: AtomicU64,
}

impl SqliteQueue {
    /// Opens the queue in `folder`, which is made if it is missing, and puts right what a crash
    /// left. Blocks.
    ///
    /// # Errors
    /// The folder or the database cannot be used, or is damaged.
    pub fn open(folder: PathBuf, options: Options) -> Result<Self, QueueError> {
        let opened = open::open(&folder)?;
        Self::start(folder, options, opened)
    }

    pub(super) fn start(
        folder: PathBuf,
        options: Options,
        Opened { db, messages, bytes }: Opened,
    ) -> Result<Self, QueueError> {
        let room = Arc::new(Room::new(folder.clone(), options, messages, bytes));
        let log = Arc::new(Log::default());
        let recent = Arc::new(Recent::default());
        let (shared, keeping) = (Arc::clone(&room), Arc::clone(&recent));
        let writer = Writer::new(db, folder.clone(), shared, Arc::clone(&log), keeping)?;
        let (jobs, work) = mpsc::channel();
        thread::Builder::new()
            .name("queue".into())
            .spawn(move || writer.run(&work))
            .map_err(crate::store::StoreError::while_doing("cannot start a thread"))?;
        let readers = Readers::new(open::path(&folder));
        let (inline_limit, reads) = (options.inline_limit, AtomicU64::new(0));
        let inner = Inner { folder, inline_limit, jobs, readers, room, log, recent, reads };
        Ok(Self(Arc::new(inner)))
    }

    /// Has the limits of `options` from now on; what is in the queue stays, however much it is. How
    /// long a message in the database may be does not change.
    pub fn limit(&self, options: &Options) {
        self.0.room.limit(options);
    }

    /// Whether a message of `size` octets, 0 if that is unknown, may come. Asks at most the disk,
    /// and that at most once a second.
    ///
    /// # Errors
    /// Why not.
    pub fn admits(&self, size: u64) -> Result<(), Full> {
        self.0.room.in_queue(0, 0, size)?;
        self.0.room.on_disk(size)
    }

    /// Takes a message over. Done means: it would survive a power cut. What is given back is what
    /// would be read from the queue.
    ///
    /// If this is dropped before it is done, the message leaves the queue again, should it have
    /// come that far.
    ///
    /// # Errors
    /// The message is not in the queue.
    pub async fn enqueue(&self, message: NewMessage) -> Result<Arc<Entry>, QueueError> {
        let arrival = self.arrival(message).await?;
        self.0.room.on_disk(0)?;
        let entry = Arc::clone(&arrival.entry);
        let mut taking = Taking { jobs: Some(&self.0.jobs), id: entry.id };
        let answer = self.submit(Work::Enqueue(arrival)).await;
        taking.jobs = None;
        answer.map(|_| entry)
    }

    /// Writes down what has become of a message: all of it, or nothing. A message without an
    /// unfinished recipient leaves the queue. Gives the reports, now in the queue; none is left if
    /// the message is gone. While the disk has no room, this waits.
    ///
    /// # Errors
    /// [`QueueError::NoMessage`] if somebody has removed it meanwhile.
    pub async fn settle(&self, settlement: Settlement) -> Result<Settled, QueueError> {
        let mut reports = Vec::with_capacity(settlement.reports.len());
        for report in settlement.reports {
            reports.push(self.arrival(report).await?);
        }
        let entries = reports.iter().map(|report| Arc::clone(&report.entry)).collect();
        let Settlement { id, changes, .. } = settlement;
        let unfinished = self.submit(Work::Settle { id, changes, reports }).await?;
        Ok(Settled { unfinished, reports: entries })
    }

    /// The messages that have a waiting recipient behind `after` and not behind `until`, `limit` of
    /// them at most, the earliest first; and where to go on from. Each comes once, by its earliest
    /// recipient.
    ///
    /// # Errors
    /// The database failed.
    pub async fn due(
        &self,
        after: Cursor,
        until: Timestamp,
        limit: usize,
    ) -> Result<(Vec<Entry>, Cursor), QueueError> {
        self.ask(move |db, _| reader::due(db, after, until, limit)).await
    }

    /// When the first recipient behind `after` is due.
    ///
    /// # Errors
    /// The database failed.
    pub async fn next_due(&self, after: Cursor) -> Result<Option<Timestamp>, QueueError> {
        self.ask(move |db, _| reader::next_due(db, after)).await
    }

    /// The octets of a message; those of a short one that has just come are still in memory. It may
    /// leave the queue while they are read.
    ///
    /// # Errors
    /// There is no such message, or it is damaged.
    pub async fn body(&self, id: MessageId) -> Result<StoredBody, QueueError> {
        if let Some(octets) = self.0.recent.octets(id) {
            return Ok(StoredBody::memory(octets));
        }
        self.0.reads.fetch_add(1, Relaxed);
        self.ask(move |db, inner| reader::body(db, &inner.folder, id)).await
    }

    /// The messages that `filter` means, behind `after`, `limit` of them at most, the oldest first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn find(
        &self,
        filter: Filter,
        after: Option<MessageId>,
        limit: usize,
    ) -> Result<Vec<Entry>, QueueError> {
        self.ask(move |db, _| reader::find(db, &filter, after, limit)).await
    }

    /// The names of the messages that `filter` means, as by [`find`](Self::find).
    ///
    /// # Errors
    /// The database failed.
    pub async fn names(
        &self,
        filter: Filter,
        after: Option<MessageId>,
        limit: usize,
    ) -> Result<Vec<MessageId>, QueueError> {
        self.ask(move |db, _| reader::messages(db, &filter, after, limit)).await
    }

    /// Holds those that are waiting. An attempt under way is not stopped. Gives how many
    /// recipients it was.
    ///
    /// # Errors
    /// The database failed; some may be held.
    pub async fn hold(&self, filter: Filter) -> Result<u64, QueueError> {
        self.change(filter, State::Waiting, Change::Hold).await
    }

    /// Makes those due now that are held. Gives how many recipients it was.
    ///
    /// # Errors
    /// The database failed; some may be released.
    pub async fn release(&self, filter: Filter, now: Timestamp) -> Result<u64, QueueError> {
        self.change(filter, State::Held, Change::Release { at: now }).await
    }

    /// Makes those due now that are waiting. Gives how many recipients it was.
    ///
    /// # Errors
    /// The database failed; some may be due.
    pub async fn retry(&self, filter: Filter, now: Timestamp) -> Result<u64, QueueError> {
        self.change(filter, State::Waiting, Change::Release { at: now }).await
    }

    async fn change(
        &self,
        mut filter: Filter,
        from: State,
        change: Change,
    ) -> Result<u64, QueueError> {
        if *filter.state.get_or_insert(from) != from {
            return Ok(0);
        }
        let filter = Arc::new(filter);
        let (mut count, mut after) = (0, None);
        loop {
            let filter = Arc::clone(&filter);
            let page = move |db: &_, _: &_| reader::recipients(db, &filter, after, PAGE);
            let recipients = self.ask(page).await?;
            let Some((last, _)) = recipients.last() else { return Ok(count) };
            after = Some(*last);
            for recipients in recipients.chunks(CHUNK) {
                let (change, recipients) = (change.clone(), recipients.to_vec());
                count += self.submit(Work::Change { change, from, recipients }).await?;
            }
        }
    }

    /// Removes messages with all their recipients, without a report. An attempt under way is not
    /// stopped; its settlement finds no message. Gives how many messages it was.
    ///
    /// # Errors
    /// The database failed; some may be removed.
    pub async fn delete(&self, filter: Filter) -> Result<u64, QueueError> {
        let filter = Arc::new(filter);
        let (mut count, mut after) = (0, None);
        loop {
            let filter = Arc::clone(&filter);
            let page = move |db: &_, _: &_| reader::messages(db, &filter, after, PAGE);
            let ids = self.ask(page).await?;
            let Some(last) = ids.last() else { return Ok(count) };
            after = Some(*last);
            for ids in ids.chunks(CHUNK) {
                count += self.submit(Work::Delete(ids.to_vec())).await?;
            }
        }
    }

    /// How much there is.
    ///
    /// # Errors
    /// The database failed.
    pub async fn totals(&self) -> Result<Totals, QueueError> {
        let (waiting, held, oldest) = self.ask(|db, _| reader::totals(db)).await?;
        let Inner { room, log, reads, .. } = &*self.0;
        let (messages, bytes) = (room.messages(), room.bytes());
        let (commits, reads) = (log.commits.load(Relaxed), reads.load(Relaxed));
        Ok(Totals { messages, bytes, waiting, held, oldest, commits, reads })
    }

    /// Does what was asked for, writes everything into the database, and closes it.
    ///
    /// # Errors
    /// It was closed before.
    pub async fn close(&self) -> Result<(), QueueError> {
        self.0.readers.close();
        self.submit(Work::Close).await.map(drop)
    }

    /// Brings the octets of a message to where they belong.
    async fn arrival(&self, message: NewMessage) -> Result<Arrival, QueueError> {
        let NewMessage { id, envelope, recipients, body, received } = message;
        if recipients.iter().all(|recipient| recipient.is_expanded) {
            return Err(QueueError::Unacceptable(id));
        }
        let (body, stored) = body::place(&self.0.folder, self.0.inline_limit, id, body).await?;
        let recipients = recipients.into_iter().map(|new| Recipient::new(new, received)).collect();
        let entry = Arc::new(Entry { id, envelope, size: stored.size, received, recipients });
        Ok(Arrival { entry, stored, body })
    }

    async fn submit(&self, work: Work) -> Result<u64, QueueError> {
        let (reply, answer) = oneshot::channel();
        self.0.jobs.send(Job { work, reply }).map_err(|_| QueueError::Closed)?;
        answer.await.map_err(|_| QueueError::Closed)?
    }

    /// Asks on a thread that may block.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection, &Inner) -> Result<T, QueueError> + Send + 'static,
    ) -> Result<T, QueueError> {
        let inner = Arc::clone(&self.0);
        let asking = spawn_blocking(move || inner.readers.ask(|db| question(db, &inner)));
        asking.await.map_err(|_| QueueError::Closed)?
    }
}

/// What a settlement came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Recipients that wait or are held; with none, the message is gone.
    pub unfinished: u64,
    /// The reports, as they are in the queue.
    pub reports: Vec<Arc<Entry>>,
}

/// A message that is on its way into the queue, and leaves it again if nobody waits for it.
struct Taking<'q> {
    jobs: Option<&'q mpsc::Sender<Job>>,
    id: MessageId,
}

impl Drop for Taking<'_> {
    fn drop(&mut self) {
        if let Some(jobs) = self.jobs {
            let work = Work::Delete(vec![self.id]);
            // Where the queue is closed, the message stays: it comes twice rather than never.
            drop(jobs.send(Job { work, reply: oneshot::channel().0 }));
        }
    }
}
