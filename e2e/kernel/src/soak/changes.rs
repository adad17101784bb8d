//! What happens to an installation: the switch, edits of the policy and of what it selects, crashes and new starts.

use std::fmt;
use std::time::Duration;

use anyhow::Result;
use meshaccel_e2e_harness::daemon::Daemon;
use meshaccel_e2e_harness::manifest::{Acceleration, Promotion};
use meshaccel_e2e_harness::wait::wait_for;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

const POLICY: &str = "acceleration.yaml";
/// Releasing all pods, and installing anew.
const INSTALLS: Duration = Duration::from_secs(60);

/// What was done so far.
pub struct Changes {
    policy: Acceleration,
    dice: StdRng,
    switched: u64,
    edited: u64,
    selected: u64,
    killed: u64,
    stopped: u64,
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { switched, edited, selected, killed, stopped, .. } = self;
        write!(
            f,
            "switched {switched} times, edited {edited} times, deselected {selected} times, killed {killed} times, stopped \
             {stopped} times"
        )
    }
}

impl Changes {
    /// `policy`: what the daemon goes by at first.
    pub fn new(policy: Acceleration) -> Self {
        Self { policy, dice: StdRng::seed_from_u64(71), switched: 0, edited: 0, selected: 0, killed: 0, stopped: 0 }
    }

    /// How many there were.
    pub fn made(&self) -> u64 {
        self.switched + self.edited + self.selected + self.killed + self.stopped
    }

    /// One change, and some time in which it works.
    pub fn make_one(&mut self, daemon: &mut Daemon) -> Result<()> {
        match self.dice.random_range(0..20) {
            0..=8 => self.switch(daemon)?,
            9..=14 => self.edit(daemon)?,
            15..=16 => self.deselect(daemon)?,
            17..=18 => {
                daemon.kill9()?;
                self.pause(800);
                daemon.restart()?;
                self.killed += 1;
            }
            _ => {
                daemon.stop()?;
                self.pause(800);
                daemon.restart()?;
                self.stopped += 1;
            }
        }
        self.pause(1500);
        Ok(())
    }

    /// As it was at first.
    pub fn undo(&self, daemon: &Daemon) -> Result<()> {
        daemon.manifests.write(POLICY, &self.policy.yaml())?;
        daemon.run_ok(&["on"])?;
        Ok(())
    }

    /// Off and on again: forgetting that would leave little to happen.
    fn switch(&mut self, daemon: &Daemon) -> Result<()> {
        daemon.run_ok(if self.dice.random_bool(0.3) { &["off", "--for", "1s"] } else { &["off"] })?;
        self.pause(400);
        daemon.run_ok(&["on"])?;
        self.switched += 1;
        Ok(())
    }

    fn edit(&mut self, daemon: &Daemon) -> Result<()> {
        let policy = self.policy.clone();
        let edited = match self.dice.random_range(0..5) {
            0 => policy.pod_local(),
            1 => policy.observe(),
            2 => policy.promotion(if self.dice.random_bool(0.5) { Promotion::Eager } else { Promotion::Auto }),
            3 => policy.limits(16 << 10, 8),
            _ => policy.sidecar_ports(&[1]),
        };
        self.there_and_back(daemon, &edited)?;
        self.edited += 1;
        Ok(())
    }

    fn deselect(&mut self, daemon: &Daemon) -> Result<()> {
        daemon.manifests.remove(POLICY)?;
        self.pause(4000);
        daemon.manifests.write(POLICY, &self.policy.yaml())?;
        // Had everything been removed: the switch is of what is there.
        wait_for(INSTALLS, "the daemon to be there again", || daemon.connections())?;
        self.selected += 1;
        Ok(())
    }

    fn there_and_back(&mut self, daemon: &Daemon, edited: &Acceleration) -> Result<()> {
        daemon.manifests.write(POLICY, &edited.yaml())?;
        self.pause(1200);
        daemon.manifests.write(POLICY, &self.policy.yaml())?;
        Ok(())
    }

    /// Time passes: what is running runs.
    fn pause(&mut self, most: u64) {
        std::thread::sleep(Duration::from_millis(self.dice.random_range(0..most)));
    }
}
