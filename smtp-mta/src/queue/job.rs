//! The work of the one thread that writes, and how it becomes groups.

use super::{Change, Entry, QueueError, State, body::Body, row::Stored};
use crate::message_id::MessageId;
use std::{
    sync::{Arc, mpsc::Receiver},
    time::{Duration, Instant},
};
use tokio::sync::oneshot;

/// How much work one transaction does at most, so that nobody waits long for the others.
const GROUP: usize = 256;

/// Octets of messages after which a transaction takes no more.
const GROUP_BYTES: u64 = 4 << 20;

/// Something to write, and whom to tell. The number depends on the work.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) work: Work,
    pub(super) reply: oneshot::Sender<Result<u64, QueueError>>,
}

#[derive(Debug)]
pub(super) enum Work {
    Enqueue(Arrival),
    /// Gives how many recipients are not finished.
    Settle {
        id: MessageId,
        changes: Vec<(u32, Change)>,
        reports: Vec<Arrival>,
    },
    /// Makes the change where the recipient still is in that state. Gives for how many it was.
    Change {
        change: Change,
        from: State,
        recipients: Vec<(MessageId, u32)>,
    },
    /// Gives how many messages it was.
    Delete(Vec<MessageId>),
    /// All work before is done, and there will be no more.
    Close,
}

/// A message that enters the queue.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) entry: Arc<Entry>,
    pub(super) stored: Stored,
    pub(super) body: Body,
}

impl Job {
    /// Whether nobody waits for it to be written.
    pub(super) fn can_wait(&self) -> bool {
        matches!(self.work, Work::Settle { .. })
    }

    /// Octets that it brings into the database, about.
    fn bytes(&self) -> u64 {
        match &self.work {
            Work::Enqueue(Arrival { body: Body::Inline(octets), .. }) => octets.len() as u64,
            _ => 0,
        }
    }

    pub(super) fn answer(mut self, answer: Result<u64, QueueError>) {
        if answer.is_ok() {
            let reports = match &mut self.work {
                Work::Enqueue(arrival) => std::slice::from_mut(arrival),
                Work::Settle { reports, .. } => reports,
                _ => &mut [],
            };
            for arrival in reports {
                if let Body::File(placed) = &mut arrival.body {
                    placed.keep();
                }
            }
        }
        // Who does not wait for it any more has seen to that.
        drop(self.reply.send(answer));
    }
}

/// How long a group waits for more work.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// While it has settlements only, for which nobody waits.
    pub(super) settlements: Duration,
    /// Otherwise.
    pub(super) others: Duration,
}

/// Takes the work that waits into `group`, and what comes while its patience lasts.
pub(super) fn gather(group: &mut Vec<Job>, jobs: &Receiver<Job>, patience: Patience) {
    let began = Instant::now();
    let mut bytes: u64 = group.iter().map(Job::bytes).sum();
    let mut can_wait = group.iter().all(Job::can_wait);
    while group.len() < GROUP && bytes < GROUP_BYTES {
        let patience = if can_wait { patience.settlements } else { patience.others };
        let Ok(job) = jobs.recv_timeout(patience.saturating_sub(began.elapsed())) else { return };
        bytes += job.bytes();
        can_wait &= job.can_wait();
        group.push(job);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message_id::MessageIds;
    use std::sync::mpsc::{Sender, channel};

    const LONG: Duration = Duration::from_secs(60);

    fn send(jobs: &Sender<Job>, work: Work) {
        jobs.send(Job { work, reply: oneshot::channel().0 }).unwrap();
    }

    fn settle(jobs: &Sender<Job>) {
        let id = MessageIds::new().unwrap().next();
        send(jobs, Work::Settle { id, changes: Vec::new(), reports: Vec::new() });
    }

    fn gathered(jobs: &Receiver<Job>, settlements: Duration) -> usize {
        gathered_by(jobs, Patience { settlements, others: Duration::ZERO })
    }

    fn gathered_by(jobs: &Receiver<Job>, patience: Patience) -> usize {
        let mut group = vec![jobs.recv().unwrap()];
        gather(&mut group, jobs, patience);
        group.len()
    }

    #[test]
    fn settlements_go_with_the_next_work() {
        let (sender, jobs) = channel();
        settle(&sender);
        let later = std::thread::spawn(move || {
            settle(&sender);
            send(&sender, Work::Delete(Vec::new()));
            sender
        });
        assert_eq!(gathered(&jobs, LONG), 3);
        drop(later.join());
    }

    #[test]
    fn settlements_alone_do_not_wait_for_ever() {
        let (sender, jobs) = channel();
        settle(&sender);
        assert_eq!(gathered(&jobs, Duration::from_millis(1)), 1);
        (0..2 * GROUP).for_each(|_| settle(&sender));
        assert_eq!(gathered(&jobs, LONG), GROUP);
    }

    #[test]
    fn a_busy_queue_waits_for_the_next_message_as_well() {
        let (sender, jobs) = channel();
        send(&sender, Work::Delete(Vec::new()));
        let later = std::thread::spawn(move || {
            // The other end waits for this one, or for the end of them all.
            send(&sender, Work::Delete(Vec::new()));
            settle(&sender);
        });
        let patience = Patience { settlements: LONG, others: LONG };
        assert_eq!(gathered_by(&jobs, patience), 3);
        drop(later.join());
    }

    #[test]
    fn all_other_work_goes_at_once() {
        let (sender, jobs) = channel();
        let since = Instant::now();
        send(&sender, Work::Delete(Vec::new()));
        assert_eq!(gathered(&jobs, LONG), 1);
        send(&sender, Work::Close);
        settle(&sender);
        assert_eq!(gathered(&jobs, LONG), 2);
        assert!(since.elapsed() < LONG);
    }
}
