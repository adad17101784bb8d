//! Readers that ask, and readers that change their ways. FIONREAD never lies to someone who asks; a blocking call never ends early;
//! nobody waits for a byte that is there. Each meets a connection that has been redirected for a while without any sign of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use meshaccel_e2e_harness::both_promotions;
use meshaccel_e2e_harness::daemon::Daemon;
use meshaccel_e2e_harness::fixture::{NAMESPACE, Pods};
use meshaccel_e2e_harness::manifest::{Promotion, accelerate_everything};
use meshaccel_e2e_harness::traffic::{End, Family, Pair, request, socket};
use meshaccel_e2e_harness::wait::wait_for;
use nix::errno::Errno;
use nix::sys::pthread::{pthread_kill, pthread_self};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

both_promotions!(
    what_many_connections_of_one_port_do_is_held_against_no_other,
    who_asks_how_many_bytes_wait_is_told_the_truth,
    who_turns_blocking_for_each_request_waits_as_on_tcp,
    who_turns_blocking_on_a_busy_machine_waits_as_on_tcp,
    a_port_that_was_seen_to_toggle_stays_on_tcp,
    who_connects_with_a_time_out_is_accelerated,
    a_large_answer_leaves_nobody_waiting,
    who_is_told_of_bytes_once_is_told_again,
    who_no_program_wakes_is_woken_by_its_descriptor,
);

const LIMIT: Duration = Duration::from_secs(20);
const SIZES: [usize; 8] = [1, 64, 500, 4_000, 9_000, 30_000, 66_000, 200_000];

nix::ioctl_read_bad!(fionread, libc::FIONREAD, libc::c_int);

/// What FIONREAD says.
fn unread(end: &End) -> Result<usize> {
    use std::os::fd::AsRawFd;
    let mut count = 0;
    // SAFETY: the kernel writes an int.
    unsafe { fionread(end.stream.as_raw_fd(), &raw mut count)? };
    Ok(count as usize)
}

/// Both ends of a connection of this port are on TCP, for this reason.
fn wait_on_tcp(daemon: &Daemon, pair: &mut Pair, reason: &str) -> Result<()> {
    wait_for(LIMIT, "the connection to be left on TCP", || {
        request::by_hand(pair, 12, 64)?;
        let connections = daemon.connections()?;
        let (client, server) = connections.both(pair)?;
        for row in [client, server] {
            ensure!(row.path == "tcp", "{row:?}");
        }
        ensure!([client, server].iter().any(|row| row.reason.as_deref() == Some(reason)), "{client:?} {server:?}");
        Ok(())
    })
}

/// What .NET and many pools do: readable and FIONREAD 0 means closed; and then they read as many bytes as they were promised.
fn who_asks_how_many_bytes_wait_is_told_the_truth(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let daemon = pods.accelerate(promotion)?;
    let mut pairs = Vec::new();
    for _ in 0..SIZES.len() {
        // Of another port each: every one is asked of for the first time.
        pairs.push(pods.pair(0)?);
    }
    daemon.warm_all(&mut pairs)?;
    for (number, pair) in pairs.iter_mut().enumerate() {
        for step in 0..24 {
            let size = SIZES[(number + step) % SIZES.len()];
            let cut = if step % 2 == 0 { size.min(48) } else { size.saturating_sub(48).max(1) };
            request::by_hand(pair, 2, 64)?;
            let Pair { client, server } = pair;
            std::thread::scope(|scope| -> Result<()> {
                let sends = scope.spawn(move || -> Result<()> {
                    server.send(cut)?;
                    if size > cut {
                        server.send(size - cut)?;
                    }
                    Ok(())
                });
                let mut left = size;
                while left > 0 {
                    let events = socket::poll(&client.stream, libc::POLLIN, LIMIT.as_millis() as i32)?;
                    ensure!(events & libc::POLLIN != 0, "no byte of the answer's last {left}");
                    let promised = unread(client)?;
                    ensure!(promised > 0, "readable, and FIONREAD says 0: {left} of {size} bytes are to come");
                    let before = client.incoming.offset;
                    client.incoming.receive_some(&client.stream, promised.min(left))??;
                    let got = (client.incoming.offset - before) as usize;
                    ensure!(got == promised.min(left), "{promised} bytes were promised, {got} came");
                    left -= got;
                }
                sends.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })?;
        }
    }
    ensure!(daemon.events("ask_seen")? > 0, "nobody was seen to ask");
    for mut pair in pairs {
        wait_on_tcp(&daemon, &mut pair, "reader_asks")?;
        pair.close()?;
    }
    Ok(())
}

