//! What a run came to, as plain data: the one value behind the summary, the files, the figures and the snapshots.
//!
//! `docs/results.md` describes every field of its JSON form; a test compares the two.

use super::anycast::AnycastOutcome;
use super::balancing::{BalancerOutcome, JudgementOutcome};
use super::edges::{EdgeOutcome, PurgeOutcome};
use super::registry::StayOutcome;
use super::roaming::MoveOutcome;
use super::series::SeriesOutcome;
use super::stores::StoreOutcome;
use super::timeline::StrikeOutcome;
use indexmap::IndexMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Version of the models: grows when the same scenario and seed give another digest than before.
pub const MODEL_VERSION: u32 = 2;

/// A share between 0 and 1 in whole parts per million: a decimal with at most six places in every format.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct Share(u32);

impl Share {
    /// `part` of `whole`, rounded down to a millionth; `None` of nothing. A part larger than the whole is the whole.
    #[must_use]
    pub fn of(part: u64, whole: u64) -> Option<Self> {
        let ppm = (u128::from(part.min(whole)) * 1_000_000).checked_div(u128::from(whole))?;
        Some(Self(u32::try_from(ppm).expect("at most a million")))
    }

    /// Parts per million.
    #[must_use]
    pub const fn ppm(self) -> u32 {
        self.0
    }

    /// The share as a number between 0 and 1.
    #[must_use]
    pub fn get(self) -> f64 {
        f64::from(self.0) / 1e6
    }
}

impl fmt::Display for Share {
    /// As a percentage with as many digits as matter: `99.7%`, `99.98%`, `0.02%`, `100%`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let to_end = self.0.min(1_000_000 - self.0);
        let digits = match to_end {
            0 => 0,
            1..=99 => 4,
            100..=999 => 2,
            _ => 1,
        };
        f.pad(&format!("{:.digits$}%", f64::from(self.0) / 1e4))
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.get())
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let share = f64::deserialize(deserializer)?;
        if !(0.0..=1.0).contains(&share) {
            return Err(serde::de::Error::custom("a share lies between 0 and 1"));
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and a million")]
        Ok(Self(libm::round(share * 1e6) as u32))
    }
}

/// What a run came to. Everything but `performance` is a function of scenario, seed and `model_version`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// Name of the scenario.
    pub scenario: String,
    /// Seed of all chance.
    pub seed: u64,
    /// Fingerprint of everything that happened, 16 hexadecimal digits.
    pub digest: String,
    /// Version of the models that ran.
    pub model_version: u32,
    /// Simulated time, in nanoseconds.
    pub simulated_ns: u64,
    /// Events that the engine handled.
    pub events: u64,
    /// Packets crossing a link, each crossing counted.
    pub packet_hops: u64,
    /// What the run cost on this machine.
    pub performance: Performance,
    /// What became of all packets.
    pub packets: Packets,
    /// What users felt, by name of the traffic.
    pub traffic: IndexMap<String, TrafficOutcome>,
    /// What balancers did, by name of the node; left out where there are none.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub balancers: IndexMap<String, BalancerOutcome>,
    /// What balancers came to think of nodes, in order; left out where there is nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub judgements: Vec<JudgementOutcome>,
    /// Who announced anycast addresses, by name of the address; left out where there are none.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub anycast: IndexMap<String, AnycastOutcome>,
    /// Who was on the lists of registries, by name of the registry; left out where there are none.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub registries: IndexMap<String, Vec<StayOutcome>>,
    /// When hosts with several addresses moved from one to another, in order; left out where none did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moves: Vec<MoveOutcome>,
    /// What servers did, by name of the node.
    #[serde(default)]
    pub servers: IndexMap<String, ServerOutcome>,
    /// What links carried, by name of the link.
    pub links: IndexMap<String, LinkOutcome>,
    /// Packets that nodes themselves dropped, by name of the node, then by cause; nodes without any are left out.
    pub node_drops: IndexMap<String, IndexMap<String, u64>>,
    /// The strikes of faults in the order of time; left out where nothing breaks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<StrikeOutcome>,
    /// What became of writes and reads of stores, by name of the store; left out where there are none.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub stores: IndexMap<String, StoreOutcome>,
    /// What edges did, by name of the node; left out where there are none.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub edges: IndexMap<String, EdgeOutcome>,
    /// What was purged, in order; left out where nothing was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub purges: Vec<PurgeOutcome>,
    /// What happened over time, if somebody asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series: Option<SeriesOutcome>,
    /// The expectations of the scenario.
    pub expect: Vec<Expectation>,
    /// What a reader of the results should know.
    pub warnings: Vec<String>,
}

impl Outcome {
    /// Whether every expectation was met.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.expect.iter().all(|expectation| expectation.ok)
    }

    /// The outcome without what differs from machine to machine: for comparisons and snapshots.
    #[must_use]
    pub fn without_performance(mut self) -> Self {
        self.performance = Performance::default();
        self
    }
}

