//! QUIC's events and frames in the words of draft-ietf-quic-qlog-quic-events.

use crate::observe::qlog::{Close, ConnectionId, Identity, QuicPassed, Told};
use serde_json::{Value, json};

/// `connectivity:connection_started`.
pub(super) fn started(identity: Option<Identity>) -> Value {
    identity.map_or_else(
        || json!({}),
        |Identity { local, remote, .. }| {
            json!({
                "ip_version": "v4",
                "src_ip": local.ip().to_string(),
                "dst_ip": remote.ip().to_string(),
                "protocol": "QUIC",
                "src_port": local.port(),
                "dst_port": remote.port(),
            })
        },
    )
}

/// `connectivity:connection_id_updated`: the id by which the other end is called, which it owns.
pub(super) fn called(before: ConnectionId, after: ConnectionId) -> Value {
    json!({ "owner": "remote", "old": before.to_string(), "new": after.to_string() })
}

/// `connectivity:connection_closed`.
pub(super) fn closed(local: bool, close: &Close) -> Value {
    let code = if close.application { "application_code" } else { "connection_code" };
    let mut data = json!({
        "owner": if local { "local" } else { "remote" },
        "trigger": if close.code == 0 { "clean" } else { "error" },
        code: close.code,
    });
    if !close.reason.is_empty() {
        data["reason"] = String::from_utf8_lossy(&close.reason).into();
    }
    data
}

/// A packet sent or received.
pub(super) fn packet(passed: &QuicPassed) -> Value {
    let mut header = json!({
        "packet_type": passed.kind.name(),
        "packet_number": passed.number,
        "dcil": passed.dst.len(),
        "dcid": passed.dst.to_string(),
    });
    if let Some(src) = passed.src {
        header["scil"] = src.len().into();
        header["scid"] = src.to_string().into();
        header["version"] = "00000001".into();
    }
    json!({
        "header": header,
        "frames": passed.frames.iter().map(frame).collect::<Vec<_>>(),
        "is_coalesced": passed.coalesced,
        "raw": { "length": passed.length, "payload_length": passed.payload_length },
    })
}

/// `transport:packet_dropped`: the packet has come before.
pub(super) fn dropped(passed: &QuicPassed) -> Value {
    json!({
        "header": { "packet_type": passed.kind.name(), "packet_number": passed.number },
        "raw": { "length": passed.length },
        "trigger": "duplicate",
    })
}

fn hex(data: [u8; 8]) -> String {
    format!("{:016x}", u64::from_be_bytes(data))
}

const fn kind(two_way: bool) -> &'static str {
    if two_way { "bidirectional" } else { "unidirectional" }
}

fn frame(frame: &Told) -> Value {
    match frame {
        Told::Padding(bytes) => json!({ "frame_type": "padding", "length": bytes, "payload_length": bytes }),
        Told::Ping => json!({ "frame_type": "ping" }),
        Told::Ack(delay, ranges, ecn) => {
            let ranges: Vec<Value> =
                ranges.iter().map(|&(low, high)| if low == high { json!([low]) } else { json!([low, high]) }).collect();
            // Milliseconds: units of eight microseconds have three digits behind the point.
            let delay = crate::base::Span::from_nanos(*delay).as_millis_f64();
            let mut data = json!({ "frame_type": "ack", "ack_delay": delay, "acked_ranges": ranges });
            if let Some(ecn) = ecn {
                data["ect0"] = ecn.ect0.into();
                data["ect1"] = ecn.ect1.into();
                data["ce"] = ecn.ce.into();
            }
            data
        }
        Told::ResetStream(id, code, size) => {
            json!({ "frame_type": "reset_stream", "stream_id": id, "error_code": code, "final_size": size })
        }
        Told::StopSending(id, code) => json!({ "frame_type": "stop_sending", "stream_id": id, "error_code": code }),
        Told::Crypto(offset, length) => json!({ "frame_type": "crypto", "offset": offset, "length": length }),
        Told::NewToken(length) => json!({ "frame_type": "new_token", "token": { "raw": { "length": length } } }),
        Told::Stream(id, offset, length, fin) => {
            json!({ "frame_type": "stream", "stream_id": id, "offset": offset, "length": length, "fin": fin })
        }
        Told::MaxData(max) => json!({ "frame_type": "max_data", "maximum": max }),
        Told::MaxStreamData(id, max) => json!({ "frame_type": "max_stream_data", "stream_id": id, "maximum": max }),
        Told::MaxStreams(two_way, max) => {
            json!({ "frame_type": "max_streams", "stream_type": kind(*two_way), "maximum": max })
        }
        Told::DataBlocked(limit) => json!({ "frame_type": "data_blocked", "limit": limit }),
        Told::StreamDataBlocked(id, limit) => {
            json!({ "frame_type": "stream_data_blocked", "stream_id": id, "limit": limit })
        }
        Told::StreamsBlocked(two_way, limit) => {
            json!({ "frame_type": "streams_blocked", "stream_type": kind(*two_way), "limit": limit })
        }
        Told::NewConnectionId(sequence, retire, id) => json!({
            "frame_type": "new_connection_id",
            "sequence_number": sequence,
            "retire_prior_to": retire,
            "connection_id_length": id.len(),
            "connection_id": id.to_string(),
        }),
        Told::RetireConnectionId(sequence) => {
            json!({ "frame_type": "retire_connection_id", "sequence_number": sequence })
        }
        Told::PathChallenge(data) => json!({ "frame_type": "path_challenge", "data": hex(*data) }),
        Told::PathResponse(data) => json!({ "frame_type": "path_response", "data": hex(*data) }),
        Told::Close(close) => json!({
            "frame_type": "connection_close",
            "error_space": if close.application { "application" } else { "transport" },
            "error_code": close.code,
            "raw_error_code": close.code,
            "reason": String::from_utf8_lossy(&close.reason),
        }),
        Told::HandshakeDone => json!({ "frame_type": "handshake_done" }),
    }
}
