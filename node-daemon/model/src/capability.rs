//! A capability is one feature of the daemon, such as redirection (not a capability of Linux). The daemon knows when, the capability
//! what.

use std::pin::Pin;
use std::sync::Arc;

use meshaccel_crds::NodeAccelerationStatus;

use crate::{Objects, View};

/// Something that takes its time. It may be dropped at any of its waits, and is then begun anew.
pub type Doing<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// One capability of the daemon. It observes, plans and applies for itself; no other capability knows of it, and one that cannot run on
/// this kernel says so and leaves the others alone.
pub trait Capability {
    /// As in its folder of pins.
    fn name(&self) -> &'static str;

    /// What whoever asks is shown, from now on.
    fn view(&self) -> Arc<dyn View>;

    /// Before any object is known. `install`: at once; else it finds out what this kernel can do, and waits for an object that asks for it.
    /// What an earlier daemon has pinned is taken over all the same.
    fn begin(&mut self, install: bool);

    /// Takes note of the objects. True: something follows from them that did not before, and [`Self::reconcile`] does it.
    fn see(&mut self, objects: &Objects) -> bool;

    /// Makes this machine what the objects say: plans, and applies.
    fn reconcile(&mut self) -> Doing<'_, ()>;

    /// Waits until there is something to do, since it is time or its programs ask for it.
    fn wait(&mut self) -> Doing<'_, ()>;

    /// Does that.
    fn work(&mut self) -> Doing<'_, Turn>;

    /// Why it cannot be installed, or not removed.
    fn failure(&self) -> Option<&Failure>;

    /// Something of it is pinned, by this daemon or an earlier one.
    fn is_pinned(&self) -> bool;

    /// Writes what it has to say into the report of this node.
    fn report(&self, report: &mut NodeAccelerationStatus);

    /// Ready is who does what can be done here, so that a node where nothing can be done does not hold up a roll-out to all others (and
    /// what is wrong there is for its report to tell). But where an earlier daemon's programs run, one that cannot take them over is not
    /// ready: its version had better go no further.
    fn is_ready(&self) -> bool {
        self.failure().is_none() || !self.is_pinned()
    }
}

/// What came of [`Capability::work`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// What was due is done.
    Done,
    /// Somebody else has uninstalled it: the daemon is not wanted any more.
    Removed,
}

/// Why the programs of a [`Capability`] cannot be installed, or cannot be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The condition's.
    pub reason: &'static str,
    /// A sentence for people: what failed, on what, and what to do.
    pub message: String,
}
