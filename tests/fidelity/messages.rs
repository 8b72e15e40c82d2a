//! One-way latency of a message of 160 B every 20 ms for 60 s.

use super::exchange::{messages, summary};
use super::pair::Pair;
use super::table::{Table, number, rows, within};
use lightlag::base::Span;
use rayon::prelude::*;

fn share(sample: &[f64], above: f64) -> f64 {
    sample.iter().filter(|&&latency| latency > above).count() as f64 / sample.len() as f64
}

/// All losses, so many runs each.
pub fn table(seeds: u64) -> Table {
    let mut table = Table::default();
    for row in rows("linux_messages").iter().filter(|row| &row[0] == "tcp") {
        let loss = number(row, 1);
        let seeds = if loss > 0.0 { seeds } else { 1 };
        let run = |seed| messages(Span::from_millis(56), Span::from_secs(60), Pair::random(loss, seed));
        let mut sample: Vec<f64> = (0..seeds).into_par_iter().flat_map_iter(run).collect();
        let (mean, quantiles) = summary(&mut sample, &[0.5, 0.9, 0.95, 0.99]);
        let name = |what: &str| format!("messages over TCP, loss {loss}: {what}");
        table.compare(&name("mean ms"), mean, number(row, 4), within(number(row, 4), 0.12));
        let kernel = number(row, 5);
        table.compare(&name("p50 ms"), quantiles[0], kernel, (kernel - 0.5, kernel + 0.5));
        for (index, what) in ["p90 ms", "p95 ms", "p99 ms"].into_iter().enumerate() {
            let kernel = number(row, 6 + index);
            table.compare(&name(what), quantiles[index + 1], kernel, within(kernel, 0.12));
            table.on(what.trim_end_matches(" ms"), loss);
        }
        for (column, above) in [(9, 40.0), (10, 100.0)] {
            let kernel = number(row, column);
            // Without losses only the kernel's scheduler makes messages late.
            let allowed = if loss > 0.0 { within(kernel, 0.15) } else { (0.0, kernel) };
            table.compare(&name(&format!("share over {above} ms")), share(&sample, above), kernel, allowed);
        }
    }
    table
}

#[test]
#[ignore = "minutes without optimisation"]
fn messages_over_tcp() {
    table(60).judge("messages");
}

#[test]
fn messages_over_tcp_in_a_few_runs() {
    table(12).judge("messages");
}