/// Interrupts the calling thread every 3 ms while `body` runs, as a profiler's timer does.
fn interrupted<T>(body: impl FnOnce() -> T) -> Result<T> {
    extern "C" fn nothing(_: i32) {}
    let action = SigAction::new(SigHandler::Handler(nothing), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler does nothing.
    unsafe { sigaction(Signal::SIGUSR1, &action)? };
    let (thread, ended) = (pthread_self(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(3));
                let _ = pthread_kill(thread, Signal::SIGUSR1);
            }
        });
        let result = body();
        ended.store(true, Ordering::Relaxed);
        Ok(result)
    })
}

/// A blocking receive call of so many bytes, which may be interrupted, and for nothing else ends early.
fn receive_blocking(end: &mut End, size: usize) -> Result<()> {
    let mut left = size;
    while left > 0 {
        let before = end.incoming.offset;
        match end.incoming.receive_once(&end.stream, left, 0)? {
            Err(error) if error.raw_os_error() == Some(Errno::EINTR as i32) => {}
            other => drop(other?),
        }
        left -= (end.incoming.offset - before) as usize;
    }
    Ok(())
}

/// What gunicorn's gthread worker does: it waits with a selector, and serves with blocking calls.
fn who_turns_blocking_for_each_request_waits_as_on_tcp(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let daemon = pods.accelerate(promotion)?;
    for _ in 0..6 {
        let mut pair = pods.pair(0)?;
        daemon.warm(&mut pair)?;
        let Pair { client, server } = &mut pair;
        for _ in 0..20 {
            std::thread::scope(|scope| -> Result<()> {
                let asks = scope.spawn(|| -> Result<()> {
                    client.send(64)?;
                    for _ in 0..3 {
                        // Between the parts the server waits, longer than between two interrupts.
                        std::thread::sleep(Duration::from_millis(8));
                        client.send(100)?;
                    }
                    Ok(client.receive(50)?)
                });
                let events = socket::poll(&server.stream, libc::POLLIN, LIMIT.as_millis() as i32)?;
                ensure!(events & libc::POLLIN != 0, "no request");
                server.stream.set_nonblocking(false)?;
                interrupted(|| -> Result<()> {
                    receive_blocking(server, 64)?;
                    receive_blocking(server, 300)
                })??;
                server.send(50)?;
                server.stream.set_nonblocking(true)?;
                asks.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })?;
        }
        pair.close()?;
    }
    ensure!(daemon.events("toggle_seen")? >= 6, "not every port was seen to toggle");
    Ok(())
}

/// The daemon's part of it must not wait until others have had their turn.
fn who_turns_blocking_on_a_busy_machine_waits_as_on_tcp(promotion: Promotion) -> Result<()> {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism()?.get() {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let result = who_turns_blocking_for_each_request_waits_as_on_tcp(promotion);
        over.store(true, Ordering::Relaxed);
        result
    })
}

fn a_port_that_was_seen_to_toggle_stays_on_tcp(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let daemon = pods.accelerate(promotion)?;
    let service = pods.service(0, Family::V4)?;
    let mut first = service.pair(Some(pods.netns(0)))?;
    daemon.warm(&mut first)?;
    first.server.stream.set_nonblocking(false)?;
    first.server.stream.set_nonblocking(true)?;
    wait_on_tcp(&daemon, &mut first, "toggles_blocking")?;
    let mut second = service.pair(Some(pods.netns(0)))?;
    wait_on_tcp(&daemon, &mut second, "toggles_blocking")?;
    // Other ports do not suffer for it.
    let mut other = pods.pair(0)?;
    daemon.warm(&mut other)?;
    [first, second, other].iter_mut().try_for_each(|pair| Ok(pair.close()?))
}

/// Blocking again once it is connected, before anything has come: so do the standard libraries of Rust and others. Then an event
/// loop takes it.
fn who_connects_with_a_time_out_is_accelerated(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let daemon = pods.accelerate(promotion)?;
    let service = pods.service(0, Family::V4)?;
    for _ in 0..3 {
        let mut pair = service.pair(Some(pods.netns(0)))?;
        for end in [&pair.client, &pair.server] {
            end.stream.set_nonblocking(false)?;
            end.stream.set_nonblocking(true)?;
        }
        daemon.warm(&mut pair)?;
        pair.close()?;
    }
    ensure!(daemon.events("toggle_seen")? == 0, "being set up was taken for a habit");
    Ok(())
}

