//! List, watch, and after any error list again. Not resuming a watch where it broke costs a few pages and makes 410 (Expired) and an
//! API server that was restored from an older copy the same case as all others: a watch from a revision that the server has not
//! reached again would wait in silence.

use std::time::{Duration, Instant};

use futures::{Stream, StreamExt};
use kube::runtime::watcher::{self, Event};
use meshaccel_service::{Backoff, Chain};
use tokio::sync::watch;

use crate::ApiHealth;

/// Who watched for so long without an error starts with the first pause again: not who gets a list, since a watch that is refused
/// comes after each.
const CALM: Duration = Duration::from_secs(60);

/// Takes in what the API server tells of one kind.
pub trait Follower<K> {
    /// A change, or a part of a list.
    fn take(&mut self, event: Event<K>);

    /// What is wrong, for people.
    fn explain(&self, error: watcher::Error) -> String {
        Chain(&error).to_string()
    }

    /// An outage of this watch has begun.
    fn lost(&mut self) {}

    /// It is over: all objects were listed.
    fn found(&mut self) {}
}

/// Has all who [follow](follow()) by it list again.
#[derive(Debug, Default)]
pub struct Relist(watch::Sender<u64>);

impl Relist {
    /// Lists again, at once.
    pub fn now(&self) {
        self.0.send_modify(|epoch| *epoch += 1);
    }
}

/// Follows objects for ever: never returns. `kind` is what [`ApiHealth`] calls them, `pauses` come between two attempts, and `open`
/// begins a watch with a list.
pub async fn follow<K, S>(
    kind: &'static str,
    health: &ApiHealth,
    mut pauses: Backoff,
    relist: &Relist,
    open: impl Fn() -> S,
    follower: &mut impl Follower<K>,
) where
    S: Stream<Item = watcher::Result<Event<K>>>,
{
    let mut epoch = relist.0.subscribe();
    loop {
        epoch.mark_unchanged();
        let mut events = std::pin::pin!(open());
        let began = Instant::now();
        let failure = loop {
            tokio::select! {
                event = events.next() => match event {
                    Some(Ok(event)) => {
                        let complete = matches!(event, Event::InitDone);
                        follower.take(event);
                        if complete {
                            health.whole(kind);
                            if health.made(kind) {
                                follower.found();
                            }
                        }
                    }
                    Some(Err(error)) => break follower.explain(error),
                    None => break "the watch has ended".to_owned(),
                },
                // Nothing is wrong: no pause. (The sender outlives this call.)
                _ = epoch.changed() => break String::new(),
            }
        };
        if failure.is_empty() {
            continue;
        }
        if health.lost(kind, failure) {
            follower.lost();
        }
        if began.elapsed() > CALM {
            pauses.reset();
        }
        tokio::time::sleep(pauses.failed()).await;
    }
}

#[cfg(test)]
mod tests;
