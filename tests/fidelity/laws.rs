//! What holds for any TCP: published bounds and formulas, and common sense about windows and delay.

use super::exchange::config;
#[cfg(test)]
use super::exchange::exchange;
use super::pair::{CLIENT, Pair, SERVER};
use super::table::{Table, within};
use lightlag::base::{Span, Time};
use lightlag::transport::tcp;
use lightlag::wire::Payload;
use rayon::prelude::*;

/// Mbit/s that a reader takes from second 5 to `end`.
fn rate(config: &tcp::Config, rtt: Span, loss: f64, end: u64, seed: u64) -> f64 {
    let mut pair = Pair::new(config, rtt, Pair::random(loss, seed)).without_log();
    let mut got = [0; 2];
    let mut total = 0;
    for (index, second) in [5, end].into_iter().enumerate() {
        while pair.step(Time::ZERO + Span::from_secs(second)) {
            let now = pair.now;
            if pair.established(SERVER) && pair.end(SERVER).buffered() < 8 << 20 {
                drop(pair.end(SERVER).write(Payload::filler(4 << 20), now));
                pair.settle();
            }
            if pair.end(CLIENT).readable() > 0 {
                total += pair.end(CLIENT).discard(u64::MAX, now);
                pair.settle();
            }
        }
        got[index] = total;
    }
    (got[1] - got[0]) as f64 * 8e-6 / (end - 5) as f64
}

/// PFTK (Padhye et al. 1998, equation 30) in Mbit/s: every segment acknowledged, `rto` seconds.
fn pftk(p: f64, mss: f64, rtt: f64, rto: f64) -> f64 {
    let timeouts = rto * (3.0 * (3.0 * p / 8.0).sqrt()).min(1.0) * p * (1.0 + 32.0 * p * p);
    mss * 8e-6 / (rtt * (2.0 * p / 3.0).sqrt() + timeouts)
}

/// Reno's goodput beside PFTK, from which it may be 20 % away, and Mathis' bound, which it may not reach.
pub fn table() -> Table {
    let mut table = Table::default();
    // MSS 1448 at RTT 100 ms; losses must be many for the mean to mean something. RTO: 100 + 200 ms.
    for (loss, seconds) in [(0.001_f64, 300), (0.005, 120), (0.02, 80)] {
        let one = |seed| rate(&config("reno"), Span::from_millis(100), loss, seconds, seed);
        let mean = (0..8u64).into_par_iter().map(one).sum::<f64>() / 8.0;
        // Mathis et al. 1997, table 1: the constant is 1.31 for losses at random (1.22 for periodic ones).
        let bound = 1448.0 * 8e-6 / 0.1 * 1.31 / loss.sqrt();
        let formula = pftk(loss, 1448.0, 0.1, 0.3);
        let name = format!("Reno, rtt 100 ms, loss {loss}: Mbit/s");
        let (least, most) = within(formula, 0.2);
        table.compare(&name, mean, formula, (least, most.min(bound)));
    }
    table
}

#[test]
fn reno_keeps_to_mathis_and_pftk() {
    table().judge("PFTK");
}

#[test]
fn nothing_is_faster_than_a_window_a_round_trip() {
    for window in [20_000u64, 65_535, 200_000] {
        let limited = tcp::Config { receive_buffer: window, ..config("cubic") };
        let rate = rate(&limited, Span::from_millis(50), 0.0, 10, 0);
        let bound = window as f64 * 8e-6 / 0.05;
        assert!(rate <= bound, "{rate} above {bound}");
        assert!(rate > bound * 0.5, "{rate}: most of {bound} is used");
    }
}

#[test]
fn more_delay_never_speeds_a_transfer_up() {
    for congestion in ["reno", "cubic", "bbr"] {
        let mut last = 0.0;
        for rtt in [5, 20, 80, 200, 400] {
            let path = Box::new(|_: &super::pair::Sent| false);
            let done = exchange(congestion, Span::from_millis(rtt), 3_000_000, Span::from_secs(60), path);
            assert!(done.finished >= last, "{congestion}, {rtt} ms: {} after {last}", done.finished);
            last = done.finished;
        }
    }
}
