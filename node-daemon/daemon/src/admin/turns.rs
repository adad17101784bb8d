//! Work that blocks, for one asker at a time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::spawn_blocking;

/// How long an asker waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whoever has the turn keeps it until the work is done, also when the asker is gone by then: askers who do not wait for
/// their answers must not pile up work.
#[derive(Clone, Debug)]
pub struct Turns<T>(Arc<Mutex<Option<(Instant, T)>>>);

impl<T> Default for Turns<T> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(None)))
    }
}

impl<T: Clone + Send + 'static> Turns<T> {
    /// What `make` gives, or gave somebody within `age`. `None`: there was no turn.
    pub async fn take<E: Send + 'static>(
        &self,
        age: Duration,
        make: impl FnOnce() -> Result<T, E> + Send + 'static,
    ) -> Option<Result<T, E>> {
        let mut turn = self.turn().await?;
        if let Some((when, made)) = &*turn
            && when.elapsed() < age
        {
            return Some(Ok(made.clone()));
        }
        let work = spawn_blocking(move || {
            let made = make()?;
            *turn = Some((Instant::now(), made.clone()));
            Ok(made)
        });
        Some(work.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic())))
    }

    /// The same for what is of use to nobody else.
    pub async fn pass<R: Send + 'static>(&self, make: impl FnOnce() -> R + Send + 'static) -> Option<R> {
        let turn = self.turn().await?;
        let work = spawn_blocking(move || {
            let _turn = turn;
            make()
        });
        Some(work.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic())))
    }

    async fn turn(&self) -> Option<OwnedMutexGuard<Option<(Instant, T)>>> {
        tokio::time::timeout(PATIENCE, self.0.clone().lock_owned()).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::mpsc;

    use super::*;

    fn run<T>(body: impl Future<Output = T>) -> T {
        // Time goes on by itself only while nothing else can.
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(body)
    }

    #[test]
    fn an_asker_who_goes_away_keeps_the_turn_until_the_work_is_done() {
        run(async {
            let turns = Turns::<()>::default();
            let (begun, begins) = mpsc::channel();
            let (end, ends) = mpsc::channel::<()>();
            let first = turns.clone();
            let asker = tokio::spawn(async move {
                first
                    .pass(move || {
                        begun.send(()).unwrap();
                        ends.recv().unwrap();
                    })
                    .await
            });
            spawn_blocking(move || begins.recv().unwrap()).await.unwrap();
            asker.abort();
            assert!(asker.await.unwrap_err().is_cancelled());
            assert!(turns.0.try_lock().is_err(), "a second asker has the turn while the work of the first goes on");
            end.send(()).unwrap();
            assert_eq!(turns.pass(|| 7).await, Some(7));
        });
    }

    #[test]
    fn what_was_just_made_is_given_to_the_next() {
        run(async {
            let (turns, made) = (Turns::default(), Arc::new(AtomicU32::new(0)));
            let ask = |age| {
                let made = made.clone();
                turns.take(age, move || Ok::<_, ()>(made.fetch_add(1, Ordering::Relaxed)))
            };
            let long = Duration::from_secs(3600);
            assert_eq!((ask(long).await, ask(long).await), (Some(Ok(0)), Some(Ok(0))));
            assert_eq!(ask(Duration::ZERO).await, Some(Ok(1)));
            assert_eq!(ask(long).await, Some(Ok(1)));
        });
    }
}
