//! The loop between the schedule, the queue and the deliveries.

use super::{Delivered, Settings, Ways};
use crate::{
    dsn::Reporter,
    lane::Feedback,
    message_id::MessageId,
    queue::{Change, Cursor, Entry, Final, QueueError, Settlement, SqliteQueue, Timestamp},
    schedule::{self, Decision, Ended, Load, Schedule, Step, Ticket, Verdict, Work, WorkId},
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{
        Semaphore,
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    },
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

/// The longest sleep: a clock that is set forward is noticed after it.
const SLEEP: Duration = Duration::from_secs(60);

/// When a settlement is tried again for the first time.
const AGAIN: Duration = Duration::from_secs(1);

/// The longest time between two tries of a settlement.
const AGAIN_AT_MOST: Duration = Duration::from_secs(60);

/// Events that are taken at once.
const EVENTS: usize = 256;

/// Settlements with notices that are written down at once: for each a message is read, and in a
/// moment it may be all that waits for a dead destination.
const NOTICES: usize = 16;

/// Tells the [`Dispatcher`] what has happened to the queue. Clones talk to the same.
#[derive(Clone, Debug)]
pub struct Dispatch(UnboundedSender<Event>);

/// Takes messages from the queue to where they go, and writes down what became of them.
#[derive(Debug)]
pub struct Dispatcher {
    schedule: Schedule,
    outside: Arc<Outside>,
    dispatch: Dispatch,
    events: UnboundedReceiver<Event>,
    tasks: JoinSet<()>,
}

/// All that is not the schedule.
#[derive(Debug)]
struct Outside {
    queue: SqliteQueue,
    ways: Ways,
    reporter: Reporter,
    notices: Semaphore,
}

#[derive(Debug)]
enum Event {
    Fresh(Arc<Entry>),
    Forget(MessageId),
    Look,
    Resume,
    Reload(Settings),
    Stop,
    /// `None`: the queue did not answer.
    Loaded(Option<Vec<Entry>>),
    Ended(Ended),
    /// With the reports that have entered the queue.
    Settled(Ticket, Vec<Arc<Entry>>),
}

impl Dispatch {
    /// A message has entered the queue.
    pub fn fresh(&self, entry: Arc<Entry>) {
        self.tell(Event::Fresh(entry));
    }

    /// A message was held, or has left the queue.
    pub fn forget(&self, id: MessageId) {
        self.tell(Event::Forget(id));
    }

    /// Messages are due that were not.
    pub fn look(&self) {
        self.tell(Event::Look);
    }

    /// Destinations that are left alone are to be tried again.
    pub fn resume(&self) {
        self.tell(Event::Resume);
    }

    /// The configuration may have changed. Attempts under way may still follow the one before; what
    /// is told later is done by this one.
    pub fn reload(&self, settings: Settings) {
        self.tell(Event::Reload(settings));
    }

    /// Begins no more attempts. Those under way go on to their end.
    pub fn stop(&self) {
        self.tell(Event::Stop);
    }

    /// Once the dispatcher is gone, what is in the queue waits for the next start.
    fn tell(&self, event: Event) {
        drop(self.0.send(event));
    }
}

impl Dispatcher {
    /// Delivers what is in `queue` as `schedule` says, by `ways`.
    pub fn new(schedule: Schedule, queue: SqliteQueue, ways: Ways, reporter: Reporter) -> Self {
        let (sender, events) = unbounded_channel();
        let notices = Semaphore::new(NOTICES);
        let outside = Arc::new(Outside { queue, ways, reporter, notices });
        Self { schedule, outside, dispatch: Dispatch(sender), events, tasks: JoinSet::new() }
    }

    /// What tells it of events.
    pub fn dispatch(&self) -> Dispatch {
        self.dispatch.clone()
    }

    /// Works until it is told to stop, and what is under way has ended. Dropped before, attempts
    /// are cut, and what became of them may not be in the queue: they will be made again.
    pub async fn run(mut self) {
        let outside = Arc::clone(&self.outside);
        self.tasks.spawn(async move { outside.ways.remote.reap().await });
        let mut events = Vec::new();
        let mut stopped = false;
        loop {
            while self.tasks.try_join_next().is_some() {}
            let wait = self.begin();
            if stopped && self.schedule.is_idle() {
                break;
            }
            let until = wait.map_or(SLEEP, |until| until.since(Timestamp::now()).min(SLEEP));
            // What comes too late for the time is there for the next round.
            let _ = timeout(until, self.events.recv_many(&mut events, EVENTS)).await;
            for event in events.drain(..) {
                stopped |= matches!(event, Event::Stop);
                self.handle(event);
            }
        }
        self.outside.ways.remote.close().await;
    }

    /// Begins all that can be begun. Gives when there will be more, if nothing happens.
    fn begin(&mut self) -> Option<Timestamp> {
        loop {
            match self.schedule.poll(Timestamp::now()) {
                Step::Load(load) => self.load(load),
                Step::Attempt(work) => self.attempt(work),
                Step::Settle(decision) => self.settle(decision),
                Step::Wait(until) => return until,
            }
        }
    }

    fn handle(&mut self, event: Event) {
        let now = Timestamp::now();
        match event {
            Event::Fresh(entry) => self.schedule.fresh(entry, now),
            Event::Forget(id) => self.schedule.forget(id, now),
            Event::Look => self.schedule.look(now),
            Event::Resume => self.schedule.resume(now),
            Event::Reload(settings) => self.reload(settings, now),
            Event::Stop => self.schedule.stop(),
            Event::Loaded(Some(entries)) => self.schedule.loaded(entries, now),
            Event::Loaded(None) => self.schedule.not_loaded(now),
            Event::Ended(ended) => self.schedule.ended(ended, now),
            Event::Settled(ticket, reports) => {
                self.schedule.settled(ticket, now);
                for report in reports {
                    self.schedule.fresh(report, now);
                }
            }
        }
    }

    fn reload(&mut self, settings: Settings, now: Timestamp) {
        let Settings { recipients, directions, router, retry } = settings;
        let Outside { ways, reporter, .. } = &*self.outside;
        ways.local.recipients.store(Arc::new(recipients.clone()));
        reporter.recipients.store(Arc::new(recipients));
        ways.remote.direct(directions);
        reporter.retry.store(Arc::clone(&retry));
        self.schedule.reload(schedule::Options::default(), router, retry, now);
    }

    fn load(&mut self, Load { until, limit }: Load) {
        let (outside, dispatch) = (Arc::clone(&self.outside), self.dispatch());
        self.tasks.spawn(async move {
            let due = outside.queue.due(Cursor::default(), until, limit).await;
            if let Err(error) = &due {
                tracing::error!(reason = error.to_string(), "the queue cannot be read");
            }
            dispatch.tell(Event::Loaded(due.ok().map(|(entries, _)| entries)));
        });
    }

    fn attempt(&mut self, work: Work) {
        let outside = Arc::clone(&self.outside);
        let flight = Flight { dispatch: self.dispatch(), work: work.id, delivered: None };
        self.tasks.spawn(async move {
            let since = Instant::now();
            let delivered = outside.ways.deliver(&outside.queue, &work).await;
            log(&work, &delivered, since);
            flight.land(delivered);
        });
    }

    fn settle(&mut self, decision: Decision) {
        let (outside, dispatch) = (Arc::clone(&self.outside), self.dispatch());
        self.tasks.spawn(async move {
            let reports = outside.settle(&decision).await;
            dispatch.tell(Event::Settled(decision.ticket, reports));
        });
    }
}

impl Outside {
    /// Writes down what was decided, however often it takes: it is true whether there is room on
    /// the disk or not.
    async fn settle(&self, decision: &Decision) -> Vec<Arc<Entry>> {
        let mut again = AGAIN;
        loop {
            let (id, changes) = (decision.entry.id, decision.changes.clone());
            let turn = match decision.notices.is_empty() {
                true => None,
                false => self.notices.acquire().await.ok(),
            };
            let reports = self.reporter.reports(&self.queue, decision).await;
            match self.queue.settle(Settlement { id, changes, reports }).await {
                Ok(settled) => {
                    log_end(decision, settled.unfinished);
                    return settled.reports;
                }
                // Somebody has removed it, and nothing is owed about it.
                Err(QueueError::NoMessage(_) | QueueError::Closed) => return Vec::new(),
                Err(error) => {
                    let (id, reason) = (id.to_string(), error.to_string());
                    tracing::error!(id, reason, "what became of a message cannot be written down");
                }
            }
            drop(turn);
            sleep(again).await;
            again = (2 * again).min(AGAIN_AT_MOST);
        }
    }
}

/// An attempt under way. However its task ends, the schedule hears of it.
struct Flight {
    dispatch: Dispatch,
    work: WorkId,
    delivered: Option<Delivered>,
}

impl Flight {
    fn land(mut self, delivered: Delivered) {
        self.delivered = Some(delivered);
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let delivered = self.delivered.take();
        let Delivered { outcomes, feedback } =
            delivered.unwrap_or_else(|| Delivered::untried(Feedback::Good));
        self.dispatch.tell(Event::Ended(Ended { work: self.work, outcomes, feedback }));
    }
}

/// A line for each recipient that was given up, and one if nothing is left to do.
fn log_end(decision: &Decision, unfinished: u64) {
    let Entry { id, envelope, recipients, received, .. } = &*decision.entry;
    let (id, age) = (id.to_string(), Timestamp::now().since(*received));
    let milliseconds = age.as_millis() as u64;
    for (place, change) in &decision.changes {
        if let Change::Done { state: Final::Failed, attempt } = change
            && let Some(recipient) = recipients.get(*place as usize)
        {
            tracing::info!(
                id,
                to = recipient.to.to_string(),
                attempts = recipient.attempts.saturating_add(1),
                reply = attempt.as_ref().map(|attempt| &*attempt.reply),
                milliseconds,
                "failed"
            );
        }
    }
    if unfinished == 0 {
        let (from, recipients) = (envelope.from.to_string(), recipients.len());
        tracing::info!(id, from, recipients, milliseconds, "gone");
    }
}

/// A line for each recipient, and what was said if it did not work.
fn log(work: &Work, delivered: &Delivered, since: Instant) {
    for (place, outcome) in work.recipients.iter().zip(&delivered.outcomes) {
        let Some(recipient) = work.entry.recipients.get(*place as usize) else { continue };
        let said = match outcome.verdict {
            Verdict::Delivered => "delivered",
            Verdict::Relayed { .. } => "relayed",
            Verdict::Delayed => "delayed",
            Verdict::Failed => "failed",
        };
        tracing::info!(
            id = work.entry.id.to_string(),
            from = work.entry.envelope.from.to_string(),
            to = recipient.to.to_string(),
            route = work.route.to_string(),
            host = outcome.attempt.host,
            attempt = recipient.attempts.saturating_add(1),
            outcome = said,
            reply = outcome.attempt.reply,
            milliseconds = since.elapsed().as_millis() as u64,
            "delivery"
        );
        if let Some(dialogue) = &outcome.attempt.dialogue {
            tracing::debug!(id = work.entry.id.to_string(), dialogue = &**dialogue, "dialogue");
        }
    }
}