/// What a run cost; outside the digest, different each time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Performance {
    /// Wall-clock time, in nanoseconds.
    pub wall_ns: u64,
    /// Processor time, in nanoseconds; 0 where it cannot be had.
    pub cpu_ns: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over references")]
const fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// What became of all packets: `sent + duplicated = delivered + dropped + in_flight`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Packets {
    /// Made by hosts and routers.
    pub sent: u64,
    /// Of those, TCP segments sent again, in whole or in part (data, SYN or FIN), and QUIC datagrams with bytes of a stream or of the
    /// handshake that had been sent before.
    pub retransmitted: u64,
    /// Of these, the QUIC datagrams; left out where there are none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retransmitted_quic: u64,
    /// Made by links that duplicate.
    pub duplicated: u64,
    /// Taken in by hosts.
    pub delivered: u64,
    /// Gone, by cause.
    pub dropped: IndexMap<String, u64>,
    /// Under way when the run ended.
    pub in_flight: u64,
}

/// What a traffic consists of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrafficKind {
    /// Requests that are answered.
    Requests,
    /// Messages that may arrive.
    Messages,
    /// ICMP echoes.
    Echoes,
    /// A traceroute.
    Route,
    /// Bytes in bulk.
    Bulk,
}

/// What users of one traffic felt.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TrafficOutcome {
    /// What it consists of.
    pub kind: TrafficKind,
    /// Whether servers asked it of others, for those whom they answered; left out where users asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub called: bool,
    /// How many.
    pub counts: Counts,
    /// Of those ended, how many ended well; of messages and transfers, of those started. `None` if there were none.
    pub ok_share: Option<Share>,
    /// Latencies of those that ended well; `None` if none did.
    pub latency_ns: Option<Latency>,
    /// Round trip of light in fiber between the two ends on the great circle (one way for messages), in nanoseconds; `None`
    /// where an end has no place.
    pub light_floor_ns: Option<u64>,
    /// Useful bytes: bodies of answers, payloads of messages, bytes of transfers.
    pub useful_bytes: u64,
    /// Useful bits per second from the first beginning, or from where the plan says, to the last useful byte.
    pub goodput_bps: u64,
    /// Where the time went, in nanoseconds: total of each phase over all that ended well. Sums to `latency_ns.sum` exactly.
    pub phases_ns: IndexMap<String, u64>,
    /// The one at the median, divided.
    pub median: Option<Specimen>,
    /// The slowest hundredth, at least one, added up and divided.
    pub slowest: Option<Slowest>,
    /// Each flow of a bulk transfer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flows: Vec<FlowOutcome>,
    /// Each hop of a route.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hops: Vec<HopOutcome>,
    /// What was done about failures; `None` where requests are tried once and there is no circuit breaker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resilience: Option<Resilience>,
    /// What was paid; `None` where requests pay nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payments: Option<PaymentsOutcome>,
    /// What became of sessions; `None` where no server keeps any for these users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions: Option<SessionsOutcome>,
}

/// What became of sessions in servers' memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct SessionsOutcome {
    /// Began, those after a loss included.
    pub begun: u64,
    /// Requests that found theirs.
    pub found: u64,
    /// Requests that named one which the server that was asked did not have.
    pub lost: u64,
}

/// What was paid, in cents.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct PaymentsOutcome {
    /// How often money was taken.
    pub charges: u64,
    /// Of those, for a request that had been charged before.
    pub charged_again: u64,
    /// What was bought: each request that was charged at all, once.
    pub owed_cents: u64,
    /// What was taken.
    pub charged_cents: u64,
    /// Requests that were charged and whose user was told that they failed, or nothing.
    pub charged_but_failed: u64,
}

/// What was done about failures and slowness.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Resilience {
    /// Tries that ended.
    pub tries: u64,
    /// Of those, tries after one that had failed.
    pub retries: u64,
    /// Retries that brought the answer.
    pub saved_by_retry: u64,
    /// Tries beside one that was under way.
    pub hedges: u64,
    /// Hedges that brought the answer.
    pub saved_by_hedge: u64,
    /// Tries that failed, by reason.
    pub failed_tries: IndexMap<String, u64>,
    /// Changes of circuit breakers, in their order.
    pub breaker: Vec<BreakerChange>,
}

/// A circuit breaker changed its state.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BreakerChange {
    /// When, in nanoseconds from the start of the run.
    pub at_ns: u64,
    /// Name of the node whose breaker it is.
    pub node: String,
    /// The new state: `closed`, `open` or `half_open`.
    pub state: String,
}

/// What a server did.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ServerOutcome {
    /// Requests answered, errors included.
    pub answered: u64,
    /// Requests that it did not work on, by reason.
    pub turned_away: IndexMap<String, u64>,
    /// Share of its workers' time that answered requests took.
    pub busy: Share,
    /// Mean time that answered requests waited for a worker, in nanoseconds, rounded down.
    pub mean_queue_wait_ns: u64,
    /// How many requests it let in at a time, where it finds that out itself and has changed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<LimitOutcome>,
}

/// How many requests a server let in at a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct LimitOutcome {
    /// Least.
    pub min: u32,
    /// Most.
    pub max: u32,
    /// When the run ended.
    pub last: u32,
}

