//! The ways in which connections are used. Each case warms its connections with small requests first, so that acceleration
//! may have come when it matters; what they do then is the same on plain TCP.

use std::io::Read;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::agent;
use super::finding::Finding;
use super::http::Dialect;
use super::operation::{LARGEST, Operation, mixed, small};
use super::session::{Session, Timed, perform, read_end, timed};
use super::site::Site;
use super::stack::{Asks, HalfClose, Stack};

/// Promotion on evidence comes within this when a machine has nothing else to do; where it comes later, less is tested.
const WARM: Duration = Duration::from_millis(500);
const MIXED: Duration = Duration::from_millis(1800);
const CROWD: Duration = Duration::from_millis(1000);
/// Connections of a crowd.
const MANY: usize = 6;

/// One case of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// One kept connection, all sizes up and down.
    Mixed,
    /// Several at once, small requests.
    Crowd,
    /// Heads of 1 to 6 KiB.
    LargeHeads,
    /// A client that reads a large answer in small pieces.
    SlowReader,
    /// A client that closes its half after the request.
    HalfClose,
    /// Clients that go away in the middle of an answer or of a request.
    Abort,
    /// A connection a request.
    Short,
    /// A client program, by its number.
    Agent(usize),
}

impl Case {
    pub fn name(self, stack: &Stack) -> &'static str {
        match self {
            Self::Mixed => "mixed sizes",
            Self::Crowd => "crowd",
            Self::LargeHeads => "large heads",
            Self::SlowReader => "slow reader",
            Self::HalfClose => "half-close",
            Self::Abort => "aborts",
            Self::Short => "short connections",
            Self::Agent(index) => stack.agents[index].name,
        }
    }

    /// The cases of a stack.
    pub fn of(stack: &Stack) -> Vec<Self> {
        let mut cases = match stack.asks {
            Asks::Http(_) => vec![
                Self::Mixed,
                Self::Crowd,
                Self::LargeHeads,
                Self::SlowReader,
                Self::HalfClose,
                Self::Abort,
                Self::Short,
            ],
            Asks::Own(_) => vec![Self::Mixed, Self::Crowd, Self::SlowReader, Self::HalfClose, Self::Abort, Self::Short],
            Asks::Programs => Vec::new(),
        };
        cases.retain(|case| stack.crowd || *case != Self::Crowd);
        cases.extend((0..stack.agents.len()).map(Self::Agent));
        cases
    }
}

impl Case {
    /// Those whose bytes the sidecars pass on as they come: heads and short connections are the sidecars' own there.
    pub fn behind_envoys(stack: &Stack) -> Vec<Self> {
        let mut cases = Self::of(stack);
        cases.retain(|case| !matches!(case, Self::LargeHeads | Self::SlowReader | Self::Short));
        cases
    }
}

/// What a case needs.
#[derive(Clone, Copy)]
pub struct Ground<'a> {
    pub stack: &'a Stack,
    pub site: &'a Site<'a>,
    pub port: u16,
    pub half_close: HalfClose,
}

