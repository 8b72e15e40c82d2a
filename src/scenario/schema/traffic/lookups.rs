//! Commands to a cluster: keys by popularity, reads and writes.

use super::{Reading, http};
use crate::base::{Ratio, Span as Duration};
use crate::scenario::ast::Kind;
use crate::scenario::diagnostic::{Code, Diagnostic};
use crate::scenario::plan::{Lookups, NodeKind};
use crate::scenario::schema::form::Form;
use crate::scenario::schema::{Problems, dist, inner, value};
use crate::service::client::Arrivals;

pub(in crate::scenario::schema) static LOOKUPS: Form = Form {
    name: "Lookups",
    fields: &["from", "to", "keys", "popularity", "writes", "size", "arrivals", "start", "count", "until", "timeout"],
};

pub(super) fn read(reading: &Reading<'_, '_>, problems: &mut Problems) -> Option<Lookups> {
    let fields = reading.fields;
    let from = reading.from(problems).map(<[u32]>::to_vec);
    let cluster = cluster(reading, problems);
    let keys = fields.get("keys").map_or(Some(10_000), |value| value::whole(value, "`keys`", 1..=10_000_000, problems));
    let zipf = fields.get("popularity").map_or(Some(0.0), |value| {
        match value::choice(value, "`popularity`", &["Uniform", "Zipf"], problems)? {
            "Uniform" => value::bare(value, problems).map(|()| 0.0),
            _ => match dist::only(value) {
                Some(exponent) => value::real(exponent, "the exponent of Zipf's law", 0.01..=10.0, problems),
                None => value::wrong(value, "`popularity` is `Uniform` or `Zipf(0.9)`", problems),
            },
        }
    });
    let writes = fields.get("writes").map_or(Some(Ratio::ZERO), |value| value::ratio(value, "`writes`", problems));
    let size = fields.get("size").map_or(Some(1_024), |value| value::bytes(value, "`size`", 0..=512 << 20, problems));
    if writes.is_some_and(Ratio::is_zero) {
        fields.no_effect("size", "nothing is written; give `writes` a share", problems);
    }
    let arrivals = fields.get("arrivals").map_or(Some(Arrivals::Once), |value| {
        let arrivals = http::arrivals(value, problems)?;
        if matches!(arrivals, Arrivals::Users { .. }) {
            problems.add(
                Diagnostic::error(Code::Unsupported, value.span, "lookups come in an open loop")
                    .help("write `Poisson(\"50/s\")`, `Every(\"20ms\")` or `At([..])`"),
            );
            return None;
        }
        Some(arrivals)
    });
    let limit = reading.ends(arrivals.as_ref(), problems);
    let timeout = fields.get("timeout").map_or(Some(Some(Duration::from_secs(30))), |value| {
        if matches!(&value.kind, Kind::Name(never) if never == "Never") {
            return Some(None);
        }
        value::positive_span(value, "`timeout`", problems).map(Some)
    });
    let (cluster, port) = cluster?;
    Some(Lookups {
        from: from?,
        cluster,
        port,
        keys: u32::try_from(keys?).unwrap_or(u32::MAX),
        zipf: zipf?,
        writes: writes?,
        size: size?,
        arrivals: arrivals?,
        limit,
        timeout: timeout?,
    })
}

/// The nodes of the cluster that `to` names, and its port.
fn cluster(reading: &Reading<'_, '_>, problems: &mut Problems) -> Option<(Vec<u32>, u16)> {
    let value = reading.fields.need("to", "\"cache\"", problems)?;
    let found = reading.nodes.find(value, problems)?;
    let node = &reading.plan.nodes[*found.first()? as usize];
    let NodeKind::Cluster(cluster) = &node.kind else {
        problems.add(
            Diagnostic::error(Code::WrongRole, inner(value), format!("`{}` is no cluster", node.name))
                .also(node.declared, node.kind.described())
                .help("lookups are answered by a `Cluster`"),
        );
        return None;
    };
    // Whichever node is named, a client may be sent to any.
    Some((cluster.members.clone(), cluster.port))
}
