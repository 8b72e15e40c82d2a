//! TCP settings: the scenario's for all nodes, and a node's own where they differ.

use super::Problems;
use super::form::{Fields, Form};
use super::value;
use crate::base::Span;
use crate::scenario::ast::{Kind, Value};
use crate::scenario::plan::{Profile, Tcp};
use crate::transport::congestion;
use crate::transport::tcp::EcnMode;

pub(super) static TCP: Form = Form {
    name: "tcp",
    fields: &[
        "profile",
        "congestion",
        "mtu",
        "nagle",
        "timestamps",
        "sack",
        "window_scaling",
        "tail_loss_probe",
        "rack",
        "receive_buffer",
        "send_buffer",
        "restart_after_idle",
        "ecn",
        "pacing",
        "user_timeout",
        "keep_alive",
        "fast_open",
    ],
};
pub(super) static KEEP_ALIVE: Form = Form { name: "keep-alive", fields: &["after", "every", "probes"] };

/// Settings, and whether the MTU is one of them: otherwise it follows from the node's links.
#[derive(Clone, Copy, Default)]
pub(super) struct Settings {
    pub(super) tcp: Tcp,
    pub(super) mtu: Option<u32>,
}

/// The settings that `value` gives, the others as in `base`.
pub(super) fn read(value: &Value, base: Settings, problems: &mut Problems) -> Settings {
    let Some(fields) = Fields::open(&TCP, value, problems) else { return base };
    let Settings { mut tcp, mut mtu } = base;
    if let Some(value) = fields.get("profile") {
        match value::word(value, "a TCP profile", &["Linux", "Rfc"], problems) {
            Some("Rfc") => tcp.profile = Profile::Rfc,
            Some(_) => tcp.profile = Profile::Linux,
            None => {}
        }
    }
    tcp.congestion = congestion_of(&fields, problems).unwrap_or(tcp.congestion);
    if let Some(value) = fields.get("mtu") {
        mtu = super::links::mtu(value, problems).or(mtu);
    }
    let mut flag = |name: &str, field: &mut bool| {
        if let Some(value) = fields.get(name) {
            *field = value::flag(value, &format!("`{name}`"), problems).unwrap_or(*field);
        }
    };
    flag("nagle", &mut tcp.nagle);
    flag("timestamps", &mut tcp.timestamps);
    flag("sack", &mut tcp.sack);
    flag("window_scaling", &mut tcp.window_scaling);
    flag("tail_loss_probe", &mut tcp.tail_loss_probe);
    flag("rack", &mut tcp.rack);
    flag("pacing", &mut tcp.pacing);
    flag("fast_open", &mut tcp.fast_open);
    if let Some(value) = fields.get("ecn") {
        tcp.ecn = ecn(value, problems).unwrap_or(tcp.ecn);
    }
    for (name, field) in [("receive_buffer", &mut tcp.receive_buffer), ("send_buffer", &mut tcp.send_buffer)] {
        if let Some(value) = fields.get(name) {
            // A window scale of 14 reaches a gibibyte (RFC 7323 2.3).
            let size = value::bytes(value, &format!("`{name}`"), 1_460..=1 << 30, problems);
            *field = size.unwrap_or(*field);
        }
    }
    if let Some(value) = fields.get("restart_after_idle") {
        tcp.restart_after_idle = value::flag(value, "`restart_after_idle`", problems);
    }
    if let Some(value) = fields.get("user_timeout") {
        tcp.user_timeout = value::positive_span(value, "`user_timeout`", problems);
    }
    if let Some(value) = fields.get("keep_alive") {
        tcp.keep_alive = keep_alive(value, problems);
    }
    if !tcp.sack && tcp.rack && fields.get("rack").is_some() {
        fields.no_effect("rack", "losses are found by time only with SACK", problems);
    }
    Settings { tcp, mtu }
}

/// `true`, `false`, the time after which probes begin, or fields. Linux's `tcp_keepalive_time`, `_intvl` and `_probes` are the
/// defaults; RFC 9293 3.8.4 asks for two hours too.
fn keep_alive(value: &Value, problems: &mut Problems) -> Option<(Span, Span, u32)> {
    let (mut after, mut every, mut probes) = (Span::from_secs(7_200), Span::from_secs(75), 9);
    match &value.kind {
        Kind::Bool(false) => return None,
        Kind::Bool(true) => {}
        Kind::Text(_) | Kind::Number(_) => after = value::positive_span(value, "`keep_alive`", problems)?,
        _ => {
            let fields = Fields::open(&KEEP_ALIVE, value, problems)?;
            for (name, field) in [("after", &mut after), ("every", &mut every)] {
                if let Some(value) = fields.get(name) {
                    *field = value::positive_span(value, &format!("`{name}`"), problems).unwrap_or(*field);
                }
            }
            let given = fields.get("probes").and_then(|value| value::whole(value, "`probes`", 1..=127, problems));
            probes = given.and_then(|given| u32::try_from(given).ok()).unwrap_or(probes);
        }
    }
    Some((after, every, probes))
}

/// What a host does about ECN.
fn ecn(value: &Value, problems: &mut Problems) -> Option<EcnMode> {
    Some(match value::word(value, "`ecn`", &["Off", "Passive", "On"], problems)? {
        "Off" => EcnMode::Off,
        "On" => EcnMode::On,
        _ => EcnMode::Passive,
    })
}

/// The name of the controller in the field `congestion`.
pub(super) fn congestion_of(fields: &Fields<'_>, problems: &mut Problems) -> Option<&'static str> {
    let value = fields.get("congestion")?;
    let table = congestion::TABLE.iter().map(|entry| (entry.0, entry.0));
    value::named(value, "a congestion controller", table, problems)
}
