//! The benchmark as a picture: a row a pattern, a point a way to carry it, to the right of the line at 1 what is faster
//! than plain TCP. Pure: what is to be drawn comes in as [`Chart`].

use super::canvas::{Anchor, Canvas, Style};
use super::words;

/// One row.
#[derive(Debug, Clone)]
pub struct Row {
    pub label: String,
    pub group: String,
    /// What meshaccel is to reach.
    pub goal: f64,
    pub reached: bool,
    pub meshaccel: Option<Range>,
    /// CPU of one operation against plain TCP.
    pub cpu: Option<f64>,
    pub published: Option<Range>,
    pub unix: Option<f64>,
}

/// Median, quartiles and ends of a set of ratios.
#[derive(Debug, Clone, Copy)]
pub struct Range {
    pub low: f64,
    pub lower_quartile: f64,
    pub median: f64,
    pub upper_quartile: f64,
    pub high: f64,
}

/// Everything in the picture.
#[derive(Debug, Clone)]
pub struct Chart {
    pub title: String,
    pub conditions: String,
    pub rows: Vec<Row>,
}

const WIDTH: f64 = 1120.0;
const LEFT: f64 = 40.0;
/// Labels end before, the scale begins here.
const SCALE_LEFT: f64 = 372.0;
const SCALE_RIGHT: f64 = 884.0;
/// The columns of figures end here.
const RATIO_COLUMN: f64 = 990.0;
const CPU_COLUMN: f64 = 1080.0;
const TOP: f64 = 176.0;
const ROW_HEIGHT: f64 = 27.0;
const GROUP_HEIGHT: f64 = 40.0;
/// No scale is longer: what lies beyond is an arrow with a number.
const FURTHEST: f64 = 3.0;

const INK: &str = "#1f2933";
const QUIET: &str = "#6b7785";
const RULE: &str = "#e4e8ec";
const ONE: &str = "#52606d";
const FAST: &str = "#0b8a8f";
const FAST_PALE: &str = "#9fd3d4";
const OTHER: &str = "#d08a3c";
const OTHER_PALE: &str = "#efd5b4";
const LIMIT: &str = "#8a94a0";
const MISSED: &str = "#b4552d";

const TITLE: Style = Style { size: 25.0, bold: true, colour: INK };
const SUBTITLE: Style = Style { size: 14.0, bold: false, colour: QUIET };
const GROUP: Style = Style { size: 14.5, bold: true, colour: INK };
const LABEL: Style = Style { size: 13.0, bold: false, colour: INK };
const NOTE: Style = Style { size: 12.0, bold: false, colour: QUIET };
const STRONG_NOTE: Style = Style { size: 12.0, bold: true, colour: ONE };
const VALUE: Style = Style { size: 13.5, bold: true, colour: FAST };
const MISSED_VALUE: Style = Style { size: 13.5, bold: true, colour: MISSED };
const CPU: Style = Style { size: 13.0, bold: false, colour: INK };

/// From a ratio to a place on the page.
#[derive(Debug, Clone, Copy)]
struct Scale {
    end: f64,
}

impl Scale {
    /// Up to the furthest of what meshaccel and the published design reach, so that they are told apart best.
    fn of(rows: &[Row]) -> Self {
        let ranges = rows.iter().flat_map(|row| [row.meshaccel, row.published]).flatten();
        let furthest = ranges.map(|range| range.high).chain(rows.iter().map(|row| row.goal)).fold(1.5, f64::max);
        Self { end: (furthest * 4.0).ceil().min(FURTHEST * 4.0) / 4.0 }
    }

    fn x(self, ratio: f64) -> f64 {
        SCALE_LEFT + (SCALE_RIGHT - SCALE_LEFT) * ratio.clamp(0.0, self.end) / self.end
    }
}

