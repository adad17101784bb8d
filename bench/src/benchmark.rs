//! `make bench`: what meshaccel does to the speed of every kind of traffic, against plain TCP and beside what else could
//! carry it.
//!
//! * [`catalogue`] the rows and their goals; [`variant`] what is compared, and in which order
//! * [`pair`] between two processes; [`proxied`] between two pods, through real Envoys
//! * [`injected`] between two pods of a cluster, through the sidecars that Istio injects
//! * [`redirection`] what the daemon really redirected; [`spread`] medians and quartiles; [`result`] a finished row
//! * [`table`] and [`chart`] what a person reads
//!
//! In every round the windows of all variants follow right after one another, in an order that rotates: what drifts on a
//! machine meets all of them alike. Plain means plain: the daemon is uninstalled before, not switched off.

pub mod catalogue;
mod chart;
mod injected;
mod pair;
mod proxied;
mod redirection;
mod result;
mod spread;
mod table;
mod variant;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use meshaccel_e2e_harness::interrupt;
use meshaccel_e2e_load::exchange::Window;
use meshaccel_e2e_mesh::sweep;

use crate::demo::prerequisites;
use crate::report::{png, ratios, words};
use catalogue::{Kind, Row, Site};
use pair::Fixture;
use redirection::Redirection;
use result::Measured;
pub use result::{Comparison, Series};
pub use spread::Spread;
pub use variant::Variant;

/// What to run, and what to write.
#[derive(Debug, Clone)]
pub struct Settings {
    pub site: Site,
    /// Windows of each variant.
    pub rounds: usize,
    /// Length of one window.
    pub seconds: f64,
    /// Beginning of the ids of rows; empty: all.
    pub only: String,
    /// Two processors for the two processes.
    pub apart: bool,
    pub json: Option<PathBuf>,
    /// As PNG, or as SVG when the name ends so.
    pub plot: Option<PathBuf>,
}

/// Measures, prints, writes.
pub fn run(settings: &Settings) -> Result<()> {
    prerequisites::check()?;
    interrupt::becomes_error()?;
    sweep::leftovers();
    let rows = catalogue::rows(settings.site, &settings.only);
    ensure!(!rows.is_empty(), "no row begins with {:?}; --list names them", settings.only);
    let comparisons = match settings.site {
        Site::Machine => here(settings, &rows),
        Site::Istio => injected::measure_all(settings, &rows),
    }?;
    println!("\n{}", table::render(&comparisons));
    if let Some(path) = &settings.json {
        write(path, json(settings, &comparisons)?)?;
    }
    if let Some(path) = &settings.plot {
        let svg = ratios::draw(&chart::chart(settings, &comparisons)?);
        let is_svg = path.extension().is_some_and(|extension| extension == "svg");
        write(path, if is_svg { svg.into_bytes() } else { png::render(&svg)? })?;
    }
    Ok(())
}

fn announce(number: usize, rows: &[Row]) {
    println!("[{}/{}] {}: {}", number + 1, rows.len(), rows[number].id, rows[number].label);
}

/// Measures rows of [`Site::Machine`].
fn here(settings: &Settings, rows: &[Row]) -> Result<Vec<Comparison>> {
    let mut comparisons = Vec::new();
    let (mut fixture, mut envoys): (Option<Fixture>, Option<proxied::Fixture>) = (None, None);
    for (number, row) in rows.iter().enumerate() {
        announce(number, rows);
        let length = Duration::from_secs_f64(settings.seconds);
        let comparison = match row.kind {
            Kind::Pair(pattern) => {
                let fixture = needed(&mut fixture, || Fixture::new(settings.apart))?;
                measure(row, settings.rounds, |variant| fixture.window(variant, pattern, length))
            }
            Kind::NotSelected(pattern) => {
                let fixture = needed(&mut fixture, || Fixture::new(settings.apart))?;
                measure(row, settings.rounds, |variant| fixture.beside_another(variant, pattern, length))
            }
            Kind::Proxied(proxied) => {
                if !envoys.as_ref().is_some_and(|fixture| fixture.suits(&proxied)) {
                    // Before the next are started: idle Envoys are not quite idle.
                    envoys = None;
                }
                let fixture = needed(&mut envoys, || proxied::Fixture::new(&proxied))?;
                fixture.warm_up(proxied.traffic)?;
                measure(row, settings.rounds, |variant| fixture.window(variant, proxied.traffic, length))
            }
            Kind::Injected { .. } => bail!("it is measured in a cluster"),
        };
        comparisons.push(comparison.with_context(|| row.id.clone())?);
    }
    Ok(comparisons)
}

