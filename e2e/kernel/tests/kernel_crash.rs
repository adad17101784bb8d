//! Invariant 8: the daemon is killed, stopped, and started again; connections and their acceleration go on.

use std::mem::offset_of;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use meshaccel_abi::redirect::connection::STATE_REMOVING;
use meshaccel_abi::redirect::{EndRecord, Reason};
use meshaccel_e2e_harness::both_promotions;
use meshaccel_e2e_harness::bpf::change_values;
use meshaccel_e2e_harness::daemon::Daemon;
use meshaccel_e2e_harness::failure::check;
use meshaccel_e2e_harness::fixture::{NAMESPACE, Pods};
use meshaccel_e2e_harness::manifest::{Promotion, accelerate_everything};
use meshaccel_e2e_harness::traffic::{Family, Load, request};
use meshaccel_e2e_harness::wait::{wait_for, wait_until};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

both_promotions!(
    killed_at_random_under_load_it_loses_nothing,
    stopped_it_leaves_acceleration_running,
    a_connection_that_opens_while_it_is_dead_is_accelerated_later,
    a_removal_that_was_cut_short_is_finished,
);

const LIMIT: Duration = Duration::from_secs(20);
const PAIRS: usize = 12;

fn killed_at_random_under_load_it_loses_nothing(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let mut daemon = pods.accelerate(promotion)?;
    let mut pairs = pods.pairs(0, Family::V4, PAIRS)?;
    daemon.warm_all(&mut pairs)?;
    let known = listed(&daemon)?;
    let load = Load::start(pairs, 41);
    let mut dice = StdRng::seed_from_u64(41);
    for _ in 0..8 {
        // Anywhere in the life of the process: while it starts, while it promotes, while it is idle.
        let bouts = load.bouts() + dice.random_range(0..40);
        wait_until(LIMIT, "the load to go on", || (load.bouts() >= bouts || load.has_failed()).then_some(()))?;
        daemon.kill9()?;
        still_redirecting(&daemon)?;
        ensure!(listed(&daemon)? == known, "the list of connections changed when the daemon died");
        if dice.random_bool(0.5) {
            daemon.spawn()?;
        } else {
            daemon.restart()?;
        }
    }
    daemon.kill9()?;
    daemon.restart()?;
    ensure!(listed(&daemon)? == known, "the list of connections changed when the daemon came back");
    still_redirecting(&daemon)?;
    for mut pair in load.finish()? {
        request::by_hand(&mut pair, 5, 64)?;
        pair.close()?;
    }
    Ok(())
}

/// Where user space removes a socket's key, it may die between the decision and that. Nobody redirects to the socket from then on, and
/// who comes next takes it out; in each of the ways in which that is done.
fn a_removal_that_was_cut_short_is_finished(promotion: Promotion) -> Result<()> {
    let ways: [&[&str]; 3] = [&[], &["--without-classifier"], &["--without-classifier", "--without-storage"]];
    for arguments in ways {
        let pods = Pods::new(1)?;
        let mut daemon = pods.accelerate_with(&accelerate_everything(NAMESPACE).promotion(promotion), arguments)?;
        let mut pairs = pods.pairs(0, Family::V4, PAIRS)?;
        daemon.warm_all(&mut pairs)?;
        daemon.kill9()?;
        let asked = (Reason::NotEnforced as u32).to_ne_bytes();
        change_values(daemon.bpffs(), "ma_ends", offset_of!(EndRecord, wanted), &asked)?;
        let decided = STATE_REMOVING.to_ne_bytes();
        change_values(daemon.bpffs(), "ma_ends", offset_of!(EndRecord, state), &decided)?;
        let before = daemon.connections()?.redirected_messages();
        for pair in &mut pairs {
            request::by_hand(pair, 12, 3000)?;
        }
        let now = daemon.connections()?.redirected_messages();
        ensure!(now == before, "{} messages were redirected to sockets that are about to leave", now - before);
        daemon.restart()?;
        daemon.wait_redirecting_all(&mut pairs).with_context(|| format!("{arguments:?}"))?;
        for mut pair in pairs {
            pair.close()?;
        }
    }
    Ok(())
}

/// Whoever comes next removes it: another start, or uninstall.
#[test]
fn what_a_killed_self_test_leaves_is_removed() {
    check(|| {
        let pods = Pods::new(1)?;
        let mut daemon = pods.accelerate(Promotion::Auto)?;
        daemon.kill9()?;
        die_in_self_test(&mut daemon)?;
        daemon.restart()?;
        ensure!(daemon.self_tests().is_empty(), "a start has left {:?}", daemon.self_tests());
        daemon.kill9()?;
        die_in_self_test(&mut daemon)?;
        daemon.run_ok(&["uninstall"])?;
        ensure!(daemon.self_tests().is_empty(), "uninstall has left {:?}", daemon.self_tests());
        Ok(())
    });
}

/// Starts the daemon, until it is killed in its self-test.
fn die_in_self_test(daemon: &mut Daemon) -> Result<()> {
    for _ in 0..20 {
        daemon.spawn()?;
        wait_until(LIMIT, "the self-test to begin", || (!daemon.self_tests().is_empty()).then_some(()))?;
        daemon.kill9()?;
        if !daemon.self_tests().is_empty() {
            return Ok(());
        }
    }
    bail!("each of 20 self-tests was over before it was killed")
}

/// Both addresses of every recorded socket, sorted.
fn listed(daemon: &Daemon) -> Result<Vec<(String, String)>> {
    let mut rows: Vec<_> = daemon.connections()?.0.into_iter().map(|row| (row.local, row.remote)).collect();
    rows.sort();
    Ok(rows)
}

/// The sockets that ask and answer send further messages past the stack.
fn still_redirecting(daemon: &Daemon) -> Result<()> {
    let before = daemon.connections()?;
    wait_for(LIMIT, "every connection to go on being redirected", || {
        let now = daemon.connections()?;
        let mut going_on = 0;
        for (old, new) in before.0.iter().zip(now.0.iter()) {
            ensure!(old.local == new.local && old.remote == new.remote, "the list changed");
            going_on += usize::from(new.redirected.messages > old.redirected.messages);
        }
        let asking = 2 * Load::asking(PAIRS);
        ensure!(going_on >= asking, "{going_on} of {asking} sockets redirect: {now:?}");
        Ok(())
    })
}

fn stopped_it_leaves_acceleration_running(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let mut daemon = pods.accelerate(promotion)?;
    let mut pair = pods.pair(0)?;
    daemon.warm(&mut pair)?;
    daemon.stop()?;
    let before = daemon.redirected(&pair)?;
    request::by_hand(&mut pair, 50, 64)?;
    ensure!(daemon.redirected(&pair)? >= before + 90, "acceleration stopped with the daemon");
    daemon.restart()?;
    let before = daemon.redirected(&pair)?;
    ensure!(before > 0, "the counters of the connection were lost");
    request::by_hand(&mut pair, 50, 64)?;
    ensure!(daemon.redirected(&pair)? >= before + 90, "acceleration stopped when the daemon came back");
    pair.close()?;
    Ok(())
}

fn a_connection_that_opens_while_it_is_dead_is_accelerated_later(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let mut daemon = pods.accelerate(promotion)?;
    daemon.kill9()?;
    let mut pairs = pods.pairs(0, Family::V4, 8)?;
    for pair in &mut pairs {
        request::by_hand(pair, 20, 64)?;
    }
    daemon.restart()?;
    daemon.warm_all(&mut pairs)?;
    for mut pair in pairs {
        pair.close()?;
    }
    Ok(())
}
