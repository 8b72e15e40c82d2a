//! qlog files: they keep the published schema, and what they tell is what the run counts.

#![expect(clippy::disallowed_methods, reason = "tests read and write files")]

use lightlag::run::Outcome;
use serde_json::Value;
use snapbox::cmd::Command;
use std::collections::BTreeSet;
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
fn check_header(header: &Value) {
    assert_eq!(text(&header["qlog_version"]), "0.3");
    assert_eq!(text(&header["qlog_format"]), "JSON-SEQ");
    assert_eq!(text(&header["file_schema"]), "urn:ietf:params:qlog:file:sequential");
    assert_eq!(text(&header["serialization_format"]), "application/qlog+json-seq");
    let trace = &header["trace"];
    let vantage = &trace["vantage_point"];
    assert!(["client", "server", "network"].contains(&text(&vantage["type"])));
    assert!(!text(&vantage["name"]).is_empty());
    assert!(trace["event_schemas"].as_array().is_some_and(|all| all.iter().all(Value::is_string)));
    assert_eq!(trace["common_fields"]["protocol_types"][0], "TCP");
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
        check_header(&records[0]);
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
