//! Figures: the same bytes each time, every word in its place.

use super::*;
use crate::base::Rng;
use crate::run::series::SenderSeries;

/// Latencies like those of messages over a lossy path: `base` plus now and then a recovery.
fn lossy(label: &str, base: u64, recovery: u64) -> Series {
    let mut rng = Rng::stream(3, label);
    let sample = |n: u64| {
        let extra = if rng.chance(0.05) { recovery / 2 + rng.below(recovery) } else { rng.below(200_000) };
        (n * 20_000_000, base + extra)
    };
    Series { label: label.into(), samples: (1..=3000).map(sample).collect(), light_floor_ns: Some(27_900_000) }
}

fn all() -> Vec<(&'static str, String)> {
    let both = [lossy("udp", 28_000_000, 1_000), lossy("tcp", 28_000_000, 110_000_000)];
    let flows = ["reno", "cubic"].map(|label| Flow {
        label: label.into(),
        intervals: (1..=300_u64).map(|n| (n * 100_000_000, 500_000 + (n * 37 % 50) * 12_000)).collect(),
    });
    let loss_line = |label: &str, colour, dashed, scale: f64| LossLine {
        label: label.into(),
        colour,
        dashed,
        points: [0.0, 0.005, 0.01, 0.02, 0.05].map(|p| (p, 28e6 + scale * p)).to_vec(),
    };
    let lines = [
        loss_line("udp p50", 0, true, 0.0),
        loss_line("udp p99", 0, false, 1e7),
        loss_line("tcp p50", 1, true, 1e8),
        loss_line("tcp p99", 1, false, 8e9),
    ];
    let subtitle = "tcp-vs-udp, seed 7";
    vec![
        ("cdf", distribution(&both, Shape::Cumulative, subtitle).unwrap()),
        ("tail", distribution(&both, Shape::Tail, subtitle).unwrap()),
        ("time", over_time(&both[1], &[], 60_000_000_000, subtitle).unwrap()),
        ("goodput", goodput(&flows, 30_000_000_000, subtitle).unwrap()),
        ("loss", against_loss(&lines, Measure::Latency, subtitle).unwrap()),
    ]
}

#[test]
fn figures_are_the_same_bytes_each_time() {
    for ((name, first), (_, second)) in all().into_iter().zip(all()) {
        assert_eq!(first, second, "{name}");
        assert!(
            first.starts_with("<svg width=\"960\" height=\"560\"") && first.len() < 400_000,
            "{name}: {}",
            first.len()
        );
    }
}

#[test]
fn a_figure_of_nothing_or_of_one_thing_is_still_a_figure() {
    let one = Series { label: "one".into(), samples: vec![(5, 7)], light_floor_ns: None };
    let none = Series { samples: vec![], ..one.clone() };
    for series in [one, none] {
        distribution(std::slice::from_ref(&series), Shape::Cumulative, "").unwrap();
        distribution(std::slice::from_ref(&series), Shape::Tail, "").unwrap();
        over_time(&series, &[], 0, "").unwrap();
    }
    goodput(&[], 0, "").unwrap();
    against_loss(&[], Measure::Goodput, "").unwrap();
}

#[test]
fn names_are_words_not_markup() {
    let named = Series { label: "<b>&\"x\"".into(), samples: vec![(5, 7)], light_floor_ns: None };
    let svg = distribution(&[named], Shape::Cumulative, "a < b & c").unwrap();
    assert!(!svg.contains("<b>") && svg.contains("&lt;b&gt;"), "{svg}");
}

/// Writes the figures where a person can look at them: `FIGURES=dir cargo test --lib figures_to_look_at -- --ignored`.
#[test]
#[ignore = "writes files for a person to look at"]
fn figures_to_look_at() {
    #[expect(clippy::disallowed_methods, reason = "asked for by the person who runs this")]
    let dir = std::env::var("FIGURES").expect("FIGURES names a directory");
    for (name, svg) in all() {
        crate::report::files::write_whole(&std::path::Path::new(&dir).join(format!("{name}.svg")), svg.as_bytes())
            .unwrap();
    }
}

#[test]
fn windows_and_depths_name_what_they_draw() {
    let outcome = crate::report::fixture::outcome([]);
    let series = outcome.series.unwrap();
    let window = windows(&series, 100_000_000, "shop, seed 7").unwrap();
    for words in ["Congestion window during the run", "origin:80 &gt; user:32769: cwnd", "ssthresh", "in flight"] {
        assert!(window.contains(words), "{words}");
    }
    let depth = depths(&series, 100_000_000, "shop, seed 7").unwrap();
    assert!(depth.contains("origin &gt; edge: largest") && depth.contains("mean"));
    // Of two senders of which one hardly sends, one is drawn, and the subtitle says so.
    let mut two = series.clone();
    let mut quiet = two.senders[0].clone();
    quiet.in_flight_bytes = vec![1_447, 0];
    two.senders.push(quiet);
    assert!(windows(&two, 100_000_000, "x").unwrap().contains("the largest 1 of 2"));
    two.senders[1].in_flight_bytes = vec![1_448, 0];
    assert!(!windows(&two, 100_000_000, "x").unwrap().contains("the largest"));
}

/// Connections between the same nodes differ by their ports; of equal ones those between different nodes come first; each is seen apart.
#[test]
fn many_windows_are_drawn_one_above_the_other() {
    let series = crate::report::fixture::outcome([]).series.unwrap();
    let mut many = series.clone();
    many.senders.clear();
    for (node, port) in (0..8).map(|n| ("near", 40_000 + n)).chain([("far", 50_000)]) {
        let remote = format!("10.0.0.1:{port}");
        many.senders.push(SenderSeries { node: node.into(), remote, ..series.senders[0].clone() });
    }
    let svg = windows(&many, 100_000_000, "x").unwrap();
    for words in ["the largest 6 of 9", "near:80 &gt; user:40000", "near:80 &gt; user:40004", "far:80 &gt; user:50000"]
    {
        assert!(svg.contains(words), "{words}");
    }
    assert!(!svg.contains("user:40005"), "there are six");
    assert_eq!(svg.matches("in flight").count(), 1, "one legend for all");
    assert!(svg.starts_with("<svg width=\"960\" height=\"772\""), "{}", &svg[..60]);
}
