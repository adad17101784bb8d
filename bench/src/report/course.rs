//! The course of several measures over time, a column a run, as a picture: rows of panels on one axis of time, the goal of
//! each measure as a line, spans of time by name. Pure: what is to be drawn comes in as [`Chart`].

use super::canvas::{Anchor, Canvas, Style};

/// Everything in the picture.
#[derive(Debug, Clone)]
pub struct Chart {
    pub title: String,
    pub conditions: String,
    pub measures: Vec<Measure>,
    pub runs: Vec<Run>,
    /// Lines below.
    pub notes: Vec<String>,
}

/// One row.
#[derive(Debug, Clone)]
pub struct Measure {
    pub name: String,
    pub unit: &'static str,
    /// What it must stay below.
    pub goal: Option<f64>,
}

/// One column.
#[derive(Debug, Clone)]
pub struct Run {
    pub name: String,
    /// Name, from, to, in s.
    pub spans: Vec<(String, f64, f64)>,
    /// Of each measure: (s, value) in the order of time.
    pub courses: Vec<Vec<(f64, f64)>>,
}

const WIDTH: f64 = 1120.0;
const LEFT: f64 = 40.0;
const RIGHT: f64 = WIDTH - 40.0;
/// Room for the numbers of an axis.
const AXIS: f64 = 46.0;
const GAP: f64 = 26.0;
const TOP: f64 = 178.0;
const ROW_HEIGHT: f64 = 138.0;
const PANEL_HEIGHT: f64 = 84.0;
const NOTE_HEIGHT: f64 = 20.0;

const INK: &str = "#1f2933";
const QUIET: &str = "#6b7785";
const RULE: &str = "#e4e8ec";
const BAND: &str = "#f6f8fa";
const LINE: &str = "#0b8a8f";
const PALE: &str = "#d9efef";
const GOAL: &str = "#b4552d";

const TITLE: Style = Style { size: 24.0, bold: true, colour: INK };
const SUBTITLE: Style = Style { size: 13.0, bold: false, colour: QUIET };
const RUN: Style = Style { size: 15.0, bold: true, colour: INK };
const NAME: Style = Style { size: 13.5, bold: true, colour: INK };
const NOTE: Style = Style { size: 12.0, bold: false, colour: QUIET };
const SPAN: Style = Style { size: 11.5, bold: false, colour: QUIET };
const GOAL_NOTE: Style = Style { size: 11.5, bold: true, colour: GOAL };

/// The picture as SVG.
pub fn draw(chart: &Chart) -> String {
    let bottom = TOP + chart.measures.len() as f64 * ROW_HEIGHT;
    let mut canvas = Canvas::new(WIDTH, bottom + 36.0 + chart.notes.len() as f64 * NOTE_HEIGHT);
    canvas.text(LEFT, 50.0, Anchor::Start, TITLE, &chart.title);
    canvas.text(LEFT, 76.0, Anchor::Start, SUBTITLE, &chart.conditions);
    let count = chart.runs.len().max(1) as f64;
    let width = (RIGHT - LEFT - (count - 1.0) * GAP) / count;
    for (row, measure) in chart.measures.iter().enumerate() {
        let y = TOP + row as f64 * ROW_HEIGHT;
        canvas.text(LEFT, y + 2.0, Anchor::Start, NAME, &measure.name);
        let ceiling = ceiling(measure, chart.runs.iter().filter_map(|run| run.courses.get(row)));
        for (column, run) in chart.runs.iter().enumerate() {
            let x = LEFT + column as f64 * (width + GAP);
            let panel = Panel { x: x + AXIS, y: y + 14.0, width: width - AXIS, ceiling, end: end(run) };
            panel.draw(&mut canvas, measure, run, row);
            if row == 0 {
                canvas.text(x + AXIS, TOP - 54.0, Anchor::Start, RUN, &run.name);
            }
            if row + 1 == chart.measures.len() {
                panel.draw_time(&mut canvas);
            }
        }
    }
    for (index, note) in chart.notes.iter().enumerate() {
        canvas.text(LEFT, bottom + 18.0 + index as f64 * NOTE_HEIGHT, Anchor::Start, NOTE, note);
    }
    canvas.finish()
}

