//! `meshaccel-rr`: request/response between two threads over 127.0.0.1, plain TCP against accelerated, interleaved.
//!
//! Two pods: one is selected by the daemon's policy, the other is not and therefore runs plain TCP on the same machine
//! at the same time of day. Rounds alternate between them, the order changes every round, and medians are compared, so
//! that a drifting or shared machine moves both alike.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::{Parser, ValueEnum};
use comfy_table::Table;
use meshaccel_e2e::daemon::Daemon;
use meshaccel_e2e::manifest::Promotion;
use meshaccel_e2e::stage::Pods;
use meshaccel_e2e::traffic::{End, Pair};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// Compares request/response over plain TCP and over meshaccel.
#[derive(Parser)]
#[command(name = "meshaccel-rr")]
struct Args {
    /// Bytes of each request and each answer.
    #[arg(long, default_value_t = 64)]
    size: usize,
    /// Rounds; each measures plain and accelerated once.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// How the connection gets into the SOCKHASH.
    #[arg(long, value_enum, default_value_t = Mode::Auto)]
    mode: Mode,
    /// Fails when the ratio of the medians is below this.
    #[arg(long, default_value_t = 0.0)]
    require: f64,
}

#[derive(Clone, Copy, ValueEnum)]
enum Mode {
    Auto,
    Eager,
}

/// One measurement.
#[derive(Clone, Copy)]
struct Sample {
    requests: u64,
    requests_per_second: f64,
    /// User and system time of both threads, softirq work on their behalf included.
    cpu_microseconds_per_request: f64,
}

fn main() -> Result<()> {
    let args = Args::parse();
    ensure!(nix::unistd::geteuid().is_root(), "loading BPF programs and making network namespaces needs root");
    let promotion = match args.mode {
        Mode::Auto => Promotion::Auto,
        Mode::Eager => Promotion::Eager,
    };
    let pods = Pods::new(2)?;
    let daemon = pods.accelerate_first(promotion)?;
    let plain = pods.pair(1)?;
    let mut fast = pods.pair(0)?;
    daemon.warm(&mut fast)?;
    ensure_path(&daemon, &fast, &plain)?;

    let before = daemon.redirected(&fast)?;
    let (mut plain_samples, mut fast_samples) = (Vec::new(), Vec::new());
    let duration = Duration::from_secs_f64(args.seconds);
    for round in 0..args.rounds.max(1) {
        if round % 2 == 0 {
            plain_samples.push(measure(&plain, args.size, duration)?);
            fast_samples.push(measure(&fast, args.size, duration)?);
        } else {
            fast_samples.push(measure(&fast, args.size, duration)?);
            plain_samples.push(measure(&plain, args.size, duration)?);
        }
    }
    let redirected = daemon.redirected(&fast)? - before;
    let requests: u64 = fast_samples.iter().map(|sample| sample.requests).sum();

    let ratio = report(&plain_samples, &fast_samples);
    println!("redirected: {:.1} % of the messages", 100.0 * redirected as f64 / (2 * requests) as f64);
    println!("ratio: {ratio:.2} ({} B, {} rounds of {} s)", args.size, args.rounds, args.seconds);
    ensure!(ratio >= args.require, "the ratio is {ratio:.2}, {:.2} was required", args.require);
    Ok(())
}

/// The two connections must be what the table will call them.
fn ensure_path(daemon: &Daemon, fast: &Pair, plain: &Pair) -> Result<()> {
    ensure!(daemon.redirected(fast)? > 0, "the accelerated connection is not redirected");
    let connections = daemon.connections()?;
    let recorded = connections.of(&plain.client)?;
    ensure!(recorded.is_none(), "the plain connection is recorded: {recorded:?}");
    Ok(())
}

/// Requests and answers for `duration` on an open connection, each thread blocked in recv between them.
fn measure(pair: &Pair, size: usize, duration: Duration) -> Result<Sample> {
    for End { stream, .. } in [&pair.client, &pair.server] {
        stream.set_nodelay(true)?;
    }
    let (mut client, mut server) = (&pair.client.stream, &pair.server.stream);
    let last = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let answering = scope.spawn(|| answer(&mut server, size, &last));
        let cpu = cpu_microseconds()?;
        let start = Instant::now();
        let mut requests = 0u64;
        let (mut question, mut echoed) = (vec![0x5a; size], vec![0; size]);
        loop {
            // Told before the last question is sent, so the other thread knows it when it reads that question.
            let finished = requests % 64 == 63 && start.elapsed() >= duration;
            last.store(finished, Ordering::SeqCst);
            question[0] = requests as u8;
            client.write_all(&question)?;
            client.read_exact(&mut echoed)?;
            ensure!(echoed == question, "answer {requests} is not what was sent");
            requests += 1;
            if finished {
                break;
            }
        }
        let elapsed = start.elapsed().as_secs_f64();
        answering.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok(Sample {
            requests,
            requests_per_second: requests as f64 / elapsed,
            cpu_microseconds_per_request: (cpu_microseconds()? - cpu) / requests as f64,
        })
    })
}

fn answer(stream: &mut &TcpStream, size: usize, last: &AtomicBool) -> Result<()> {
    let mut buffer = vec![0; size];
    loop {
        stream.read_exact(&mut buffer).context("no question came")?;
        let finished = last.load(Ordering::SeqCst);
        stream.write_all(&buffer)?;
        if finished {
            return Ok(());
        }
    }
}

fn cpu_microseconds() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    Ok((usage.user_time() + usage.system_time()).num_microseconds() as f64)
}

/// Prints the table; the ratio of the medians.
fn report(plain: &[Sample], fast: &[Sample]) -> f64 {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::UTF8_FULL_CONDENSED);
    table.set_header(["path", "requests/s (median)", "lowest .. highest", "CPU us/request"]);
    let mut medians = Vec::new();
    for (name, samples) in [("plain TCP", plain), ("accelerated", fast)] {
        let mut rates: Vec<f64> = samples.iter().map(|sample| sample.requests_per_second).collect();
        let mut cpu: Vec<f64> = samples.iter().map(|sample| sample.cpu_microseconds_per_request).collect();
        rates.sort_by(f64::total_cmp);
        cpu.sort_by(f64::total_cmp);
        let (median, cpu) = (rates[rates.len() / 2], cpu[cpu.len() / 2]);
        let spread = format!("{:.0} .. {:.0}", rates[0], rates[rates.len() - 1]);
        table.add_row([name.to_owned(), format!("{median:.0}"), spread, format!("{cpu:.2}")]);
        medians.push((median, cpu));
    }
    println!("{table}");
    println!("CPU per request: {:.2} of plain", medians[1].1 / medians[0].1);
    medians[1].0 / medians[0].0
}
