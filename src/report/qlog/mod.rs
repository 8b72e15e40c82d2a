//! qlog files (draft-ietf-quic-qlog-main-schema): a record a line in JSON text sequences (RFC 7464), one file for each end of a
//! connection.
//!
//! The header says what readers of version 0.3 look for and what later drafts ask for. Times are milliseconds, with nanoseconds
//! behind the point, since the run began; that is both drafts' default where no other reference is given.

mod quic;

use super::files::FileError;
use super::part::Part;
use crate::base::{Span, Time};
use crate::observe::qlog::{Happening, Identity, Passed};
use serde_json::{Map, Value, json};
use std::path::Path;

/// Begins each record (RFC 7464 2.2).
const RECORD_SEPARATOR: u8 = 0x1e;

/// Which end a file tells of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Vantage {
    /// The one that asked for the connection.
    Client,
    /// The one that was asked.
    Server,
}

/// What a file says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Header {
    /// What the trace shows.
    pub title: String,
    /// The node.
    pub node: String,
    /// Its part in the connection.
    pub vantage: Vantage,
    /// The connection, the same at both ends.
    pub group: String,
    /// What it speaks, as qlog names it: `TCP`, `QUIC`.
    pub protocol: &'static str,
}

/// A file under way.
#[derive(Debug)]
pub struct Log {
    file: Part,
    text: Vec<u8>,
}

impl Log {
    /// Starts a file that will stand at `path`.
    pub fn create(path: &Path, header: &Header) -> Result<Self, FileError> {
        let mut log = Self { file: Part::create(path)?, text: Vec::new() };
        log.put(&json!({
            "qlog_version": "0.3",
            "qlog_format": "JSON-SEQ",
            "file_schema": "urn:ietf:params:qlog:file:sequential",
            "serialization_format": "application/qlog+json-seq",
            "title": header.title,
            "code_version": concat!("lightlag ", env!("CARGO_PKG_VERSION")),
            "trace": {
                "title": header.title,
                "common_fields": {
                    "group_id": header.group,
                    "protocol_types": [header.protocol],
                },
                "vantage_point": {
                    "name": header.node,
                    "type": match header.vantage { Vantage::Client => "client", Vantage::Server => "server" },
                },
                "event_schemas": ["urn:ietf:params:qlog:events:quic"],
            },
        }))?;
        Ok(log)
    }

    /// Appends an event: its name with its category (`recovery:metrics_updated`), and its data.
    pub fn event(&mut self, time: Time, name: &str, data: &Value) -> Result<(), FileError> {
        // Written by hand: as a floating-point number in milliseconds a nanosecond would be lost in long runs.
        let nanos = time.as_nanos();
        self.text.clear();
        self.text.push(RECORD_SEPARATOR);
        let (millis, rest) = (nanos / 1_000_000, nanos % 1_000_000);
        let line = format!("{{\"time\":{millis}.{rest:06},\"name\":\"{name}\",\"data\":{data}}}\n");
        self.text.extend_from_slice(line.as_bytes());
        self.file.write(&self.text)
    }

    fn put(&mut self, record: &Value) -> Result<(), FileError> {
        self.text.clear();
        self.text.push(RECORD_SEPARATOR);
        self.text.extend_from_slice(record.to_string().as_bytes());
        self.text.push(b'\n');
        self.file.write(&self.text)
    }

    /// Everything has been written: the file takes its place.
    pub fn commit(self) -> Result<(), FileError> {
        self.file.commit()
    }
}