/// The picture as SVG.
pub fn draw(chart: &Chart) -> String {
    let groups = chart.rows.windows(2).filter(|pair| pair[0].group != pair[1].group).count() + 1;
    let bottom = TOP + groups as f64 * GROUP_HEIGHT + chart.rows.len() as f64 * ROW_HEIGHT;
    let mut canvas = Canvas::new(WIDTH, bottom + 62.0);
    let scale = Scale::of(&chart.rows);
    canvas.text(LEFT, 54.0, Anchor::Start, TITLE, &chart.title);
    canvas.text(LEFT, 80.0, Anchor::Start, SUBTITLE, &chart.conditions);
    draw_legend(&mut canvas, 112.0);
    draw_scale(&mut canvas, scale, bottom);
    let (mut y, mut group) = (TOP, "");
    for row in &chart.rows {
        if row.group != group {
            group = &row.group;
            y += GROUP_HEIGHT;
            canvas.text(LEFT, y - 13.0, Anchor::Start, GROUP, group);
            canvas.line((LEFT, y - 4.0), (CPU_COLUMN, y - 4.0), RULE, 1.0);
        }
        draw_row(&mut canvas, scale, y + ROW_HEIGHT / 2.0, row);
        y += ROW_HEIGHT;
    }
    let footer = "Points are medians over the rounds, thick lines the middle half of them, thin lines all. Each ratio is \
                  of two windows of one round. Red: below the goal.";
    canvas.text(LEFT, bottom + 44.0, Anchor::Start, NOTE, footer);
    canvas.finish()
}

fn draw_legend(canvas: &mut Canvas, y: f64) {
    let mut x = LEFT;
    let mut item = |canvas: &mut Canvas, width: f64, text: &str, mark: &dyn Fn(&mut Canvas, f64)| {
        mark(canvas, x + 7.0);
        canvas.text(x + 20.0, y + 4.5, Anchor::Start, NOTE, text);
        x += width;
    };
    item(canvas, 118.0, "meshaccel", &|canvas, x| canvas.disc(x, y, 5.5, FAST));
    item(canvas, 326.0, "published sockmap design, without guards", &|canvas, x| canvas.disc(x, y, 4.0, OTHER));
    item(canvas, 250.0, "Unix sockets instead of TCP", &|canvas, x| draw_limit(canvas, x, y));
    item(canvas, 200.0, "goal of meshaccel", &|canvas, x| draw_goal(canvas, x, y, ONE));
}

fn draw_scale(canvas: &mut Canvas, scale: Scale, bottom: f64) {
    let top = TOP - 6.0;
    let mut tick = 0.0;
    while tick <= scale.end + 1e-9 {
        let x = scale.x(tick);
        let (colour, width) = if tick == 1.0 { (ONE, 1.8) } else { (RULE, 1.0) };
        canvas.line((x, top), (x, bottom), colour, width);
        if tick != 1.0 {
            canvas.text(x, top - 7.0, Anchor::Middle, NOTE, &format!("{tick} ×"));
        }
        tick += 0.5;
    }
    let x = scale.x(1.0);
    canvas.text(x, top - 7.0, Anchor::Middle, STRONG_NOTE, "plain TCP");
    canvas.text(x + 8.0, bottom + 17.0, Anchor::Start, NOTE, "faster than plain TCP \u{2192}");
    canvas.text(x - 8.0, bottom + 17.0, Anchor::End, NOTE, "\u{2190} slower");
    canvas.text(RATIO_COLUMN, top - 7.0, Anchor::End, STRONG_NOTE, "meshaccel");
    canvas.text(CPU_COLUMN, top - 7.0, Anchor::End, STRONG_NOTE, "CPU each");
}

