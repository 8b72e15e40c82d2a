//! Marking by a threshold: a packet that finds more than so much in the queue is marked, as DCTCP wants it (RFC 8257 3.1).

use super::Limit;
use super::packet::{Label, Verdict};
use crate::link::Backlog;
use crate::wire::Ecn;

/// Marks what arrives at a queue longer than the threshold. Packets of transports without ECN only meet the limit.
#[derive(Debug)]
pub(in crate::link) struct Threshold {
    above: Limit,
}

impl Threshold {
    pub(super) const fn new(above: Limit) -> Self {
        Self { above }
    }

    /// The instantaneous queue decides, the packet itself not counted (Alizadeh et al., SIGCOMM 2010, 3.1).
    pub(super) fn decide(&self, label: &Label, backlog: Backlog) -> Verdict {
        let exceeded = match self.above {
            Limit::Bytes(bytes) => backlog.bytes > bytes,
            Limit::Packets(packets) => backlog.packets > packets,
        };
        if exceeded && label.ecn != Ecn::NotCapable { Verdict::signal(label.ecn) } else { Verdict::Admit }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packet_that_finds_the_queue_above_the_threshold_is_marked() {
        let decide = |above, ecn, bytes, packets| {
            let label = Label { size: 1_500, ecn, ..Label::default() };
            Threshold::new(above).decide(&label, Backlog { packets, bytes })
        };
        assert_eq!(decide(Limit::Packets(20), Ecn::Ect0, 0, 20), Verdict::Admit);
        assert_eq!(decide(Limit::Packets(20), Ecn::Ect0, 0, 21), Verdict::Mark);
        assert_eq!(decide(Limit::Bytes(30_000), Ecn::Ect1, 30_000, 0), Verdict::Admit);
        assert_eq!(decide(Limit::Bytes(30_000), Ecn::Ect1, 30_001, 0), Verdict::Mark);
        assert_eq!(decide(Limit::Packets(20), Ecn::NotCapable, 0, 500), Verdict::Admit);
        assert_eq!(decide(Limit::Packets(20), Ecn::CongestionExperienced, 0, 500), Verdict::Admit);
    }
}
