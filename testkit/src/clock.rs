//! Virtual time: a single-threaded executor whose clock stands still while anything can run, and
//! jumps to the earliest deadline when nothing can.
//!
//! Hours pass in microseconds, and the same test runs the same way each time: tasks run in the
//! order in which they were woken, timers fire in the order of their deadlines, then of their
//! making.

use crate::lock;
use smtp_driver::{Runtime, Timer};
use smtp_proto::Instant;
use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    future::Future,
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

/// An executor and its clock, which starts at [`Instant::ZERO`]. Clones are the same executor.
#[derive(Clone, Default)]
pub struct VirtualRuntime {
    state: Arc<Mutex<State>>,
}

type BoxedTask = Pin<Box<dyn Future<Output = ()> + Send>>;

#[derive(Default)]
struct State {
    now: Instant,
    last_id: u64,
    /// Tasks that wait. The one that is running is not here.
    tasks: BTreeMap<u64, BoxedTask>,
    /// Tasks to run, each once.
    ready: VecDeque<u64>,
    /// Timers with a deadline to come, and whom to wake.
    timers: BTreeMap<(Instant, u64), Waker>,
}

impl State {
    fn new_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }
}

/// The future given to `run_until`; tasks count from 1.
const MAIN: u64 = 0;

impl VirtualRuntime {
    /// A new executor, at the origin of its clock.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a task. It runs while `run_until`, `run_for` or `run_ready` runs.
    pub fn spawn<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Task<T> {
        let slot = Arc::new(Mutex::new(Slot { value: None, finished: false, waiter: None }));
        let result = slot.clone();
        let task = Box::pin(async move {
            let value = future.await;
            let mut slot = lock(&result);
            slot.value = Some(value);
            slot.finished = true;
            if let Some(waiter) = slot.waiter.take() {
                waiter.wake();
            }
        });
        let mut state = lock(&self.state);
        let id = state.new_id();
        state.tasks.insert(id, task);
        state.ready.push_back(id);
        Task(slot)
    }

    /// Runs until `future` is done, letting time pass whenever nothing else can happen.
    ///
    /// # Panics
    /// If nothing can ever happen again: no task can run and no timer is set.
    pub fn run_until<T>(&self, future: impl Future<Output = T>) -> T {
        self.try_run_until(future).expect("nothing can happen any more, and no timer is set")
    }

    /// The same; `None` where that would panic, as for a future that waits for another runtime's
    /// timer.
    pub fn try_run_until<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let mut future = pin!(future);
        let waker = self.waker(MAIN);
        lock(&self.state).ready.push_back(MAIN);
        loop {
            while let Some(id) = self.next_ready() {
                if id != MAIN {
                    self.run_task(id);
                } else if let Poll::Ready(value) =
                    future.as_mut().poll(&mut Context::from_waker(&waker))
                {
                    return Some(value);
                }
            }
            if !self.jump(None) {
                return None;
            }
        }
    }

    /// Lets `duration` pass, and runs all that happens in it.
    pub fn run_for(&self, duration: Duration) {
        let end = self.now() + duration;
        loop {
            self.run_ready();
            if !self.jump(Some(end)) {
                lock(&self.state).now = end;
                return;
            }
        }
    }

    /// Runs what can run at this moment; no time passes.
    pub fn run_ready(&self) {
        while let Some(id) = self.next_ready() {
            self.run_task(id);
        }
    }

    /// Waits for `duration` to pass.
    #[must_use]
    pub fn sleep(&self, duration: Duration) -> Sleep {
        let mut timer = self.timer();
        timer.set(Some(self.now() + duration));
        Sleep(timer)
    }

    fn waker(&self, id: u64) -> Waker {
        Waker::from(Arc::new(TaskWaker { id, state: self.state.clone() }))
    }

    fn next_ready(&self) -> Option<u64> {
        lock(&self.state).ready.pop_front()
    }

    fn run_task(&self, id: u64) {
        // Out of the table while it runs: it may spawn, wake and set timers.
        let Some(mut task) = lock(&self.state).tasks.remove(&id) else { return };
        let waker = self.waker(id);
        if task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            lock(&self.state).tasks.insert(id, task);
        }
    }

    /// Goes to the earliest deadline that is not after `end` and wakes all that wait for it;
    /// whether there was one.
    fn jump(&self, end: Option<Instant>) -> bool {
        let mut state = lock(&self.state);
        let Some((&(at, _), _)) = state.timers.first_key_value() else { return false };
        if end.is_some_and(|end| at > end) {
            return false;
        }
        state.now = state.now.max(at);
        let later = state.timers.split_off(&(at, u64::MAX));
        let due = std::mem::replace(&mut state.timers, later);
        // Waking takes the lock.
        drop(state);
        due.into_values().for_each(Waker::wake);
        true
    }
}

