//! The outcome as JSON and as RON: every field of `docs/results.md`, in that order.

use crate::run::Outcome;

/// Why an outcome could not be written or read as text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Malformed(String);

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Malformed {}

/// The outcome as indented JSON with a newline at the end.
///
/// # Panics
/// Never: an outcome is plain data with text for keys.
#[must_use]
pub fn to_json(outcome: &Outcome) -> String {
    serde_json::to_string_pretty(outcome).expect("an outcome is plain data") + "\n"
}

/// The outcome that [`to_json`] wrote.
pub fn from_json(json: &str) -> Result<Outcome, Malformed> {
    serde_json::from_str(json).map_err(|error| Malformed(error.to_string()))
}

/// The outcome as indented RON with a newline at the end.
///
/// # Panics
/// Never: an outcome is plain data.
#[must_use]
pub fn to_ron(outcome: &Outcome) -> String {
    let layout = ron::ser::PrettyConfig::new().struct_names(true).new_line("\n").indentor("    ");
    ron::ser::to_string_pretty(outcome, layout).expect("an outcome is plain data") + "\n"
}

/// The outcome that [`to_ron`] wrote.
pub fn from_ron(text: &str) -> Result<Outcome, Malformed> {
    ron::from_str(text).map_err(|error| Malformed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;
    use serde_json::Value;

    #[test]
    fn both_forms_keep_everything() {
        let mut outcome = fixture::outcome([("pages", fixture::pages()), ("way", fixture::route())]);
        outcome.stores.insert("positions".into(), fixture::store());
        fixture::cache(&mut outcome);
        outcome.anycast.insert("front".into(), fixture::anycast());
        outcome.registries.insert("registry".into(), vec![fixture::stay()]);
        outcome.moves.push(fixture::moved());
        outcome.timeline.push(fixture::strike());
        assert_eq!(from_json(&to_json(&outcome)).unwrap(), outcome);
        assert_eq!(from_ron(&to_ron(&outcome)).unwrap(), outcome);
    }

    /// The path of every value: `traffic.*.latency_ns.p99`. Names that users choose and causes become `*`.
    fn paths(value: &Value, path: &str, into: &mut Vec<String>) {
        const BY_NAME: [&str; 21] = [
            "registries",
            "anycast",
            "edges",
            "edges_ns",
            "lost",
            "balancers",
            "backends",
            "failed",
            "refused",
            "traffic",
            "stores",
            "members",
            "links",
            "failed_by",
            "servers",
            "failed_tries",
            "turned_away",
            "drops",
            "dropped",
            "node_drops",
            "phases_ns",
        ];
        // Documented once, under the first place of their fields.
        if path.ends_with("hops[].latency_ns") || path.ends_with("lag_ns") || path.ends_with(".b_to_a") {
            return;
        }
        match value {
            Value::Object(fields) => {
                let named = BY_NAME.contains(&path.rsplit('.').next().unwrap_or_default()) || path == "node_drops.*";
                for (name, value) in fields {
                    let name = if named { "*" } else { name };
                    let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
                    into.push(path.clone());
                    paths(value, &path, into);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| paths(item, &format!("{path}[]"), into)),
            _ => {}
        }
    }

    #[test]
    fn every_field_is_documented_and_every_documented_field_exists() {
        let mut bulk = fixture::pages();
        bulk.flows.push(crate::run::outcome::FlowOutcome {
            bytes: 1,
            began_ns: 0,
            active_ns: 1,
            goodput_bps: 8,
            finished: true,
        });
        bulk.resilience = Some(fixture::resilience());
        bulk.called = true;
        bulk.payments = Some(crate::run::outcome::PaymentsOutcome::default());
        bulk.sessions = Some(crate::run::outcome::SessionsOutcome::default());
        let mut outcome = fixture::outcome([("pages", fixture::pages()), ("way", fixture::route()), ("bulk", bulk)]);
        outcome.servers[0].turned_away.insert("rejected".into(), 1);
        outcome.servers[0].limit = Some(crate::run::outcome::LimitOutcome::default());
        outcome.stores.insert("positions".into(), fixture::store());
        fixture::cache(&mut outcome);
        outcome.anycast.insert("front".into(), fixture::anycast());
        outcome.moves.push(fixture::moved());
        outcome.registries.insert("registry".into(), vec![fixture::stay()]);
        outcome.timeline.push(fixture::strike());
        let mut found = Vec::new();
        paths(&serde_json::to_value(&outcome).unwrap(), "", &mut found);
        found.sort();
        found.dedup();
        let text = include_str!("../../docs/results.md");
        let row = |line: &str| {
            line.strip_prefix("| `").and_then(|rest| rest.split_once('`')).map(|(path, _)| path.to_owned())
        };
        let fields = text.split("## Phases").next().unwrap_or_default();
        let mut documented: Vec<String> = fields.lines().filter_map(row).collect();
        documented.sort();
        let missing: Vec<_> = found.iter().filter(|path| !documented.contains(path)).collect();
        let stale: Vec<_> = documented.iter().filter(|path| !found.contains(path)).collect();
        assert!(missing.is_empty(), "docs/results.md lacks {missing:#?}");
        assert!(stale.is_empty(), "docs/results.md describes what does not exist: {stale:#?}");
    }

    #[test]
    fn every_phase_and_cause_is_documented() {
        let text = include_str!("../../docs/results.md");
        let phases = [
            crate::observe::Phase::REQUEST,
            crate::observe::Phase::MESSAGE,
            crate::observe::Phase::ECHO,
            crate::observe::Phase::BULK,
        ];
        for phase in phases.into_iter().flatten() {
            assert!(text.contains(&format!("`{}`", phase.name())), "docs/results.md lacks the phase {}", phase.name());
        }
    }
}