fn draw_row(canvas: &mut Canvas, scale: Scale, y: f64, row: &Row) {
    canvas.text(SCALE_LEFT - 14.0, y + 4.5, Anchor::End, LABEL, &row.label);
    draw_goal(canvas, scale.x(row.goal), y, ONE);
    if let Some(unix) = row.unix {
        draw_limit(canvas, scale.x(unix), y);
        if unix > scale.end {
            canvas.text(scale.x(unix) - 8.0, y + 4.5, Anchor::End, NOTE, &format!("{unix:.1} \u{2192}"));
        }
    }
    if let Some(published) = row.published {
        draw_range(canvas, scale, y + 5.0, published, OTHER_PALE, OTHER);
        canvas.disc(scale.x(published.median), y + 5.0, 4.0, OTHER);
    }
    if let Some(fast) = row.meshaccel {
        draw_range(canvas, scale, y - 2.5, fast, FAST_PALE, FAST);
        canvas.disc(scale.x(fast.median), y - 2.5, 5.5, FAST);
        let style = if row.reached { VALUE } else { MISSED_VALUE };
        canvas.text(RATIO_COLUMN, y + 4.5, Anchor::End, style, &words::ratio(fast.median));
    }
    if let Some(cpu) = row.cpu {
        canvas.text(CPU_COLUMN, y + 4.5, Anchor::End, CPU, &words::ratio(cpu));
    }
}

fn draw_range(canvas: &mut Canvas, scale: Scale, y: f64, range: Range, pale: &str, dark: &str) {
    canvas.line((scale.x(range.low), y), (scale.x(range.high), y), dark, 1.0);
    canvas.line((scale.x(range.lower_quartile), y), (scale.x(range.upper_quartile), y), pale, 5.0);
}

/// An open circle.
fn draw_limit(canvas: &mut Canvas, x: f64, y: f64) {
    canvas.ring(x, y, 4.0, LIMIT);
}

/// A short upright stroke.
fn draw_goal(canvas: &mut Canvas, x: f64, y: f64, colour: &str) {
    canvas.line((x, y - 10.0), (x, y + 10.0), colour, 3.0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::png;

    fn range(median: f64) -> Option<Range> {
        let (low, high) = (median * 0.85, median * 1.1);
        Some(Range { low, lower_quartile: median * 0.95, median, upper_quartile: median * 1.04, high })
    }

    fn chart() -> Chart {
        let row = |group: &str, label: &str, goal: f64, fast: f64, published: f64, unix: Option<f64>| Row {
            label: label.to_owned(),
            group: group.to_owned(),
            goal,
            reached: fast >= goal,
            meshaccel: range(fast),
            cpu: Some(1.0 / fast),
            published: range(published),
            unix,
        };
        let (pairs, envoys) = ("Two processes of one pod", "Two Envoys, Istio's rules, mutual TLS between them");
        Chart {
            title: "meshaccel against plain TCP".to_owned(),
            conditions: "Operations per second as a ratio; 7 rounds of 0.8 s, 2 processors, Linux 6.18".to_owned(),
            rows: vec![
                row(pairs, "request/response, 64 B", 1.7, 1.78, 1.8, Some(1.92)),
                row(pairs, "request/response, 64 B, 256 connections", 0.97, 1.5, 1.62, Some(2.4)),
                row(pairs, "one way, 64 B", 0.97, 1.0, 0.58, Some(0.7)),
                row(pairs, "one way, 64 KB", 1.5, 1.08, 2.1, Some(3.9)),
                row(pairs, "connect and 1 request, 64 B", 0.97, 0.8, 0.85, Some(2.2)),
                row(envoys, "HTTP/1.1, 16 connections", 1.35, 1.2, 1.0, None),
            ],
        }
    }

    #[test]
    fn every_row_is_there_and_what_is_beyond_the_scale_is_said() {
        let svg = draw(&chart());
        for words in ["one way, 64 KB", "1.78 ×", "0.80 ×", "plain TCP", "3.9 \u{2192}", "Two Envoys", "goal"] {
            assert!(svg.contains(words), "{words} is missing");
        }
        let png = png::render(&svg).unwrap();
        if let Some(path) = std::env::var_os("MESHACCEL_PICTURE") {
            std::fs::write(path, png).unwrap();
        }
    }

    #[test]
    fn the_scale_ends_beyond_what_is_compared_but_not_far_away() {
        let mut rows = chart().rows;
        let end = Scale::of(&rows).end;
        assert!((2.3..2.6).contains(&end), "{end}");
        rows[0].meshaccel = range(9.0);
        assert_eq!(Scale::of(&rows).end, FURTHEST);
        assert_eq!(Scale::of(&[]).end, 1.5);
    }
}
