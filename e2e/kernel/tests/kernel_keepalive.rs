//! Invariant 9: however long a connection runs redirected, its TCP path stays usable. A NAT between the ends forgets who
//! sends it no packets; then no FIN, no RST and no message that falls back to TCP would arrive any more.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use meshaccel_e2e_harness::both_promotions;
use meshaccel_e2e_harness::daemon::Daemon;
use meshaccel_e2e_harness::failure::check;
use meshaccel_e2e_harness::fixture::{Pods, nat_rule, run_in};
use meshaccel_e2e_harness::manifest::Promotion;
use meshaccel_e2e_harness::traffic::{Pair, Service, request, socket};

both_promotions!(
    a_busy_connection_outlives_the_conntrack_time_out,
    a_half_closed_connection_outlives_its_own_time_outs,
);

/// Seconds after which conntrack forgets a connection. Shorter ones leave no room for a busy machine.
const TIME_OUT: u64 = 4;
const SYSCTL: &str = "net.netfilter.nf_conntrack_tcp_timeout_established";

fn set_time_out(pods: &Pods, seconds: u64) -> Result<()> {
    run_in(pods.netns(0), "sysctl", &["-qw", &format!("{SYSCTL}={seconds}")])?;
    Ok(())
}

/// Connections to 127.0.0.9:80, which a rule of the pod redirects to the service, as a sidecar's rules do.
fn translated(pods: &Pods, count: usize) -> Result<Vec<Pair>> {
    let netns = pods.netns(0);
    let service = Service::listen(Some(netns), ([127, 0, 0, 1], 0).into())?;
    let rule = format!("-d 127.0.0.9 --dport 80 -j REDIRECT --to-ports {}", service.address().port());
    nat_rule(netns, "iptables", &rule)?;
    service.pairs_via(Some(netns), count, ([127, 0, 0, 9], 80).into())
}

/// Keeps all busy for three times the time-out; nearly everything must have been redirected.
fn keep_busy(daemon: &Daemon, pairs: &mut [Pair]) -> Result<()> {
    let before = (daemon.messages("redirected")?, daemon.messages("path_kept_alive")?);
    let (start, mut rounds) = (Instant::now(), 0);
    while start.elapsed() < Duration::from_secs(3 * TIME_OUT) {
        for pair in &mut *pairs {
            request::by_hand(pair, 20, 64)?;
            rounds += 20;
        }
    }
    let redirected = daemon.messages("redirected")? - before.0;
    let kept_alive = daemon.messages("path_kept_alive")? - before.1;
    ensure!(redirected > 2 * rounds * 95 / 100, "{redirected} of {} messages were redirected", 2 * rounds);
    ensure!(kept_alive >= pairs.len() as u64, "{kept_alive} messages took TCP to keep the path alive");
    Ok(())
}

/// Everything that takes TCP must still arrive, in each direction.
fn must_be_usable(daemon: &Daemon, mut pairs: Vec<Pair>) -> Result<()> {
    daemon.run_ok(&["off"])?;
    for pair in &mut pairs {
        request::by_hand(pair, 20, 3000)?;
    }
    daemon.run_ok(&["on"])?;
    daemon.warm_all(&mut pairs)?;
    keep_busy(daemon, &mut pairs)?;
    for (index, mut pair) in pairs.into_iter().enumerate() {
        match index % 4 {
            0 => pair.close()?,
            1 => {
                pair.server.finish()?;
                pair.client.expect_end()?;
                pair.client.finish()?;
                pair.server.expect_end()?;
            }
            reset => {
                let Pair { client, server } = pair;
                let (leaving, mut staying) = if reset == 2 { (client, server) } else { (server, client) };
                socket::reset(leaving.stream)?;
                let met = staying.incoming.receive_some(&staying.stream, 64)?;
                ensure!(met.as_ref().is_err_and(|e| e.raw_os_error() == Some(libc::ECONNRESET)), "{met:?}");
            }
        }
    }
    Ok(())
}

fn a_busy_connection_outlives_the_conntrack_time_out(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let mut pairs = translated(&pods, 8)?;
    set_time_out(&pods, TIME_OUT)?;
    let daemon = pods.accelerate(promotion)?;
    daemon.warm_all(&mut pairs)?;
    keep_busy(&daemon, &mut pairs)?;
    must_be_usable(&daemon, pairs)
}

/// Conntrack forgets a connection that one side has closed after a minute (close_wait) where an open one has days.
fn a_half_closed_connection_outlives_its_own_time_outs(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let mut pairs = translated(&pods, 4)?;
    for state in ["close_wait", "fin_wait", "last_ack"] {
        let setting = format!("net.netfilter.nf_conntrack_tcp_timeout_{state}={TIME_OUT}");
        run_in(pods.netns(0), "sysctl", &["-qw", &setting])?;
    }
    let daemon = pods.accelerate(promotion)?;
    daemon.warm_all(&mut pairs)?;
    for pair in &mut pairs {
        pair.client.finish()?;
        pair.server.expect_end()?;
    }
    let (start, before) = (Instant::now(), daemon.messages("redirected")?);
    let mut answers = 0;
    while start.elapsed() < Duration::from_secs(3 * TIME_OUT) {
        for pair in &mut pairs {
            for _ in 0..20 {
                pair.server.send(64)?;
                pair.client.receive(64)?;
                answers += 1;
            }
        }
    }
    let redirected = daemon.messages("redirected")? - before;
    // One-way streams of small messages step aside after a while, and are no test of this from then on.
    ensure!(redirected > 1000, "{redirected} of {answers} messages were redirected");
    for pair in &mut pairs {
        pair.server.send(1_000_000)?;
        pair.server.finish()?;
        pair.client.receive(1_000_000)?;
        pair.client.expect_end()?;
    }
    Ok(())
}

#[test]
fn a_time_out_that_is_shortened_later_is_noticed() {
    check(|| {
        let pods = Pods::new(1)?;
        let daemon = pods.accelerate(Promotion::Auto)?;
        let mut pairs = translated(&pods, 4)?;
        daemon.warm_all(&mut pairs)?;
        set_time_out(&pods, TIME_OUT)?;
        // Until a packet comes, conntrack goes by the old time-out.
        let start = Instant::now();
        while daemon.messages("path_kept_alive")? == 0 {
            ensure!(start.elapsed() < Duration::from_secs(60), "the shorter time-out was not noticed");
            for pair in &mut pairs {
                request::by_hand(pair, 20, 64)?;
            }
        }
        keep_busy(&daemon, &mut pairs)?;
        for mut pair in pairs {
            pair.close()?;
        }
        Ok(())
    });
}