impl<'a> Ground<'a> {
    fn connect(&self) -> Result<Box<dyn Session + 'a>> {
        self.stack.asks.connect(self.site.target(self.port))?.context("the harness does not speak this protocol")
    }

    /// Connections that small requests have gone over for a while, in turns.
    fn warm(&self, count: usize) -> Result<Vec<Box<dyn Session + 'a>>> {
        // A server that serves one connection at a time must not be given two.
        let count = if self.stack.crowd { count } else { 1 };
        let mut sessions = (0..count).map(|_| self.connect()).collect::<Result<Vec<_>>>()?;
        let (start, mut seed) = (Instant::now(), 0);
        while start.elapsed() < WARM {
            for session in &mut sessions {
                seed += 13;
                perform(session.as_mut(), &Operation::get(100, seed))?;
            }
        }
        Ok(sessions)
    }

    /// Runs a case. An error of a connection is an outcome.
    pub fn run(&self, case: Case) -> Result<Finding> {
        if let Case::Agent(index) = case {
            return agent::run(&self.stack.agents[index], self.site, self.port);
        }
        let mut finding = Finding::good();
        let result = match case {
            Case::Mixed => self.over(&mut finding, &mixed(), MIXED),
            Case::Crowd => self.crowd(&mut finding),
            Case::LargeHeads => self.large_heads(&mut finding),
            Case::SlowReader => self.slow_reader(&mut finding),
            Case::HalfClose => self.half_close(&mut finding),
            Case::Abort => self.aborts(&mut finding),
            Case::Short => self.short(&mut finding),
            Case::Agent(_) => Ok(()),
        };
        if let Err(error) = result {
            finding.fail(&error);
        }
        Ok(finding)
    }

    /// Operations one after another, each at least once.
    fn over(&self, finding: &mut Finding, operations: &[Operation], length: Duration) -> Result<()> {
        let mut session = self.connect()?;
        let start = Instant::now();
        let mut first = true;
        while first || start.elapsed() < length {
            for operation in operations {
                let Timed { took, silence } = perform(session.as_mut(), operation)?;
                finding.note(took, silence, operation.is_small());
                if !first && start.elapsed() >= length {
                    break;
                }
            }
            first = false;
        }
        Ok(())
    }

    fn crowd(&self, finding: &mut Finding) -> Result<()> {
        let one = |number: usize| -> Finding {
            let mut finding = Finding::good();
            if let Err(error) = self.over(&mut finding, &small(number), CROWD) {
                finding.fail(&error);
            }
            finding
        };
        let one = &one;
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..MANY).map(|number| scope.spawn(move || one(number))).collect();
            for thread in threads {
                finding.join(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            }
        });
        Ok(())
    }

    fn large_heads(&self, finding: &mut Finding) -> Result<()> {
        let mut sessions = self.warm(1)?;
        for round in 0..30 {
            for size in [100, 900, 1100, 2100, 4000, 6000] {
                let Timed { took, silence } = timed(sessions[0].as_mut(), |session| session.large_head(size + round))
                    .with_context(|| format!("a head of {size} bytes"))?;
                finding.note(took, silence, true);
            }
        }
        Ok(())
    }

    fn slow_reader(&self, finding: &mut Finding) -> Result<()> {
        for (mut session, size) in self.warm(2)?.into_iter().zip([1 << 20, 300_000]) {
            for round in 0..3 {
                let operation = Operation::get(size, round * 3000 + 1);
                let Timed { took, silence } = timed(session.as_mut(), |session| {
                    session.begin(&operation)?;
                    // The server fills all buffers before the first byte is taken.
                    std::thread::yield_now();
                    session.finish(&operation)
                })?;
                finding.note(took, silence, false);
                let after = perform(session.as_mut(), &Operation::get(50, round))?;
                finding.note(after.took, after.silence, true);
            }
        }
        Ok(())
    }

    /// What comes after the client's end: an answer, or none. Which of both is the server's choice.
    fn half_close(&self, finding: &mut Finding) -> Result<()> {
        let http = matches!(self.stack.asks, Asks::Http(dialect) if dialect == Dialect::Program);
        // What a server still sends of a large answer after the client's end is a matter of its own timing.
        let operations = if http {
            [Operation::get(1000, 1), Operation::get(100_000, 2), Operation::post(1000, 3), Operation::post(300_000, 4)]
        } else {
            [Operation::get(100, 1), Operation::get(1000, 2), Operation::get(10, 3), Operation::get(3000, 4)]
        };
        let mut outcomes = Vec::new();
        for (mut session, operation) in self.warm(operations.len())?.into_iter().zip(operations) {
            session.begin(&operation)?;
            session.wire().get_ref().half_close()?;
            let (start, answer) = (Instant::now(), session.finish(&operation));
            if let Err(error) = &answer {
                ensure!(!format!("{error:#}").contains("timed out"), "half-closed, {operation}: {error:#}");
                ensure!(!format!("{error:#}").contains("difference"), "half-closed, {operation}: {error:#}");
            }
            outcomes.push(if answer.is_ok() { "answered" } else { "closed without an answer" });
            let mut wire = session.into_wire();
            // RST instead of FIN is the server's choice, too; that nothing comes is not.
            if let Err(error) = read_end(&mut wire) {
                ensure!(!format!("{error:#}").contains("timed out"), "half-closed, {operation}: no end after it");
            }
            finding.note(start.elapsed(), wire.get_mut().take_silence(), false);
        }
        finding.outcome = match self.half_close {
            HalfClose::Steady => format!("half-closed: {}", outcomes.join(", ")),
            HalfClose::Races => "half-closed: an answer or none, and then the end".to_owned(),
        };
        Ok(())
    }

    fn aborts(&self, finding: &mut Finding) -> Result<()> {
        for round in 0..2 {
            for (index, mut session) in self.warm(4)?.into_iter().enumerate() {
                let get = Operation::get(LARGEST, round * 100 + index);
                session.begin(&get)?;
                let mut some = vec![0; 100_000 * index + 1];
                session.wire().read_exact(&mut some).context("the beginning of an answer that is given up")?;
                let wire = session.into_wire();
                if index % 2 == 0 {
                    wire.into_inner().reset()?;
                } else {
                    drop(wire);
                }
            }
            let mut session = self.connect()?;
            let Timed { took, silence } = perform(session.as_mut(), &Operation::get(1000, round))
                .context("another connection after those that were given up")?;
            finding.note(took, silence, true);
        }
        Ok(())
    }

    fn short(&self, finding: &mut Finding) -> Result<()> {
        for round in 0..40 {
            let mut session = self.connect()?;
            for operation in [Operation::get(500, round), Operation::post(5000, round)] {
                let Timed { took, silence } = perform(session.as_mut(), &operation)?;
                // Connecting includes what a server does for a new client (PostgreSQL starts a process).
                finding.note(took, silence, true);
            }
        }
        Ok(())
    }
}