/// What several rows share is made when the first of them needs it.
fn needed<T>(place: &mut Option<T>, make: impl FnOnce() -> Result<T>) -> Result<&mut T> {
    if place.is_none() {
        *place = Some(make()?);
    }
    place.as_mut().context("it was just made")
}

/// All rounds of a row. A wrong byte ends the run, unless the unguarded design is to blame: then its row says so.
fn measure(row: &Row, rounds: usize, mut window: impl FnMut(Variant) -> Result<Measured>) -> Result<Comparison> {
    let variants = row.variants();
    let new = |&variant: &Variant| Series { variant, windows: Vec::new(), broken: Vec::new() };
    let mut series: Vec<Series> = variants.iter().map(new).collect();
    let mut redirection: Option<Redirection> = None;
    for round in 0..rounds {
        for variant in variant::order(variants, round) {
            let Some(of) = series.iter_mut().find(|series| series.variant == variant) else { continue };
            let measured = window(variant).and_then(checked);
            match measured {
                Ok(measured) => {
                    of.windows.push(measured.window);
                    if let Some(seen) = &measured.redirection {
                        redirection.get_or_insert_default().add(seen);
                    }
                }
                Err(error) if variant == Variant::Published && !interrupt::seen() => {
                    of.broken.push(format!("{error:#}"));
                    // Keeps rounds beside one another.
                    of.windows.push(Window::NOTHING);
                }
                Err(error) => return Err(error.context(variant.as_str())),
            }
        }
        println!("  round {}: {}", round + 1, progress(&series));
    }
    if let Some(redirection) = &redirection {
        println!("  {}", redirection.sentence());
    }
    let (id, label, group, unit, goal) = (row.id.clone(), row.label.clone(), row.group(), row.unit(), row.goal);
    Ok(Comparison { id, group, label, unit, goal, series, redirection })
}

fn checked(measured: Measured) -> Result<Measured> {
    let Window { operations, mismatches, .. } = measured.window;
    if mismatches > 0 {
        bail!("{mismatches} wrong answers or pieces of a stream");
    }
    ensure!(operations > 0, "nothing was carried");
    Ok(measured)
}

/// "plain TCP 88,186/s, meshaccel 139,274/s (1.58 ×)" of the last round.
fn progress(series: &[Series]) -> String {
    let rate = |series: &Series| series.windows.last().map_or(f64::NAN, Window::per_second);
    let plain = series.first().map_or(f64::NAN, rate);
    let words = series.iter().map(|series| {
        let (name, rate) = (series.variant.as_str(), rate(series));
        match series.variant {
            Variant::Plain => format!("{name} {}/s", words::thousands(rate)),
            _ if rate.is_nan() => format!("{name} broke"),
            _ => format!("{name} {}/s ({})", words::thousands(rate), words::ratio(rate / plain)),
        }
    });
    words.collect::<Vec<_>>().join(", ")
}

fn json(settings: &Settings, comparisons: &[Comparison]) -> Result<String> {
    let document = serde_json::json!({
        "kernel": std::fs::read_to_string("/proc/sys/kernel/osrelease")?.trim(),
        "processors": std::thread::available_parallelism()?,
        "rounds": settings.rounds,
        "seconds": settings.seconds,
        "two_processors": settings.apart,
        "rows": comparisons.iter().map(Comparison::json).collect::<Vec<_>>(),
    });
    Ok(format!("{document:#}\n"))
}

fn write(path: &Path, bytes: impl AsRef<[u8]>) -> Result<()> {
    std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    println!("Written: {}", path.display());
    Ok(())
}