/// An edge-triggered reader that takes a short read for the end of what is there, and answers that are larger than what may
/// wait redirected.
fn a_large_answer_leaves_nobody_waiting(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let daemon = pods.accelerate(promotion)?;
    let mut pair = pods.pair(0)?;
    daemon.warm(&mut pair)?;
    let epoll = socket::Epoll::new()?;
    {
        use std::os::fd::AsFd;
        epoll.add(pair.client.stream.as_fd(), libc::EPOLLIN | libc::EPOLLET | libc::EPOLLRDHUP, 0)?;
    }
    for size in [3 << 20, 70_000, 4 << 20, 1 << 20, 2 << 20] {
        daemon.wait_redirecting(&mut pair)?;
        let Pair { client, server } = &mut pair;
        std::thread::scope(|scope| -> Result<()> {
            let sends = scope.spawn(move || -> Result<()> {
                server.send(100)?;
                Ok(server.send(size)?)
            });
            let mut left = size + 100;
            while left > 0 {
                ensure!(!epoll.wait(2_000)?.is_empty(), "no edge for two seconds, {left} of {size} bytes are to come");
                loop {
                    let asked = left.min(16 << 10);
                    if asked == 0 {
                        break;
                    }
                    let before = client.incoming.offset;
                    match client.incoming.receive_once(&client.stream, asked, libc::MSG_DONTWAIT)? {
                        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                        other => drop(other?),
                    }
                    let got = (client.incoming.offset - before) as usize;
                    left -= got;
                    if got < asked {
                        break;
                    }
                }
            }
            sends.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })?;
    }
    pair.close()?;
    Ok(())
}

fn who_is_told_of_bytes_once_is_told_again(promotion: Promotion) -> Result<()> {
    told_again(promotion, &[], "program")
}

/// Up to Linux 6.0 a program cannot wake a reader, and the daemon does it by the reader's own descriptor.
fn who_no_program_wakes_is_woken_by_its_descriptor(promotion: Promotion) -> Result<()> {
    told_again(promotion, &["--without-wake"], "descriptor")
}

/// An edge-triggered reader that takes a short read for the end of what is there, while the last bytes are in TCP's queue behind
/// redirected ones: nothing more comes that could wake it.
fn told_again(promotion: Promotion, arguments: &[&str], wakes: &str) -> Result<()> {
    let pods = Pods::new(1)?;
    let policy = accelerate_everything(NAMESPACE).promotion(promotion);
    let daemon = pods.accelerate_with(&policy, arguments)?;
    ensure!(daemon.status()?["capabilities"]["wakes"] == wakes, "{}", daemon.status()?);
    let mut pair = pods.pair(0)?;
    daemon.warm(&mut pair)?;
    let epoll = socket::Epoll::new()?;
    {
        use std::os::fd::AsFd;
        epoll.add(pair.client.stream.as_fd(), libc::EPOLLIN | libc::EPOLLET, 0)?;
    }
    for round in 0..5 {
        daemon.wait_redirecting(&mut pair)?;
        epoll.wait(0)?;
        pair.server.send(100)?;
        daemon.run_ok(&["off"])?;
        pair.server.send(200)?;
        daemon.run_ok(&["on"])?;
        ensure!(!epoll.wait(2_000)?.is_empty(), "round {round}: nobody told of the first bytes");
        let mut left = 300;
        while left > 0 {
            let before = pair.client.incoming.offset;
            pair.client.incoming.receive_once(&pair.client.stream, 1000.min(left), libc::MSG_DONTWAIT)??;
            left -= (pair.client.incoming.offset - before) as usize;
            ensure!(left == 0 || !epoll.wait(5_000)?.is_empty(), "round {round}: no edge, and {left} bytes are there");
        }
    }
    ensure!(daemon.events("rescued")? > 0, "nobody had to be woken");
    pair.close()?;
    Ok(())
}

/// Short connections are soon not recorded any more. Their server's port is one that the kernel has picked, as their own are.
fn what_many_connections_of_one_port_do_is_held_against_no_other(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let daemon = pods.accelerate(promotion)?;
    let odd = pods.service(0, Family::V4)?;
    for _ in 0..400 {
        let mut pair = odd.pair(Some(pods.netns(0)))?;
        request::by_hand(&mut pair, 2, 300)?;
        pair.set_blocking(true)?;
        pair.set_blocking(false)?;
        pair.close()?;
    }
    ensure!(daemon.events("not_recorded")? > 200, "{} connections were not recorded", daemon.events("not_recorded")?);
    let mut pair = pods.pair(0)?;
    daemon.warm(&mut pair)?;
    pair.close()?;
    Ok(())
}