/// How many requests, messages, echoes or transfers.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Began.
    pub started: u64,
    /// Ended well.
    pub ok: u64,
    /// Failed.
    pub failed: u64,
    /// Neither when the run ended; of messages: lost or under way.
    pub unfinished: u64,
    /// Copies of messages that had arrived before.
    pub duplicates: u64,
    /// Failed, by reason.
    pub failed_by: IndexMap<String, u64>,
}

/// Latencies in nanoseconds. A percentile is `None` where fewer than ten samples lie beyond it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Latency {
    /// Number of samples.
    pub count: u64,
    /// Shortest.
    pub min: u64,
    /// Mean, rounded down.
    pub mean: u64,
    /// Median.
    pub p50: Option<u64>,
    /// 90th percentile.
    pub p90: Option<u64>,
    /// 99th percentile.
    pub p99: Option<u64>,
    /// 99.9th percentile.
    pub p99_9: Option<u64>,
    /// Longest.
    pub max: u64,
    /// All added.
    pub sum: u64,
}

/// One request, message, echo or transfer, divided.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Specimen {
    /// Its number in its traffic, from 0.
    pub number: u64,
    /// Its latency, in nanoseconds.
    pub latency_ns: u64,
    /// Its phases, in nanoseconds; they sum to the latency.
    pub phases_ns: IndexMap<String, u64>,
}

/// Several, added up and divided.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Slowest {
    /// How many.
    pub count: u64,
    /// Number of the slowest in its traffic, from 0.
    pub number: u64,
    /// Sum of their latencies, in nanoseconds.
    pub latency_ns: u64,
    /// Totals of their phases, in nanoseconds; they sum to `latency_ns`.
    pub phases_ns: IndexMap<String, u64>,
}

/// One flow of a bulk transfer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FlowOutcome {
    /// Bytes read.
    pub bytes: u64,
    /// When it asked for its connection, in nanoseconds from the start of the run.
    pub began_ns: u64,
    /// From then to its last byte, in nanoseconds.
    pub active_ns: u64,
    /// Bits per second over that time.
    pub goodput_bps: u64,
    /// Whether it had ended when the run did.
    pub finished: bool,
}

/// One hop of a route.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HopOutcome {
    /// TTL of the probes.
    pub ttl: u8,
    /// Probes sent.
    pub sent: u64,
    /// Addresses that answered.
    pub answered_by: Vec<String>,
    /// Whether the destination itself answered.
    pub reached: bool,
    /// Round-trip times; `None` without an answer.
    pub latency_ns: Option<Latency>,
}

/// What a link carried.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LinkOutcome {
    /// Name of its first end.
    pub a: String,
    /// Name of its second end.
    pub b: String,
    /// From the first to the second.
    pub a_to_b: DirectionOutcome,
    /// From the second to the first.
    pub b_to_a: DirectionOutcome,
}

/// What one direction of a link carried.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct DirectionOutcome {
    /// Packets put on the line, those that were then lost on it included.
    pub packets: u64,
    /// Their bytes, IP headers included.
    pub bytes: u64,
    /// Packets that it dropped, by cause; causes without any are left out.
    pub drops: IndexMap<String, u64>,
    /// Packets that its queue marked: congestion experienced (RFC 3168).
    pub marks: u64,
    /// Share of the run during which it was sending.
    pub utilisation: Share,
    /// Its queue.
    pub queue: QueueOutcome,
}

/// How full a queue was; what is being sent counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct QueueOutcome {
    /// Most bytes at any time.
    pub max_bytes: u64,
    /// Mean over the run, in bytes, rounded down.
    pub mean_bytes: u64,
}

/// An expectation of the scenario, and what was.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Expectation {
    /// What was expected: `pages p99 <= 450 ms`.
    pub text: String,
    /// Whether it was so.
    pub ok: bool,
    /// What was: `412 ms`.
    pub measured: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_short_decimal_that_survives_every_format() {
        for ppm in [0, 1, 42, 999, 123_456, 333_333, 999_999, 1_000_000] {
            let share = Share::of(ppm, 1_000_000).unwrap();
            let json = serde_json::to_string(&share).unwrap();
            assert!(json.len() <= 8 || json.contains('e'), "{json}");
            assert_eq!(serde_json::from_str::<Share>(&json).unwrap(), share);
        }
        assert_eq!(Share::of(1, 0), None);
        assert_eq!(Share::of(2, 1), Share::of(1, 1));
    }

    #[test]
    fn a_share_never_rounds_up_to_all() {
        assert_eq!(Share::of(1, 1).unwrap().to_string(), "100%");
        assert_eq!(Share::of(1_999, 2_000).unwrap().to_string(), "99.95%");
        assert_eq!(Share::of(999_999, 1_000_000).unwrap().to_string(), "99.9999%");
        assert_eq!(Share::of(0, 7).unwrap().to_string(), "0%");
        assert_eq!(Share::of(1, 3).unwrap().to_string(), "33.3%");
    }
}
