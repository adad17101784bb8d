//! The picture: four measures as pairs of bars, and the throughput of one load during which the daemon was started.
//! Labels stand where the eye already is; there are no legends, and axes start at zero.

use super::canvas::{Anchor, Canvas, Style};
use super::{Findings, MEASURES, Measure, Timeline, words};
use crate::sample::Sample;

const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 706.0;
const LEFT: f64 = 48.0;
const RIGHT: f64 = WIDTH - LEFT;
/// Bars begin here; their names end a little before.
const BARS: f64 = 348.0;
/// The longest bar.
const BAR_LENGTH: f64 = 380.0;
const BAR_HEIGHT: f64 = 22.0;
const FIRST_ROW: f64 = 132.0;
const ROW_HEIGHT: f64 = 78.0;

const INK: &str = "#1f2933";
const QUIET: &str = "#6b7785";
const RULE: &str = "#e4e8ec";
const PLAIN: &str = "#a9b4bf";
const PLAIN_DARK: &str = "#7b8794";
const PLAIN_PALE: &str = "#eef1f4";
const FAST: &str = "#0b8a8f";
const FAST_DARK: &str = "#06595d";
const FAST_PALE: &str = "#d9efef";
const WORSE: &str = "#b4552d";

const TITLE: Style = Style { size: 27.0, bold: true, colour: INK };
const SUBTITLE: Style = Style { size: 14.5, bold: false, colour: QUIET };
const NAME: Style = Style { size: 16.0, bold: true, colour: INK };
const NOTE: Style = Style { size: 13.0, bold: false, colour: QUIET };
const SERIES: Style = Style { size: 13.0, bold: false, colour: PLAIN_DARK };
const FAST_SERIES: Style = Style { size: 13.0, bold: true, colour: FAST };
const VALUE: Style = Style { size: 15.0, bold: false, colour: INK };
const FAST_VALUE: Style = Style { size: 15.0, bold: true, colour: INK };

/// The picture as SVG.
pub fn draw(findings: &Findings) -> String {
    let mut canvas = Canvas::new(WIDTH, HEIGHT);
    canvas.text(LEFT, 60.0, Anchor::Start, TITLE, &findings.headline());
    canvas.text(LEFT, 88.0, Anchor::Start, SUBTITLE, &findings.conditions);
    if let Some(medians) = findings.medians() {
        for (row, measure) in MEASURES.iter().enumerate() {
            draw_measure(&mut canvas, FIRST_ROW + row as f64 * ROW_HEIGHT, measure, findings, &medians);
        }
    }
    let top = FIRST_ROW + MEASURES.len() as f64 * ROW_HEIGHT + 4.0;
    draw_timeline(&mut canvas, top, &findings.timeline);
    let footer = format!(
        "{} connections redirected, {} kept off the network stack. Bars are medians of the rounds, lines their range.",
        words::thousands(findings.connections as f64),
        words::bytes(findings.bytes),
    );
    canvas.text(LEFT, HEIGHT - 24.0, Anchor::Start, NOTE, &footer);
    canvas.finish()
}

