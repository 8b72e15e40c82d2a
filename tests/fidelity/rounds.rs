//! Segments per round trip of transfers without loss.

use super::exchange::exchange;
use super::pair::SERVER;
use super::table::{Table, number, rows, within};
use lightlag::base::{Span, Time};

/// Data segments sent in each round: one begins when the acknowledgment of the last one's first segment can be there.
pub fn rounds(congestion: &str, rtt_ms: u64, size: u64) -> Vec<u32> {
    let rtt = Span::from_millis(rtt_ms);
    let done = exchange(congestion, rtt, size, Span::from_secs(30), Box::new(|_| false));
    assert!(done.finished.is_finite(), "nothing is lost on purpose");
    let mut rounds = Vec::new();
    let mut end = Time::ZERO;
    for sent in done.pair.log.iter().filter(|sent| sent.from == SERVER && sent.len > 0) {
        if sent.at >= end {
            rounds.push(0);
            end = sent.at + rtt;
        }
        *rounds.last_mut().expect("a round has begun") += 1;
    }
    rounds
}

/// Every round of every transfer.
pub fn table() -> Table {
    let mut table = Table::default();
    let mut known: Vec<(String, Vec<u32>)> = Vec::new();
    for row in rows("linux_rounds") {
        let (congestion, rtt, bytes) = (row[1].to_owned(), number(&row, 2) as u64, number(&row, 3) as u64);
        let key = format!("{congestion}, rtt {rtt} ms, {bytes} B");
        if known.last().is_none_or(|last| last.0 != key) {
            known.push((key.clone(), rounds(&congestion, rtt, bytes)));
        }
        let round = number(&row, 4) as usize;
        let lightlag = known.last().and_then(|last| last.1.get(round)).copied().unwrap_or(0);
        let kernel = number(&row, 7);
        let allowed = if congestion == "bbr" { within(kernel, 0.15) } else { (kernel, kernel) };
        table.compare(&format!("{key}, round {round}: segments"), f64::from(lightlag), kernel, allowed);
    }
    table
}

#[test]
fn segments_per_round_trip() {
    table().judge("rounds");
}

#[test]
fn hystart_leaves_slow_start_where_the_kernel_does() {
    // 10, 20, 40, ... segments a round until HyStart's train of acknowledgments spans half a round trip.
    let long = rounds("cubic", 56, 10_000_000);
    assert_eq!(&long[..6], [10, 20, 40, 80, 160, 320]);
    let short = rounds("cubic", 10, 1_000_000);
    assert_eq!(&short[..4], [10, 20, 40, 80]);
    println!("rounds of 10 MB at 56 ms: {long:?}; of 1 MB at 10 ms: {short:?}");
    let mut table = Table::default();
    // One acknowledgment more or less, and at 10 ms, where rounds run into each other, where the trace was cut.
    table.compare("cubic, rtt 56 ms, 10 MB, round 6: segments", f64::from(long[6]), 562.0, (560.0, 564.0));
    table.compare("cubic, rtt 10 ms, round 4: segments", f64::from(short[4]), 122.0, within(122.0, 0.06));
    table.judge("HyStart");
}
