//! Many requests at a pace, without burying whoever answers them.

use std::future::Future;
use std::time::Duration;

use anyhow::Result;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// Requests that wait for their answers at a time.
const AT_ONCE: usize = 32;

/// Begins what `next` makes of 0, 1, 2, ..., one each `pause`, for this `length` of time, and waits for all of it: none is left
/// half-way. How many there were; fewer than asked for where answers are slower than the pace.
pub async fn at_pace<F>(pause: Duration, length: Duration, mut next: impl FnMut(usize) -> F) -> Result<usize>
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let (start, mut on_their_way) = (Instant::now(), JoinSet::new());
    let mut count = 0;
    while start.elapsed() < length {
        sleep_until(start + pause * u32::try_from(count)?).await;
        on_their_way.spawn(next(count));
        count += 1;
        while let Some(done) = on_their_way.try_join_next() {
            done??;
        }
        if on_their_way.len() >= AT_ONCE
            && let Some(done) = on_their_way.join_next().await
        {
            done??;
        }
    }
    while let Some(done) = on_their_way.join_next().await {
        done??;
    }
    Ok(count)
}