/// What happened at an end of a connection, which is known as `identity`: the name of the event and its data.
#[must_use]
pub fn event(what: &Happening, identity: Option<Identity>) -> (&'static str, Value) {
    match what {
        Happening::Began(state) => (
            "recovery:parameters_set",
            json!({ "initial_congestion_window": state.cwnd, "initial_rtt": 0.0, "timer_granularity": 1 }),
        ),
        Happening::Changed(before, state) => {
            let mut data = Map::new();
            let mut put = |name: &str, changed: bool, value: Value| {
                if changed {
                    data.insert(name.into(), value);
                }
            };
            put("min_rtt", before.min_rtt != state.min_rtt, millis(state.min_rtt));
            put("smoothed_rtt", before.srtt != state.srtt, millis(state.srtt));
            put("rtt_variance", before.rttvar != state.rttvar, millis(state.rttvar));
            put("congestion_window", before.cwnd != state.cwnd, state.cwnd.into());
            put("bytes_in_flight", before.in_flight != state.in_flight, state.in_flight.into());
            // No threshold is the largest there is: the schema knows no other word for it.
            put("ssthresh", before.ssthresh != state.ssthresh, state.ssthresh.into());
            put("pacing_rate", before.pacing != state.pacing, state.pacing.unwrap_or(0).into());
            put("rto", before.rto != state.rto, millis(state.rto));
            put("retransmitted", before.retransmitted != state.retransmitted, state.retransmitted.into());
            ("recovery:metrics_updated", Value::Object(data))
        }
        Happening::Turned(before, after) => {
            ("recovery:congestion_state_updated", json!({ "old": before.name(), "new": after.name() }))
        }
        Happening::Sent(passed) => ("transport:packet_sent", segment(passed)),
        Happening::Received(passed) => ("transport:packet_received", segment(passed)),
        Happening::Lost(number) => {
            ("recovery:packet_lost", json!({ "header": { "packet_type": "unknown", "packet_number": number } }))
        }
        Happening::Started => ("connectivity:connection_started", quic::started(identity)),
        Happening::Reached(state) => ("connectivity:connection_state_updated", json!({ "new": state })),
        Happening::Called(before, after) => ("connectivity:connection_id_updated", quic::called(*before, *after)),
        Happening::QuicSent(passed) => ("transport:packet_sent", quic::packet(passed)),
        Happening::QuicReceived(passed) => ("transport:packet_received", quic::packet(passed)),
        Happening::QuicDropped(passed) => ("transport:packet_dropped", quic::dropped(passed)),
        Happening::QuicLost { kind, number, by_time } => (
            "recovery:packet_lost",
            json!({
                "header": { "packet_type": kind.name(), "packet_number": number },
                "trigger": if *by_time { "time_threshold" } else { "reordering_threshold" },
            }),
        ),
        Happening::Closed { local, close } => ("connectivity:connection_closed", quic::closed(*local, close)),
    }
}

/// Milliseconds as a number.
fn millis(span: Span) -> Value {
    json!(span.as_millis_f64())
}

fn segment(passed: &Passed) -> Value {
    let mut header = json!({ "packet_type": "unknown" });
    if let (Some(number), Some(fields)) = (passed.number, header.as_object_mut()) {
        fields.insert("packet_number".into(), number.into());
    }
    let mut tcp = json!({ "seq": passed.seq, "flags": passed.flags.to_string(), "window": passed.window });
    if let Some(fields) = tcp.as_object_mut() {
        if let Some(ack) = passed.ack {
            fields.insert("ack".into(), ack.into());
        }
        if !passed.sack.is_empty() {
            fields.insert("sack".into(), json!(passed.sack));
        }
        if passed.again {
            fields.insert("retransmission".into(), true.into());
        }
    }
    json!({
        "header": header,
        "raw": { "length": passed.length, "payload_length": passed.payload_length },
        "tcp": tcp,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_keep_their_nanoseconds_and_records_their_separators() {
        let dir = std::env::temp_dir().join(format!("lightlag-qlog-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("x.sqlog");
        let header = Header {
            title: "t".into(),
            node: "a".into(),
            vantage: Vantage::Client,
            group: "1".into(),
            protocol: "TCP",
        };
        let mut log = Log::create(&path, &header).unwrap();
        let (name, data) = event(&Happening::Lost(7), None);
        log.event(Time::from_nanos(86_400_000_000_001), name, &data).unwrap();
        assert!(!path.exists(), "a file appears whole");
        log.commit().unwrap();
        let text = crate::report::files::read_text(&path).unwrap();
        let records: Vec<&str> = text.split_terminator('\n').collect();
        assert!(records.iter().all(|record| record.starts_with('\u{1e}')));
        let event = r#"{"time":86400000.000001,"name":"recovery:packet_lost","data":{"header":{"packet_number":7,"packet_type":"unknown"}}}"#;
        assert_eq!(&records[1][1..], event);
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
