//! qlog files: they keep the published schema, and what they tell is what the run counts.

#![expect(clippy::disallowed_methods, reason = "tests read and write files")]

use lightlag::run::Outcome;
use serde_json::Value;
use snapbox::cmd::Command;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// The records of a JSON text sequence (RFC 7464): each begins with a separator and ends with a line feed.
fn records(bytes: &[u8]) -> Vec<Value> {
    assert_eq!((bytes.first(), bytes.last()), (Some(&0x1e), Some(&b'\n')));
    let records = bytes.split(|&byte| byte == 0x1e).skip(1);
    records.map(|record| serde_json::from_slice(record).unwrap()).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

/// The header: draft-ietf-quic-qlog-main-schema, section 4.2 of version 02 (`QlogFileSeq`, 0.3), and what later versions require
/// beside it (`file_schema`, `serialization_format`, `event_schemas`).
fn check_header(header: &Value, protocol: &str) {
    assert_eq!(text(&header["qlog_version"]), "0.3");
    assert_eq!(text(&header["qlog_format"]), "JSON-SEQ");
    assert_eq!(text(&header["file_schema"]), "urn:ietf:params:qlog:file:sequential");
    assert_eq!(text(&header["serialization_format"]), "application/qlog+json-seq");
    let trace = &header["trace"];
    let vantage = &trace["vantage_point"];
    assert!(["client", "server", "network"].contains(&text(&vantage["type"])));
    assert!(!text(&vantage["name"]).is_empty());
    assert!(trace["event_schemas"].as_array().is_some_and(|all| all.iter().all(Value::is_string)));
    assert_eq!(trace["common_fields"]["protocol_types"][0], protocol);
}

/// Fields with a bound of their own in draft-ietf-quic-qlog-quic-events; the others extend the schema, which it allows.
fn check_event(event: &Value) {
    let unsigned = |value: &Value| assert!(value.is_u64(), "{event}");
    let number = |value: &Value| assert!(value.as_f64().is_some_and(|n| n >= 0.0), "{event}");
    assert!(event["time"].as_f64().is_some());
    let data = event["data"].as_object().unwrap_or_else(|| panic!("{event} has no data"));
    match text(&event["name"]) {
        "transport:packet_sent" | "transport:packet_received" => {
            assert_eq!(text(&data["header"]["packet_type"]), "unknown");
            if let Some(packet_number) = data["header"].get("packet_number") {
                unsigned(packet_number);
            }
            unsigned(&data["raw"]["length"]);
            unsigned(&data["raw"]["payload_length"]);
        }
        "recovery:packet_lost" => unsigned(&data["header"]["packet_number"]),
        "recovery:parameters_set" => {
            unsigned(&data["initial_congestion_window"]);
            number(&data["initial_rtt"]);
            unsigned(&data["timer_granularity"]);
        }
        "recovery:metrics_updated" => {
            assert!(!data.is_empty(), "an update updates something");
            for (name, value) in data {
                match name.as_str() {
                    "smoothed_rtt" | "min_rtt" | "latest_rtt" | "rtt_variance" | "rto" => number(value),
                    "congestion_window" | "bytes_in_flight" | "ssthresh" | "pacing_rate" | "retransmitted" => {
                        unsigned(value);
                    }
                    other => panic!("`{other}` is no metric"),
                }
            }
        }
        "recovery:congestion_state_updated" => {
            assert_ne!(text(&data["old"]), text(&data["new"]));
        }
        other => panic!("`{other}` is no event of ours"),
    }
}

#[test]
fn qlog_keeps_the_schema_and_counts_as_the_run_does() {
    let dir = std::env::temp_dir().join(format!("lightlag-qlog-test-{}", std::process::id()));
    let run = |more: &[&str]| -> Outcome {
        let words = [&["run", "--quiet", "--format", "json", "scenarios/tcp-vs-udp.ron"], more].concat();
        let output = Command::new(env!("CARGO_BIN_EXE_lightlag")).args(words).assert().success();
        serde_json::from_slice(&output.get_output().stdout).unwrap()
    };
    let outcome = run(&["--qlog", dir.to_str().unwrap()]);
    assert_eq!(outcome.clone().without_performance(), run(&[]).without_performance());

    let mut files: Vec<_> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert_eq!(files.len(), 2, "both ends of the one connection: {files:?}");
    let (mut again, mut sent, mut received, mut kinds) = (0, 0, 0, BTreeSet::new());
    for file in files {
        assert!(file.extension().is_some_and(|ending| ending == "sqlog"));
        let records = records(&fs::read(&file).unwrap());
        check_header(&records[0], "TCP");
        let (mut last, mut lost, mut numbers) = (0.0, BTreeSet::new(), BTreeSet::new());
        for event in &records[1..] {
            check_event(event);
            let time = event["time"].as_f64().unwrap();
            assert!(time >= last, "in order of time");
            last = time;
            let name = text(&event["name"]).to_owned();
            let packet_number = event["data"]["header"]["packet_number"].as_u64();
            match name.as_str() {
                "transport:packet_sent" => {
                    sent += 1;
                    again += u64::from(event["data"]["tcp"]["retransmission"] == true);
                    assert!(numbers.insert(packet_number.unwrap()), "a number is used once");
                }
                "transport:packet_received" => received += 1,
                "recovery:packet_lost" => {
                    let number = packet_number.unwrap();
                    assert!(numbers.contains(&number) && lost.insert(number), "{number} was sent and not lost before");
                }
                _ => {}
            }
            kinds.insert(name);
        }
    }
    assert_eq!(again, outcome.packets.retransmitted);
    let udp = outcome.traffic["udp"].counts.started;
    assert_eq!(sent, outcome.packets.sent - udp);
    let lost = outcome.packets.dropped["loss"] - (udp - outcome.traffic["udp"].counts.ok);
    assert_eq!(received, sent - lost);
    assert_eq!(kinds.len(), 6, "{kinds:?}");
    fs::remove_dir_all(&dir).unwrap();
}

/// The frames of draft-ietf-quic-qlog-quic-events: their names, and the fields that each must have.
const FRAMES: &[(&str, &[&str])] = &[
    ("padding", &["payload_length"]),
    ("ping", &[]),
    ("ack", &["ack_delay", "acked_ranges"]),
    ("reset_stream", &["stream_id", "error_code", "final_size"]),
    ("stop_sending", &["stream_id", "error_code"]),
    ("crypto", &["offset", "length"]),
    ("new_token", &["token"]),
    ("stream", &["stream_id", "offset", "length"]),
    ("max_data", &["maximum"]),
    ("max_stream_data", &["stream_id", "maximum"]),
    ("max_streams", &["stream_type", "maximum"]),
    ("data_blocked", &["limit"]),
    ("stream_data_blocked", &["stream_id", "limit"]),
    ("streams_blocked", &["stream_type", "limit"]),
    ("new_connection_id", &["sequence_number", "retire_prior_to", "connection_id"]),
    ("retire_connection_id", &["sequence_number"]),
    ("path_challenge", &["data"]),
    ("path_response", &["data"]),
    ("connection_close", &["error_space", "error_code"]),
    ("handshake_done", &[]),
];

/// An event of a QUIC connection: what the same draft says of it, section by section.
fn check_quic_event(event: &Value) {
    let data = &event["data"];
    let has = |fields: &[&str]| {
        for field in fields {
            assert!(!data[*field].is_null(), "{event} lacks `{field}`");
        }
    };
    match text(&event["name"]) {
        "connectivity:connection_started" => has(&["src_ip", "dst_ip", "src_port", "dst_port"]),
        "connectivity:connection_state_updated" => assert_eq!(text(&data["new"]), "handshake_confirmed"),
        "connectivity:connection_id_updated" => {
            assert!(["local", "remote"].contains(&text(&data["owner"])));
            assert_ne!(text(&data["old"]), text(&data["new"]));
        }
        "connectivity:connection_closed" => {
            assert!(["local", "remote"].contains(&text(&data["owner"])));
            assert!(data["application_code"].is_u64() || data["connection_code"].is_u64());
        }
        "transport:packet_sent" | "transport:packet_received" => {
            has(&["header", "frames", "raw"]);
            assert!(["initial", "handshake", "0RTT", "1RTT"].contains(&text(&data["header"]["packet_type"])));
            assert!(data["header"]["packet_number"].is_u64() && data["is_coalesced"].is_boolean());
            assert!(data["raw"]["length"].as_u64() > data["raw"]["payload_length"].as_u64());
            for frame in data["frames"].as_array().unwrap() {
                let kind = text(&frame["frame_type"]);
                let (_, fields) = FRAMES.iter().find(|(name, _)| *name == kind).unwrap_or_else(|| panic!("{frame}"));
                for field in *fields {
                    assert!(!frame[*field].is_null(), "{frame} lacks `{field}`");
                }
                if kind == "ack" {
                    // Ascending, and a range of one number is that number.
                    let ranges = frame["acked_ranges"].as_array().unwrap();
                    let flat: Vec<u64> = ranges
                        .iter()
                        .flat_map(|range| range.as_array().unwrap())
                        .map(|n| n.as_u64().unwrap())
                        .collect();
                    assert!(flat.is_sorted() && flat.windows(2).all(|pair| pair[0] < pair[1]), "{frame}");
                }
            }
        }
        "transport:packet_dropped" => assert_eq!(text(&data["trigger"]), "duplicate"),
        "recovery:packet_lost" => {
            assert!(data["header"]["packet_number"].is_u64());
            assert!(["reordering_threshold", "time_threshold"].contains(&text(&data["trigger"])));
        }
        _ => check_event(event),
    }
}

/// Every packet that one end says it received the other says it sent, with the same frames; every number is used once in its space, what
/// is declared lost was sent, and stream bytes sent for the first time are the object's.
#[test]
fn quic_logs_keep_the_schema_and_the_two_ends_agree() {
    let dir = std::env::temp_dir().join(format!("lightlag-qlog-quic-test-{}", std::process::id()));
    let words = ["run", "--quiet", "--format", "json", "scenarios/head-of-line.ron", "--qlog", dir.to_str().unwrap()];
    Command::new(env!("CARGO_BIN_EXE_lightlag")).args(words).assert().success();
    let mut files: Vec<_> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut flows: BTreeMap<String, Vec<Vec<Value>>> = BTreeMap::new();
    for file in files {
        let records = records(&fs::read(&file).unwrap());
        if records[0]["trace"]["common_fields"]["protocol_types"][0] != "QUIC" {
            continue;
        }
        check_header(&records[0], "QUIC");
        records[1..].iter().for_each(check_quic_event);
        flows.entry(text(&records[0]["trace"]["common_fields"]["group_id"]).to_owned()).or_default().push(records);
    }
    fs::remove_dir_all(&dir).unwrap();
    assert!(!flows.is_empty(), "the scenario speaks QUIC");
    let (mut lost, mut dropped_by_the_path) = (0, 0);
    for ends in flows.values() {
        assert_eq!(ends.len(), 2, "both ends");
        let vantages: BTreeSet<&str> = ends.iter().map(|end| text(&end[0]["trace"]["vantage_point"]["type"])).collect();
        assert_eq!(vantages.len(), 2, "{vantages:?}");
        for (from, to) in [(&ends[0], &ends[1]), (&ends[1], &ends[0])] {
            let packets = |end: &[Value], name: &str| -> BTreeMap<(String, u64), Value> {
                let named = end.iter().filter(|event| event["name"] == name);
                let mut all = BTreeMap::new();
                for event in named {
                    let header = &event["data"]["header"];
                    // 0-RTT and 1-RTT share numbers.
                    let space = text(&header["packet_type"]).replace("0RTT", "1RTT");
                    let key = (space, header["packet_number"].as_u64().unwrap());
                    assert!(all.insert(key, event["data"].clone()).is_none(), "a number is used once: {event}");
                }
                all
            };
            let sent = packets(from, "transport:packet_sent");
            let received = packets(to, "transport:packet_received");
            for (key, data) in &received {
                assert_eq!(Some(&data["frames"]), sent.get(key).map(|data| &data["frames"]), "{key:?}");
            }
            dropped_by_the_path += sent.len() - received.len();
            for key in packets(from, "recovery:packet_lost").keys() {
                assert!(sent.contains_key(key), "{key:?} was sent");
                lost += usize::from(!received.contains_key(key));
            }
        }
    }
    // The scenario loses 2 % towards the browser; nearly all of that is noticed as lost, the rest is at the end of a flight.
    assert!(dropped_by_the_path > 20 && lost * 10 >= dropped_by_the_path * 7, "{lost} of {dropped_by_the_path}");
}
