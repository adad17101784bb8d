use super::*;
use crate::report::png;

fn sample(requests_per_second: f64, p50_us: f64, p99_us: f64, cpu_us: f64) -> Sample {
    Sample { requests_per_second, p50_us, p99_us, cpu_us }
}

fn findings() -> Findings {
    let rates =
        [7800.0, 8200.0, 7900.0, 8100.0, 8000.0, 8050.0, 9600.0, 10900.0, 10700.0, 10850.0, 10800.0, 10900.0, 10750.0];
    Findings {
        conditions: "HTTP through two pods with Envoy sidecars (Istio's rules, mutual TLS), 16 connections".to_owned(),
        plain: vec![
            sample(8100.0, 1890.0, 3610.0, 182.0),
            sample(7900.0, 1950.0, 4100.0, 187.0),
            sample(8000.0, 1900.0, 3900.0, 185.0),
        ],
        accelerated: vec![
            sample(10500.0, 1390.0, 3100.0, 142.0),
            sample(10300.0, 1400.0, 2900.0, 144.0),
            sample(9900.0, 1500.0, 3500.0, 147.0),
        ],
        timeline: Timeline {
            points: rates.iter().enumerate().map(|(n, &rate)| (n as f64 * 0.5 + 0.5, rate)).collect(),
            started_at: 3.4,
        },
        connections: 37,
        bytes: 123_456_789,
    }
}

#[test]
fn the_title_says_the_finding() {
    assert_eq!(findings().headline(), "meshaccel: 29 % more requests, 22 % less CPU for each");
    let mut slower = findings();
    std::mem::swap(&mut slower.plain, &mut slower.accelerated);
    assert_eq!(slower.headline(), "meshaccel: 22 % fewer requests, 28 % more CPU for each");
    slower.plain.clone_from(&slower.accelerated);
    assert_eq!(slower.headline(), "meshaccel: as many requests, as much CPU for each");
}

#[test]
fn the_picture_is_drawn_and_holds_every_figure() {
    let findings = findings();
    let svg = draw(&findings);
    for figure in [
        "8,000",
        "10,300",
        "1.29 ×",
        "185 µs",
        "144 µs",
        "1.40 ms",
        "37 connections",
        "123 MB",
        "meshaccel-node started",
    ] {
        assert!(svg.contains(figure), "{figure} is missing");
    }
    let png = png::render(&svg).unwrap();
    assert!(png.starts_with(b"\x89PNG"));
    if let Some(path) = std::env::var_os("MESHACCEL_PICTURE") {
        std::fs::write(path, png).unwrap();
    }
}

#[test]
fn an_axis_ends_at_a_round_number() {
    assert_eq!([7.0, 10_900.0, 1500.0, 99.0].map(round_up), [8.0, 15_000.0, 1500.0, 100.0]);
}
