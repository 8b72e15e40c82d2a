//! Queues that wait for packets which nobody sends: marks that no transport asks for, bands that no traffic uses.

use super::super::Problems;
use crate::link::queue::Config;
use crate::scenario::diagnostic::{Code, Diagnostic};
use crate::scenario::plan::{Carrier, Plan, TrafficKind};
use crate::transport::tcp::EcnMode;
use crate::wire::Dscp;
use std::collections::BTreeSet;

pub(super) fn check(plan: &Plan, problems: &mut Problems) {
    let marks = plan.nodes.iter().any(|node| node.tcp.ecn == EcnMode::On || needs_ecn(Some(node.tcp.congestion)))
        || plan.traffic.iter().any(|traffic| match &traffic.kind {
            TrafficKind::Http(http) => needs_ecn(http.congestion),
            TrafficKind::Bulk(bulk) => needs_ecn(bulk.congestion),
            TrafficKind::Messages(messages) => match messages.carrier {
                Carrier::Tcp { congestion } | Carrier::Quic { congestion } => needs_ecn(congestion),
                Carrier::Udp => false,
            },
            TrafficKind::Objects(objects) => needs_ecn(objects.congestion),
            TrafficKind::Lookups(_) | TrafficKind::Ping(_) | TrafficKind::Traceroute(_) => false,
        });
    let used: BTreeSet<Dscp> = plan.traffic.iter().map(|traffic| traffic.dscp).collect();
    let mut said = BTreeSet::new();
    for link in &plan.links {
        if !said.insert(link.declared) {
            continue;
        }
        let queues = || link.directions.iter().map(|direction| &direction.queue);
        if !marks && queues().any(marks_only_if_told) {
            problems.add(
                Diagnostic::warning(
                    Code::NoEffect,
                    link.declared,
                    format!(
                        "the queue of `{}` never marks: no packet says that its transport would understand",
                        link.name
                    ),
                )
                .help("let hosts ask for it with `tcp: (ecn: On)`, or send with `congestion: \"dctcp\"`"),
            );
        }
        let mut bands = Vec::new();
        queues().for_each(|queue| collect_bands(queue, &mut bands));
        let idle = bands.iter().find(|band| !band.iter().any(|point| used.contains(point)));
        if let Some(band) = idle {
            let names: Vec<String> = band.iter().map(ToString::to_string).collect();
            problems.add(
                Diagnostic::warning(
                    Code::NoEffect,
                    link.declared,
                    format!("no traffic uses the band [{}] of `{}`", names.join(", "), link.name),
                )
                .help("traffic says with `dscp` what its packets carry"),
            );
        }
    }
}

fn needs_ecn(congestion: Option<&str>) -> bool {
    congestion == Some("dctcp")
}

/// Whether the scenario asks for marks: not only by the default of FQ-CoDel.
fn marks_only_if_told(queue: &Config) -> bool {
    match queue {
        Config::Threshold { .. } => true,
        Config::Red(red) => red.ecn,
        Config::Codel(codel) => codel.ecn || codel.ce_threshold.is_some(),
        Config::FqCodel(fq) => fq.codel.ce_threshold.is_some(),
        Config::Priority(priority) => marks_only_if_told(&priority.each),
        Config::TokenBucket(shaper) => marks_only_if_told(&shaper.queue),
        Config::DropTail(_) | Config::Policer { .. } => false,
    }
}

/// The bands of priority queues, also of those inside others.
fn collect_bands<'q>(queue: &'q Config, bands: &mut Vec<&'q [Dscp]>) {
    match queue {
        Config::Priority(priority) => {
            bands.extend(priority.bands.iter().map(Vec::as_slice));
            collect_bands(&priority.each, bands);
        }
        Config::TokenBucket(shaper) => collect_bands(&shaper.queue, bands),
        _ => {}
    }
}
