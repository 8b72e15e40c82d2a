//! What became of a script, for people and for programs.

use super::mapping::Mapping;
use super::packets::Packet;
use super::script::Problem;
use super::stack::COOKIE;
use crate::base::Time;
use crate::wire::{FastOpen, Segment};
use serde::Serialize;
use std::fmt::Write;

/// What became of a script.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The machine did what the script says.
    Pass,
    /// It did something else.
    Fail(Failure),
    /// The script has something in it that the interpreter does not know.
    Unsupported(Problem),
}

/// Where the machine departed from a script, and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// Line of the script, counted from one.
    pub line: usize,
    /// In words: the event as scripted, what happened instead, and the times of both.
    pub reason: String,
}

/// One object of `--json`.
#[derive(Serialize)]
struct Entry<'a> {
    file: &'a str,
    status: &'static str,
    line: Option<usize>,
    reason: Option<&'a str>,
}

impl Verdict {
    /// The status that a command ends with: 0 pass, 1 fail, 2 not supported.
    #[must_use]
    pub const fn status(&self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Fail(_) => 1,
            Self::Unsupported(_) => 2,
        }
    }

    fn parts(&self) -> (&'static str, Option<(usize, &str)>) {
        match self {
            Self::Pass => ("pass", None),
            Self::Fail(failure) => ("fail", Some((failure.line, &failure.reason))),
            Self::Unsupported(problem) => ("unsupported", Some((problem.line, &problem.construct))),
        }
    }

    /// One line of text, or more where there is more to say.
    #[must_use]
    pub fn to_text(&self, file: &str) -> String {
        match self.parts() {
            (status, None) => format!("{file}: {status}\n"),
            (status, Some((line, reason))) => format!("{file}:{line}: {status}: {reason}\n"),
        }
    }

    /// One JSON object with the fields `file`, `status` (pass, fail, unsupported), `line` and `reason` (null for a pass).
    #[must_use]
    pub fn to_json(&self, file: &str) -> String {
        let (status, more) = self.parts();
        let entry = Entry { file, status, line: more.map(|more| more.0), reason: more.map(|more| more.1) };
        serde_json::to_string(&entry).unwrap_or_default()
    }
}

/// A packet in the words of a script.
pub(super) fn words(packet: &Packet) -> String {
    let mut text = format!("{} {}:{}({})", packet.flags, packet.seq, packet.seq.wrapping_add(packet.len), packet.len);
    // Writing to a string does not fail.
    if let Some(ack) = packet.ack {
        let _ = write!(text, " ack {ack}");
    }
    if let Some(window) = packet.window {
        let _ = write!(text, " win {window}");
    }
    let Some(options) = &packet.options else { return text + " <...>" };
    let mut all = Vec::new();
    all.extend(options.mss.map(|mss| format!("mss {mss}")));
    all.extend(options.sack_permitted.then(|| "sackOK".into()));
    all.extend(options.timestamps.map(|(value, echo)| format!("TS val {value} ecr {echo}")));
    all.extend(options.window_scale.map(|scale| format!("wscale {scale}")));
    if !options.sack.is_empty() {
        let blocks: Vec<String> = options.sack.iter().map(|(left, right)| format!("{left}:{right}")).collect();
        all.push(format!("sack {}", blocks.join(" ")));
    }
    all.extend((options.fast_open != FastOpen::Absent).then(|| fast_open(options.fast_open)));
    if !all.is_empty() {
        let _ = write!(text, " <{}>", all.join(","));
    }
    text
}

/// The Fast Open option in the words of a script.
pub(super) fn fast_open(option: FastOpen) -> String {
    match option {
        FastOpen::Absent => String::new(),
        FastOpen::Request => "FO".into(),
        FastOpen::Cookie(COOKIE) => "FO TFO_COOKIE".into(),
        FastOpen::Cookie(cookie) => format!("FO {:016x}", u64::from_be_bytes(cookie)),
    }
}

/// A segment of ours in the words of a script.
pub(super) fn live(segment: &Segment, mapping: &Mapping) -> String {
    words(&mapping.outbound(segment))
}

/// An instant in seconds.
pub(super) fn instant(time: Time) -> String {
    let nanos = time.as_nanos();
    format!("{}.{:06} s", nanos / 1_000_000_000, nanos % 1_000_000_000 / 1_000)
}