/// Where one course is drawn.
#[derive(Debug, Clone, Copy)]
struct Panel {
    x: f64,
    y: f64,
    width: f64,
    ceiling: f64,
    /// The last moment, in s.
    end: f64,
}

impl Panel {
    fn x(&self, at: f64) -> f64 {
        self.x + self.width * at / self.end
    }

    fn y(&self, value: f64) -> f64 {
        self.y + PANEL_HEIGHT * (1.0 - value.min(self.ceiling) / self.ceiling)
    }

    fn draw(&self, canvas: &mut Canvas, measure: &Measure, run: &Run, row: usize) {
        let first = row == 0;
        let course = run.courses.get(row).map_or(&[][..], Vec::as_slice);
        let floor = self.y(0.0);
        for (index, (name, from, to)) in run.spans.iter().enumerate() {
            if index % 2 == 0 {
                canvas.rectangle(self.x(*from), self.y, self.x(*to) - self.x(*from), PANEL_HEIGHT, BAND);
            }
            // Above the first row: all share the axis. In turns a line higher, for short ones beside one another.
            if first {
                let middle = (self.x(*from) + self.x(*to)) / 2.0;
                let (x, anchor) = if index == 0 { (self.x, Anchor::Start) } else { (middle, Anchor::Middle) };
                canvas.text(x, TOP - if index % 2 == 0 { 18.0 } else { 33.0 }, anchor, SPAN, name);
            }
        }
        for value in [0.0, self.ceiling] {
            canvas.line((self.x, self.y(value)), (self.x + self.width, self.y(value)), RULE, 1.0);
            canvas.text(self.x - 6.0, self.y(value) + 4.0, Anchor::End, NOTE, &label(value, measure.unit));
        }
        let points: Vec<(f64, f64)> = course.iter().map(|&(at, value)| (self.x(at), self.y(value))).collect();
        canvas.area(&points, floor, LINE, PALE);
        if let Some(goal) = measure.goal {
            canvas.line((self.x, self.y(goal)), (self.x + self.width, self.y(goal)), GOAL, 1.2);
            let text = format!("goal: below {}", label(goal, measure.unit));
            canvas.text(self.x + self.width - 4.0, self.y(goal) + 14.0, Anchor::End, GOAL_NOTE, &text);
        }
    }

    fn draw_time(&self, canvas: &mut Canvas) {
        let step = if self.end > 240.0 { 60.0 } else { 30.0 };
        let mut at = 0.0;
        while at <= self.end {
            canvas.text(self.x(at), self.y + PANEL_HEIGHT + 16.0, Anchor::Middle, NOTE, &label(at, "s"));
            at += step;
        }
    }
}

fn label(value: f64, unit: &str) -> String {
    let digits = if value.fract() == 0.0 { 0 } else { 1 };
    if value == 0.0 { "0".to_owned() } else { format!("{value:.digits$} {unit}").trim_end().to_owned() }
}

fn end(run: &Run) -> f64 {
    let lasts = run.courses.iter().filter_map(|course| course.last()).map(|(at, _)| *at);
    lasts.fold(1.0, f64::max)
}

/// A little above the goal, or above the highest value, the same for all runs.
fn ceiling<'a>(measure: &Measure, courses: impl Iterator<Item = &'a Vec<(f64, f64)>>) -> f64 {
    let highest = courses.flatten().map(|(_, value)| *value).fold(0.0, f64::max);
    let least = (highest * 1.05).max(measure.goal.unwrap_or_default() * 1.2).max(f64::MIN_POSITIVE);
    let power = 10f64.powf(least.log10().floor());
    let steps = [1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];
    steps.iter().map(|step| step * power).find(|candidate| *candidate >= least).unwrap_or(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_holds_the_goal_and_every_value() {
        let measure = |goal| Measure { name: String::new(), unit: "s", goal };
        let course = |value: f64| vec![(0.0, 0.0), (1.0, value)];
        assert_eq!(ceiling(&measure(Some(30.0)), [&course(9.0)].into_iter()), 40.0);
        assert_eq!(ceiling(&measure(Some(30.0)), [&course(9.0), &course(55.0)].into_iter()), 60.0);
        assert_eq!(ceiling(&measure(None), [&course(0.7)].into_iter()), 0.8);
        assert_eq!([label(0.0, "s"), label(30.0, "s"), label(0.5, "")], ["0", "30 s", "0.5"]);
    }
}
