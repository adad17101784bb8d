//! As much of SVG as the picture needs. Text is DejaVu Sans: what scripts/setup.sh installs where no font is.

use std::fmt::Write;

/// Where a text's coordinate lies in it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// Size, weight and colour of a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    pub size: f64,
    pub bold: bool,
    pub colour: &'static str,
}

/// An SVG under construction.
#[derive(Debug)]
pub(super) struct Canvas {
    body: String,
    width: f64,
    height: f64,
}

impl Canvas {
    pub(super) fn new(width: f64, height: f64) -> Self {
        let mut canvas = Self { body: String::new(), width, height };
        canvas.rectangle(0.0, 0.0, width, height, "#ffffff");
        canvas
    }

    pub(super) fn rectangle(&mut self, x: f64, y: f64, width: f64, height: f64, fill: &str) {
        self.push(&format!(r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" fill="{fill}"/>"#));
    }

    /// A bar: square where it starts, rounded where it ends.
    pub(super) fn bar(&mut self, x: f64, y: f64, width: f64, height: f64, fill: &str) {
        let (radius, end, bottom) = (3.0f64.min(width), x + width, y + height);
        self.push(&format!(
            r#"<path d="M{x:.1} {y:.1}H{:.1}Q{end:.1} {y:.1} {end:.1} {:.1}V{:.1}Q{end:.1} {bottom:.1} {:.1} {bottom:.1}H{x:.1}Z" fill="{fill}"/>"#,
            end - radius, y + radius, bottom - radius, end - radius,
        ));
    }

    /// A range: a thin line with a short stroke at each end.
    pub(super) fn whisker(&mut self, from: f64, to: f64, y: f64, stroke: &str) {
        self.line((from, y), (to, y), stroke, 1.5);
        for end in [from, to] {
            self.line((end, y - 4.0), (end, y + 4.0), stroke, 1.5);
        }
    }

    pub(super) fn disc(&mut self, x: f64, y: f64, radius: f64, fill: &str) {
        self.push(&format!(r#"<circle cx="{x:.1}" cy="{y:.1}" r="{radius}" fill="{fill}"/>"#));
    }

    pub(super) fn ring(&mut self, x: f64, y: f64, radius: f64, stroke: &str) {
        self.push(&format!(
            r##"<circle cx="{x:.1}" cy="{y:.1}" r="{radius}" fill="#ffffff" stroke="{stroke}" stroke-width="1.8"/>"##
        ));
    }

    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), stroke: &str, width: f64) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.push(&format!(
            r#"<line x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}" stroke="{stroke}" stroke-width="{width}"/>"#
        ));
    }

    /// A line through `points`, and the area between it and `floor`.
    pub(super) fn area(&mut self, points: &[(f64, f64)], floor: f64, stroke: &str, fill: &str) {
        let (Some(first), Some(last)) = (points.first(), points.last()) else { return };
        let path: String = points.iter().map(|(x, y)| format!("{x:.1},{y:.1} ")).collect();
        self.push(&format!(
            r#"<polygon points="{:.1},{floor:.1} {path}{:.1},{floor:.1}" fill="{fill}"/>"#,
            first.0, last.0
        ));
        self.push(&format!(
            r#"<polyline points="{path}" fill="none" stroke="{stroke}" stroke-width="2.5" stroke-linejoin="round"/>"#
        ));
    }

    pub(super) fn text(&mut self, x: f64, y: f64, anchor: Anchor, style: Style, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let weight = if style.bold { "bold" } else { "normal" };
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        self.push(&format!(
            r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" font-size="{}" font-weight="{weight}" fill="{}">{text}</text>"#,
            style.size, style.colour,
        ));
    }

    pub(super) fn finish(self) -> String {
        let Self { body, width, height } = self;
        format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" font-family="'DejaVu Sans', Verdana, sans-serif">
{body}</svg>
"#
        )
    }

    fn push(&mut self, element: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.body, "{element}");
    }
}
