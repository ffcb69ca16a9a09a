//! A bound on passwords that are hashed at the same time: each takes 19 MiB and a processor.

use std::sync::Arc;
use tokio::{sync::Semaphore, task::spawn_blocking};

/// Hashed at the same time.
const RUNNING: usize = 2;
/// Waiting behind them; at the speed of an old machine, for about a second.
const WAITING: usize = 32;

/// Threads on which passwords are hashed.
#[derive(Debug)]
pub struct Hashing {
    running: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

impl Default for Hashing {
    fn default() -> Self {
        Self {
            running: Arc::new(Semaphore::new(RUNNING)),
            places: Arc::new(Semaphore::new(RUNNING + WAITING)),
        }
    }
}

impl Hashing {
    /// Runs `work` on a thread that may block; `None` if too many wait. Its place is taken until
    /// the work is done, even if nobody waits for it any more.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let running = Arc::clone(&self.running).acquire_owned().await.ok()?;
        let thread = spawn_blocking(move || {
            let result = work();
            drop((running, place));
            result
        });
        thread.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    };

    #[test]
    fn no_more_run_than_may_and_who_finds_no_place_is_told() {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let hashing = Arc::new(Hashing::default());
        let (most, now) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (go, wait) = mpsc::channel::<()>();
        let wait = Arc::new(std::sync::Mutex::new(wait));
        let tasks: Vec<_> = (0..RUNNING + WAITING)
            .map(|_| {
                let (hashing, most, now) = (hashing.clone(), most.clone(), now.clone());
                let wait = wait.clone();
                runtime.spawn(async move {
                    let work = move || {
                        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        let _ = wait.lock().unwrap().recv();
                        now.fetch_sub(1, Ordering::SeqCst);
                    };
                    hashing.run(work).await
                })
            })
            .collect();
        runtime.block_on(async {
            while hashing.places.available_permits() > 0 {
                tokio::task::yield_now().await;
            }
            assert_eq!(hashing.run(|| ()).await, None);
            // Every wait ends.
            drop(go);
            for task in tasks {
                assert_eq!(task.await.unwrap(), Some(()));
            }
            assert_eq!(hashing.run(|| 7).await, Some(7));
        });
        assert!((1..=RUNNING).contains(&most.load(Ordering::SeqCst)));
    }
}
