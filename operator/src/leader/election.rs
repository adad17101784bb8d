//! Who leads, decided from what was read of the Lease and when. Pure: no API server, and time comes in as a value.
//!
//! Two rules make sure that two never write at once, whatever their clocks say:
//! 1. A leader may write until [`Times::deadline`] after the moment at which it *sent* its last successful renewal.
//! 2. Others take over when the Lease has not changed for its full duration since they *saw* it change. They saw it after
//!    it was sent, so [`Times::lease`] less [`Times::deadline`] lies between the last write of one and the first of the other.
//!
//! Times that stand in the Lease are for people; nobody here compares them.

use std::time::{Duration, Instant};

use k8s_openapi::jiff::Timestamp;

/// How long things take in an election.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// How long others wait for a leader that does not renew. A Lease counts whole seconds.
    pub lease: Duration,
    /// How long a leader may write after its last renewal. The rest is for a request that is on its way.
    pub deadline: Duration,
    /// How often a leader renews: three failures in a row are survived.
    pub renew: Duration,
    /// How often the others look. A leader that ends in good order is replaced in this time.
    pub look: Duration,
    /// No answer for so long is a failure.
    pub answer: Duration,
}

/// As in every cluster; tests are in more of a hurry.
pub const USUAL: Times = Times {
    lease: Duration::from_secs(10),
    deadline: Duration::from_secs(7),
    renew: Duration::from_secs(2),
    look: Duration::from_secs(1),
    answer: Duration::from_secs(2),
};

/// A Lease as it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// None or empty: it was released.
    pub holder: Option<String>,
    /// As the holder promised.
    pub duration: Duration,
    /// How often it has changed hands.
    pub transitions: i32,
    /// `metadata.resourceVersion`; empty: it does not exist yet.
    pub version: String,
    /// Since when the holder has it; None: from this writing on. For people.
    pub acquired: Option<Timestamp>,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Write this; it makes this process the leader, or keeps it one.
    Write(Record),
    /// Somebody else leads.
    Wait,
}

/// One process that wants to lead.
#[derive(Debug)]
pub struct Candidate {
    /// Never used by another process, nor by this one's successor in the same pod.
    identity: String,
    times: Times,
    /// The version that was read last, and when it was first read.
    seen: Option<(String, Instant)>,
    /// Who led when the Lease was read last.
    holder: Option<String>,
    /// Somebody else has led since this process last did. If the Lease then names this process again, the API server's
    /// store has gone back in time, and that somebody may still be writing.
    superseded: bool,
    /// Until when this process may write.
    until: Option<Instant>,
}

impl Candidate {
    pub fn new(identity: String, times: Times) -> Self {
        Self { identity, times, seen: None, holder: None, superseded: false, until: None }
    }

    /// What follows from what was just read.
    pub fn decide(&mut self, read: Option<&Record>, now: Instant) -> Next {
        let Some(read) = read else {
            // Somebody deleted it. Whoever led may still be writing.
            let unchanged = self.unchanged("", now);
            if self.superseded && unchanged < self.times.lease {
                return Next::Wait;
            }
            return Next::Write(self.claim(0, String::new()));
        };
        let unchanged = self.unchanged(&read.version, now);
        self.holder = read.holder.clone().filter(|holder| !holder.is_empty());
        let ours = self.holder.as_ref() == Some(&self.identity);
        self.superseded |= self.holder.is_some() && !ours;
        match &self.holder {
            Some(_) if ours && !self.superseded => {
                Next::Write(Record { acquired: read.acquired, ..self.claim(read.transitions, read.version.clone()) })
            }
            Some(_) if unchanged < read.duration => {
                self.until = None;
                Next::Wait
            }
            _ => Next::Write(self.claim(read.transitions.saturating_add(1), read.version.clone())),
        }
    }

    /// For how long this version has been the one that is read.
    fn unchanged(&mut self, version: &str, now: Instant) -> Duration {
        match &self.seen {
            Some((seen, since)) if seen == version => now.saturating_duration_since(*since),
            _ => {
                self.seen = Some((version.to_owned(), now));
                Duration::ZERO
            }
        }
    }

    fn claim(&self, transitions: i32, version: String) -> Record {
        Record { holder: Some(self.identity.clone()), duration: self.times.lease, transitions, version, acquired: None }
    }

    /// The write that [`Self::decide`] asked for was carried out; it was sent at this time.
    pub fn wrote(&mut self, version: String, sent: Instant) {
        self.seen = Some((version, sent));
        self.holder = Some(self.identity.clone());
        self.superseded = false;
        self.until = Some(sent + self.times.deadline);
    }

    /// Until when this process may write, if it leads.
    pub fn until(&self) -> Option<Instant> {
        self.until
    }

    /// Who leads, as far as this process knows.
    pub fn holder(&self) -> Option<&str> {
        self.holder.as_deref()
    }

    /// What to write so that somebody else leads at once; None: this process does not lead.
    pub fn release(&mut self, read: &Record) -> Option<Record> {
        self.until = None;
        let ours = read.holder.as_deref() == Some(&self.identity);
        ours.then(|| Record { holder: None, duration: Duration::from_secs(1), ..read.clone() })
    }
}

#[cfg(test)]
mod tests;
