//! Traffic that goes on until it is told to stop: what the switch, the crash and the removal are thrown into.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::end::Pair;
use super::fault::Faults;
use super::shape::{Reader, Shape};
use super::{request, threads};

/// Running traffic. Every third connection streams both ways at once, the others ask and answer.
pub struct Load {
    stop: Arc<AtomicBool>,
    bouts: Arc<AtomicU64>,
    workers: Vec<JoinHandle<(Pair, Result<(), Faults>)>>,
}

impl Load {
    /// Starts traffic on every pair.
    pub fn start(pairs: Vec<Pair>, seed: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let bouts = Arc::new(AtomicU64::new(0));
        let workers = pairs.into_iter().enumerate().map(|(index, mut pair)| {
            let (stop, bouts) = (stop.clone(), bouts.clone());
            let worker = move || {
                let result = work(&mut pair, index, seed.wrapping_add(index as u64), &stop, &bouts);
                (pair, result)
            };
            std::thread::Builder::new().stack_size(256 << 10).spawn(worker).expect("a thread with a small stack")
        });
        let workers = workers.collect();
        Self { stop, bouts, workers }
    }

    /// Does the connection of this index ask and answer? The streams may turn out to gain nothing by redirection, and go back
    /// to TCP.
    pub fn asks(index: usize) -> bool {
        index % 3 != 2
    }

    /// How many of so many connections do.
    pub fn asking(connections: usize) -> usize {
        (0..connections).filter(|&index| Self::asks(index)).count()
    }

    /// Stretches of traffic completed so far, on all connections together.
    pub fn bouts(&self) -> u64 {
        self.bouts.load(Ordering::Relaxed)
    }

    /// True when a worker has ended although nobody asked: it met a fault.
    pub fn has_failed(&self) -> bool {
        self.workers.iter().any(JoinHandle::is_finished)
    }

    /// Stops after the running bouts; the connections, still open, unless a stream was faulty.
    pub fn finish(mut self) -> Result<Vec<Pair>, Faults> {
        self.stop.store(true, Ordering::Relaxed);
        let (mut pairs, mut faults) = (Vec::new(), Faults::default());
        for worker in self.workers.drain(..) {
            let (pair, result) = worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            pairs.push(pair);
            if let Err(more) = result {
                faults.0.extend(more.0);
            }
        }
        faults.into_result().map(|()| pairs)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn work(pair: &mut Pair, index: usize, seed: u64, stop: &AtomicBool, bouts: &AtomicU64) -> Result<(), Faults> {
    let mut dice = StdRng::seed_from_u64(seed);
    let reader = Reader::ALL[index % 4];
    while !stop.load(Ordering::Relaxed) {
        let seed = dice.random();
        if Load::asks(index) {
            request::rounds(pair, 100, 1..=8 << 10, reader, seed)?;
        } else {
            let shape = Shape::random(seed, 256 << 10);
            threads::exchange(std::slice::from_mut(pair), |_| shape.clone())?;
        }
        bouts.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}