impl fmt::Debug for VirtualRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VirtualRuntime").field("now", &self.now()).finish_non_exhaustive()
    }
}

impl Runtime for VirtualRuntime {
    type Timer = VirtualTimer;

    fn now(&self) -> Instant {
        lock(&self.state).now
    }

    fn timer(&self) -> VirtualTimer {
        let id = lock(&self.state).new_id();
        VirtualTimer { runtime: self.clone(), id, at: None, waker: None }
    }
}

struct TaskWaker {
    id: u64,
    state: Arc<Mutex<State>>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        let mut state = lock(&self.state);
        if !state.ready.contains(&self.id) {
            state.ready.push_back(self.id);
        }
    }
}

/// A deadline on the virtual clock.
#[derive(Debug)]
pub struct VirtualTimer {
    runtime: VirtualRuntime,
    id: u64,
    at: Option<Instant>,
    /// Who polled last; moves with the deadline.
    waker: Option<Waker>,
}

impl VirtualTimer {
    fn unregister(&self) {
        if let Some(at) = self.at {
            lock(&self.runtime.state).timers.remove(&(at, self.id));
        }
    }

    fn register(&self) {
        if let (Some(at), Some(waker)) = (self.at, &self.waker) {
            lock(&self.runtime.state).timers.insert((at, self.id), waker.clone());
        }
    }
}

impl Timer for VirtualTimer {
    fn set(&mut self, at: Option<Instant>) {
        if at != self.at {
            self.unregister();
            self.at = at;
            self.register();
        }
    }

    fn poll_fired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.at.is_some_and(|at| at <= self.runtime.now()) {
            self.unregister();
            self.waker = None;
            return Poll::Ready(());
        }
        self.waker = Some(cx.waker().clone());
        self.register();
        Poll::Pending
    }
}

impl Drop for VirtualTimer {
    fn drop(&mut self) {
        self.unregister();
    }
}

/// What [`VirtualRuntime::sleep`] returns.
#[derive(Debug)]
pub struct Sleep(VirtualTimer);

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.poll_fired(cx)
    }
}

/// The result of a task that was spawned. Dropping it lets the task run on.
#[derive(Debug)]
pub struct Task<T>(Arc<Mutex<Slot<T>>>);

#[derive(Debug)]
struct Slot<T> {
    value: Option<T>,
    finished: bool,
    waiter: Option<Waker>,
}

impl<T> Task<T> {
    /// Whether the task has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        lock(&self.0).finished
    }
}

impl<T> Future for Task<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let mut slot = lock(&self.0);
        if let Some(value) = slot.value.take() {
            return Poll::Ready(value);
        }
        assert!(!slot.finished, "the task's result was taken before");
        slot.waiter = Some(cx.waker().clone());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::VirtualRuntime;
    use smtp_driver::{Runtime, Timer};
    use smtp_proto::Instant;
    use std::{
        future::poll_fn,
        sync::{Arc, Mutex},
        time::Duration,
    };

    #[test]
    fn time_passes_only_when_nothing_can_run_and_timers_fire_in_order() {
        let runtime = VirtualRuntime::new();
        let log = Arc::new(Mutex::new(Vec::new()));
        let tasks: Vec<_> = [3, 1, 2]
            .into_iter()
            .map(|seconds| {
                let (runtime, log) = (runtime.clone(), log.clone());
                runtime.clone().spawn(async move {
                    runtime.sleep(Duration::from_secs(seconds)).await;
                    log.lock().unwrap().push((seconds, runtime.now()));
                })
            })
            .collect();
        runtime.run_until(async {
            for task in tasks {
                task.await;
            }
        });
        let at = |seconds| (seconds, Instant::from_secs(seconds));
        assert_eq!(*log.lock().unwrap(), [at(1), at(2), at(3)]);
        assert_eq!(runtime.now(), Instant::from_secs(3));
    }

    #[test]
    fn a_timer_that_is_moved_while_it_is_waited_for_fires_at_the_new_time() {
        let runtime = VirtualRuntime::new();
        let timer = Arc::new(Mutex::new(runtime.timer()));
        timer.lock().unwrap().set(Some(Instant::from_secs(5)));
        let waiting = timer.clone();
        let task = runtime
            .spawn(async move { poll_fn(|cx| waiting.lock().unwrap().poll_fired(cx)).await });
        runtime.run_ready();
        timer.lock().unwrap().set(Some(Instant::from_secs(60)));
        runtime.run_for(Duration::from_secs(59));
        assert!(!task.is_finished());
        runtime.run_for(Duration::from_secs(1));
        assert!(task.is_finished());
    }

    #[test]
    #[should_panic(expected = "nothing can happen any more")]
    fn waiting_for_nothing_is_found_out() {
        VirtualRuntime::new().run_until(std::future::pending::<()>());
    }
}
