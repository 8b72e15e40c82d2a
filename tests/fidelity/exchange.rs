//! Programs over a [`Pair`]: one request and its answer, and a stream of small messages.

use super::pair::{CLIENT, Fate, Pair, SERVER};
use lightlag::base::{Span, Time};
use lightlag::transport::tcp::{self, Event, State};
use lightlag::wire::Payload;

/// Settings of a host whose controller is `congestion`.
pub fn config(congestion: &str) -> tcp::Config {
    tcp::Config {
        congestion: tcp::Algorithm::by_name(congestion).expect("a controller that exists"),
        ..tcp::Config::default()
    }
}

/// What the end of a request and its answer came to.
pub struct Exchange {
    pub pair: Pair,
    /// From connect() until it returned, in milliseconds; infinite if it failed.
    pub connected: f64,
    /// From connect() until the client had all bytes, in milliseconds; infinite if it never had.
    pub finished: f64,
}

/// When the server lets go of the connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Close {
    /// Before anything of the answer is sent: FIN rides on its last segment.
    Written,
    /// So long after the answer has been written, which has sent what may be sent.
    After(Span),
    /// Never.
    Never,
}

/// The client sends 100 B once connected, the server answers `size` bytes; both let go when they are done.
pub fn exchange(congestion: &str, rtt: Span, size: u64, until: Span, fate: Fate) -> Exchange {
    exchange_closed(congestion, rtt, size, until, Close::After(Span::ZERO), fate)
}

/// The same; the server lets go when `close` says.
pub fn exchange_closed(congestion: &str, rtt: Span, size: u64, until: Span, close: Close, fate: Fate) -> Exchange {
    let mut pair = Pair::new(&config(congestion), rtt, fate);
    let start = pair.now;
    let (mut connected, mut finished) = (f64::INFINITY, f64::INFINITY);
    let (mut asked, mut got, mut seen) = (0, 0, 0);
    let (mut answered, mut closing) = (false, false);
    // What the server's send buffer has not taken yet.
    let mut unsent = Payload::empty();
    let mut close_at = Time::NEVER;
    let end = start + until;
    while pair.step(end.min(close_at)) || close_at <= pair.now {
        let now = pair.now;
        if close_at <= now {
            close_at = Time::NEVER;
            pair.end(SERVER).close(now);
        }
        let fresh = pair.events[seen..].to_vec();
        seen = pair.events.len();
        if fresh.iter().any(|event| event.1 == CLIENT && event.2 == Event::Connected) {
            connected = now.since(start).as_millis_f64();
            drop(pair.end(CLIENT).write(Payload::filler(100), now));
        }
        if !answered && pair.ends[SERVER].is_some() && pair.end(SERVER).readable() > 0 {
            asked += pair.end(SERVER).discard(u64::MAX, now);
            if asked == 100 {
                answered = true;
                unsent = pair.end(SERVER).write(Payload::filler(size), now);
            }
        }
        if !unsent.is_empty() && fresh.iter().any(|event| event.1 == SERVER && event.2 == Event::Writable) {
            unsent = pair.end(SERVER).write(unsent, now);
        }
        if answered && !closing && unsent.is_empty() {
            closing = true;
            match close {
                Close::Written => pair.end(SERVER).close(now),
                Close::Never => {}
                Close::After(span) => {
                    // write() sends what may be sent before it returns: FIN rides only on what has to wait.
                    pair.settle();
                    close_at = now + span;
                }
            }
        }
        if pair.end(CLIENT).readable() > 0 {
            got += pair.end(CLIENT).discard(u64::MAX, now);
            if got == size {
                finished = now.since(start).as_millis_f64();
            }
        }
        if pair.end(CLIENT).at_eof() && pair.end(CLIENT).state() == State::CloseWait {
            pair.end(CLIENT).close(now);
        }
        pair.settle();
    }
    Exchange { pair, connected, finished }
}

/// One-way latencies in milliseconds of messages of 160 B, one every 20 ms for `span`, from the server to the client, Nagle off.
pub fn messages(rtt: Span, span: Span, fate: Fate) -> Vec<f64> {
    let config = tcp::Config { nagle: false, ..config("cubic") };
    let mut pair = Pair::new(&config, rtt, fate).without_log();
    while !pair.established(SERVER) {
        let limit = pair.now + Span::from_secs(100);
        assert!(pair.step(limit), "the handshake is made in the end");
    }
    let (first, gap) = (pair.now, Span::from_millis(20));
    let count = span.as_millis() / 20;
    let mut latencies = Vec::new();
    let mut sent: u64 = 0;
    let mut got = 0;
    while (latencies.len() as u64) < count {
        let due = first + gap * sent;
        let limit = if sent < count { due } else { Time::NEVER };
        if !pair.step(limit) {
            let now = pair.now;
            drop(pair.end(SERVER).write(Payload::filler(160), now));
            sent += 1;
            pair.settle();
        }
        let now = pair.now;
        if pair.end(CLIENT).readable() > 0 {
            got += pair.end(CLIENT).discard(u64::MAX, now);
            pair.settle();
            while (latencies.len() as u64) < got / 160 {
                latencies.push(now.since(first + gap * latencies.len() as u64).as_millis_f64());
            }
        }
    }
    latencies
}

/// Mean, and the values below which the shares `at` of the sample lie.
pub fn summary(sample: &mut [f64], at: &[f64]) -> (f64, Vec<f64>) {
    sample.sort_by(f64::total_cmp);
    let mean = sample.iter().sum::<f64>() / sample.len() as f64;
    let last = sample.len() - 1;
    (mean, at.iter().map(|share| sample[(last as f64 * share).round() as usize]).collect())
}
