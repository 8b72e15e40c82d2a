//! Whether a segment is the one that a script expects.

use super::Strictness;
use super::mapping::Mapping;
use super::packets::{Options, Packet};
use super::stack::Emitted;
use crate::wire::{FastOpen, Flags};

/// What is compared and what is known so far.
pub(super) struct Matcher<'a> {
    pub(super) mapping: &'a Mapping,
    pub(super) strictness: Strictness,
    /// The timestamp clock's tick in milliseconds of tolerance; `None` where timestamps are not compared.
    pub(super) stamps: Option<u32>,
    /// Segments are compared one by one.
    pub(super) whole_segments: bool,
}

/// How far the segments seen so far make up the packet expected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Progress {
    /// So many payload bytes have come; more belong to it.
    Partly(u32),
    /// All has come.
    Complete,
}

impl Matcher<'_> {
    /// Judges the next segment, of which `gathered` payload bytes came before. Scripts are recorded above segmentation: several
    /// consecutive segments may make up one packet. The error says what differs.
    pub(super) fn judge(&self, wanted: &Packet, emitted: &Emitted, gathered: u32) -> Result<Progress, String> {
        let segment = &emitted.segment;
        let actual = self.mapping.outbound(segment);
        let same = |what: &str, wanted: String, actual: String| {
            if wanted == actual { Ok(()) } else { Err(format!("{what} is {actual}, not {wanted}")) }
        };
        let seq = wanted.seq.wrapping_add(gathered);
        same("the sequence number", seq.to_string(), actual.seq.to_string())?;
        let last = gathered + actual.len >= wanted.len;
        self.flags(wanted.flags, actual.flags, gathered == 0, last)?;
        let number = |ack: Option<u32>| ack.map_or("absent".into(), |ack| ack.to_string());
        if wanted.ack.is_some() || !wanted.flags.has(Flags::ACK) {
            same("the acknowledgment", number(wanted.ack), number(actual.ack))?;
        }
        if gathered + actual.len > wanted.len || (self.whole_segments && actual.len != wanted.len) {
            return Err(format!("the length is {}, not {}", actual.len, wanted.len - gathered));
        }
        if let (Some(wanted), Some(actual), false) = (wanted.window, actual.window, self.strictness.any_window) {
            same("the window", wanted.to_string(), actual.to_string())?;
        }
        if let Some(ecn) = wanted.ecn
            && ecn != emitted.ecn
        {
            return Err(format!("the ECN field is {:?}, not {ecn:?}", emitted.ecn));
        }
        if let (Some(wanted), Some(options)) = (&wanted.options, &actual.options) {
            self.options(wanted, options)?;
        }
        if last {
            return Ok(Progress::Complete);
        }
        if actual.len == 0 {
            return Err(format!("the length is 0, not {}", wanted.len - gathered));
        }
        Ok(Progress::Partly(gathered + actual.len))
    }

    fn flags(&self, wanted: Flags, actual: Flags, first: bool, last: bool) -> Result<(), String> {
        let mut compared = Flags::SYN | Flags::RST | Flags::ACK | Flags::URG | Flags::ECE;
        if first {
            compared = compared | Flags::CWR;
        }
        if last && self.strictness.push_and_scale {
            compared = compared | Flags::PSH;
        }
        let only = |flags: Flags| Flags(flags.0 & compared.0);
        // FIN belongs to the last segment and to no other.
        let fin = |flags: Flags| last && flags.has(Flags::FIN);
        let stray = !last && actual.has(Flags::FIN);
        if only(wanted) == only(actual) && fin(wanted) == fin(actual) && !stray {
            return Ok(());
        }
        Err(format!("the flags are {actual}, not {wanted}"))
    }

    fn options(&self, wanted: &Options, actual: &Options) -> Result<(), String> {
        let presence = |there: bool| if there { "there" } else { "absent" };
        let same = |what: &str, wanted: bool, actual: bool| {
            if wanted == actual { Ok(()) } else { Err(format!("{what} is {}", presence(actual))) }
        };
        if wanted.mss != actual.mss {
            return Err(format!("the MSS option is {:?}, not {:?}", actual.mss, wanted.mss));
        }
        same("sackOK", wanted.sack_permitted, actual.sack_permitted)?;
        same("the window scale", wanted.window_scale.is_some(), actual.window_scale.is_some())?;
        if self.strictness.push_and_scale && wanted.window_scale != actual.window_scale {
            return Err(format!("the window scale is {:?}, not {:?}", actual.window_scale, wanted.window_scale));
        }
        same("the timestamp", wanted.timestamps.is_some(), actual.timestamps.is_some())?;
        if wanted.fast_open != actual.fast_open {
            let words = |option: FastOpen| match option {
                FastOpen::Absent => "absent".into(),
                other => super::report::fast_open(other),
            };
            let (actual, wanted) = (words(actual.fast_open), words(wanted.fast_open));
            return Err(format!("the Fast Open option is {actual}, not {wanted}"));
        }
        if wanted.sack != actual.sack {
            let words = |blocks: &[(u32, u32)]| {
                let all: Vec<String> = blocks.iter().map(|(left, right)| format!("{left}:{right}")).collect();
                if all.is_empty() { "absent".into() } else { all.join(" ") }
            };
            return Err(format!("SACK is {}, not {}", words(&actual.sack), words(&wanted.sack)));
        }
        if let (Some(wanted), Some(actual)) = (wanted.timestamps, actual.timestamps) {
            if wanted.1 != actual.1 {
                return Err(format!("the echoed timestamp is {}, not {}", actual.1, wanted.1));
            }
            if let Some(tolerance) = self.stamps
                && self.mapping.stamp(wanted.0).is_some()
                && wanted.0.abs_diff(actual.0) > tolerance
            {
                return Err(format!("the timestamp is {}, not {}", actual.0, wanted.0));
            }
        }
        Ok(())
    }

    /// Whether a segment is a plain acknowledgment of in-order data beyond `acked`, which may be passed over where the policy of
    /// delayed acknowledgments is not what a script is about.
    pub(super) fn is_extra_ack(&self, emitted: &Emitted, acked: Option<u32>) -> bool {
        let segment = &emitted.segment;
        let Some(ack) = self.mapping.outbound(segment).ack else { return false };
        self.strictness.extra_acks
            && segment.flags == Flags::ACK
            && segment.payload.is_empty()
            && segment.options.sack.is_empty()
            && acked.is_none_or(|acked| (ack.wrapping_sub(acked)).cast_signed() > 0)
    }
}
