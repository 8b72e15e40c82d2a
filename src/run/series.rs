//! What happened over time, as plain data: columns of numbers for every sender and every queue.

use crate::observe::series::OverTime;
use serde::{Deserialize, Serialize};

/// States of senders and depths of queues over time. Columns of one sender or queue have the same length.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct SeriesOutcome {
    /// Length of an interval, in nanoseconds.
    pub every_ns: u64,
    /// Senders of transport connections, two a connection.
    pub senders: Vec<SenderSeries>,
    /// Directions of links that carried something.
    pub queues: Vec<QueueSeries>,
}

/// One sender: a row for the last change in each interval in which it did something.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct SenderSeries {
    /// Name of its node.
    pub node: String,
    /// Name of the node at the other end.
    pub peer: String,
    /// Its address and port.
    pub local: String,
    /// The other end's.
    pub remote: String,
    /// Number of the flow, the same at both ends.
    pub flow: u64,
    /// When, in nanoseconds.
    pub time_ns: Vec<u64>,
    /// Congestion window.
    pub cwnd_bytes: Vec<u64>,
    /// Slow-start threshold; nothing while it is unlimited.
    pub ssthresh_bytes: Vec<Option<u64>>,
    /// Sent, and neither acknowledged nor considered lost.
    pub in_flight_bytes: Vec<u64>,
    /// Smoothed round-trip time; 0 before the first sample.
    pub srtt_ns: Vec<u64>,
    /// Its mean deviation.
    pub rttvar_ns: Vec<u64>,
    /// Retransmission timeout, with backoff.
    pub rto_ns: Vec<u64>,
    /// Pacing rate, in bits per second; nothing without pacing.
    pub pacing_bps: Vec<Option<u64>>,
    /// Segments sent again so far.
    pub retransmitted: Vec<u64>,
}

/// One direction of a link: a row for each interval from the start of the run.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct QueueSeries {
    /// Name of the link.
    pub link: String,
    /// Name of the node that sends into it.
    pub from: String,
    /// Name of the node that it leads to.
    pub to: String,
    /// Most bytes that waited or were in service at once.
    pub max_bytes: Vec<u64>,
    /// Mean bytes.
    pub mean_bytes: Vec<u64>,
    /// Most packets at once.
    pub max_packets: Vec<u64>,
}

/// Names for what the observers number.
pub struct Names<'a> {
    /// Of the node with this number.
    pub node: &'a dyn Fn(u32) -> String,
    /// Of the node with this address.
    pub at: &'a dyn Fn(std::net::Ipv4Addr) -> String,
    /// Of the link of this direction, and of the nodes from which and to which it leads.
    pub direction: &'a dyn Fn(u32) -> [String; 3],
}

impl SeriesOutcome {
    /// What a recorder saw, in columns.
    #[must_use]
    pub fn new(over_time: OverTime, names: &Names<'_>) -> Self {
        let OverTime { every, senders, queues } = over_time;
        let senders = senders.into_iter().filter_map(|sender| {
            let first = sender.states.first()?;
            let mut series = SenderSeries {
                node: (names.node)(first.node),
                peer: (names.at)(*first.remote.ip()),
                local: first.local.to_string(),
                remote: first.remote.to_string(),
                flow: first.flow,
                ..SenderSeries::default()
            };
            for state in &sender.states {
                series.time_ns.push(state.time.as_nanos());
                series.cwnd_bytes.push(state.cwnd);
                series.ssthresh_bytes.push((state.ssthresh != u64::MAX).then_some(state.ssthresh));
                series.in_flight_bytes.push(state.in_flight);
                series.srtt_ns.push(state.srtt.as_nanos());
                series.rttvar_ns.push(state.rttvar.as_nanos());
                series.rto_ns.push(state.rto.as_nanos());
                series.pacing_bps.push(state.pacing);
                series.retransmitted.push(state.retransmitted);
            }
            Some(series)
        });
        let queues = queues.into_iter().map(|(direction, depths)| {
            let [link, from, to] = (names.direction)(direction);
            QueueSeries {
                link,
                from,
                to,
                max_bytes: depths.iter().map(|depth| depth.max_bytes).collect(),
                mean_bytes: depths.iter().map(|depth| depth.mean_bytes).collect(),
                max_packets: depths.iter().map(|depth| depth.max_packets).collect(),
            }
        });
        Self { every_ns: every.as_nanos(), senders: senders.collect(), queues: queues.collect() }
    }
}