fn draw_measure(canvas: &mut Canvas, y: f64, measure: &Measure, findings: &Findings, medians: &(Sample, Sample)) {
    let value = measure.value;
    let (before, after) = (value(&medians.0), value(&medians.1));
    let all = findings.plain.iter().chain(&findings.accelerated).map(value);
    let longest = all.fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    let length = |value: f64| BAR_LENGTH * value / longest;

    canvas.line((LEFT, y), (RIGHT, y), RULE, 1.0);
    canvas.text(LEFT, y + 34.0, Anchor::Start, NAME, measure.name);
    let wish = if measure.more_is_better { "more is better" } else { "less is better" };
    canvas.text(LEFT, y + 54.0, Anchor::Start, NOTE, wish);

    let series = [
        ("plain TCP", before, &findings.plain, PLAIN, PLAIN_DARK, SERIES, VALUE),
        ("meshaccel", after, &findings.accelerated, FAST, FAST_DARK, FAST_SERIES, FAST_VALUE),
    ];
    for (index, (name, median, rounds, fill, whisker, name_style, value_style)) in series.into_iter().enumerate() {
        let top = y + 14.0 + index as f64 * (BAR_HEIGHT + 5.0);
        let middle = top + BAR_HEIGHT / 2.0;
        canvas.text(BARS - 10.0, middle + 4.5, Anchor::End, name_style, name);
        canvas.bar(BARS, top, length(median), BAR_HEIGHT, fill);
        let (nearest, furthest) =
            rounds.iter().map(value).fold((median, median), |(low, high), v| (low.min(v), high.max(v)));
        canvas.whisker(BARS + length(nearest), BARS + length(furthest), middle, whisker);
        canvas.text(
            BARS + length(furthest) + 12.0,
            middle + 5.0,
            Anchor::Start,
            value_style,
            &(measure.format)(median),
        );
    }

    let better = (after > before) == measure.more_is_better;
    let style = Style { size: 26.0, bold: true, colour: if better { FAST } else { WORSE } };
    canvas.text(RIGHT, y + 48.0, Anchor::End, style, &words::ratio(after / before));
}

fn draw_timeline(canvas: &mut Canvas, top: f64, timeline: &Timeline) {
    let (Some(first), Some(last)) = (timeline.points.first(), timeline.points.last()) else { return };
    let (x0, x1, y0, y1) = (LEFT + 52.0, RIGHT, top + 172.0, top + 56.0);
    let highest = timeline.points.iter().map(|p| p.1).fold(0.0, f64::max);
    let ceiling = round_up(highest);
    let x = |seconds: f64| x0 + (x1 - x0) * (seconds - first.0) / (last.0 - first.0).max(f64::MIN_POSITIVE);
    let y = |rate: f64| y0 - (y0 - y1) * rate / ceiling;

    canvas.line((LEFT, top), (RIGHT, top), RULE, 1.0);
    canvas.text(LEFT, top + 28.0, Anchor::Start, NAME, "Started under load: requests per second");
    for rate in [0.0, ceiling] {
        canvas.line((x0, y(rate)), (x1, y(rate)), RULE, 1.0);
        canvas.text(x0 - 8.0, y(rate) + 4.5, Anchor::End, NOTE, &words::thousands(rate));
    }
    let points: Vec<(f64, f64)> = timeline.points.iter().map(|&(at, rate)| (x(at), y(rate))).collect();
    let split = points.partition_point(|point| point.0 < x(timeline.started_at));
    // Both halves share the point at which the daemon was ready, so that the line does not break.
    canvas.area(&points[..(split + 1).min(points.len())], y0, PLAIN_DARK, PLAIN_PALE);
    canvas.area(&points[split.min(points.len())..], y0, FAST, FAST_PALE);
    let mark = points.get(split).map_or(x1, |point| point.0);
    canvas.line((mark, y1), (mark, y0), FAST_DARK, 1.5);
    canvas.text(mark - 12.0, y0 - 14.0, Anchor::End, SERIES, "plain TCP");
    canvas.text(mark + 12.0, y0 - 14.0, Anchor::Start, FAST_SERIES, "meshaccel-node started, the same connections");
    for second in (first.0.ceil() as u32..=last.0.floor() as u32).step_by(2) {
        let label = if second == 0 { "0 s".to_owned() } else { format!("{second} s") };
        canvas.text(x(second.into()), y0 + 20.0, Anchor::Middle, NOTE, &label);
    }
}

/// The next of 1, 1.5, 2, 3, 4, 5, 6, 8 times a power of ten.
fn round_up(value: f64) -> f64 {
    let power = 10f64.powf(value.max(1.0).log10().floor());
    let steps = [1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];
    steps.iter().map(|step| step * power).find(|&candidate| candidate >= value).unwrap_or(value)
}

#[cfg(test)]
mod tests;
