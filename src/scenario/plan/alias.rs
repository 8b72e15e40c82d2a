//! Where names of zones lead: aliases followed from zone to zone, as resolvers do.

use super::{Data, Plan, Record, Zone};

/// Aliases that lead on one after the other: no cache follows more.
pub const MOST_ALIASES: usize = crate::app::dns::MAX_ALIASES;

/// The way from a name to its addresses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trail<'p> {
    /// The names passed, the first of them the one asked for.
    pub names: Vec<&'p str>,
    /// What is at the end.
    pub end: End,
}

/// The end of aliases.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum End {
    /// The addresses of these nodes.
    At(Vec<u32>),
    /// The last name is in no zone, or its zone has no such name.
    Nowhere,
    /// The last name has been passed before.
    Circle,
    /// More aliases than resolvers follow.
    TooLong,
}

impl Plan {
    /// The zone that answers for a name: the deepest that it lies in.
    #[must_use]
    pub fn zone_of(&self, name: &str) -> Option<&Zone> {
        self.zones.iter().filter(|zone| zone.holds(name)).max_by_key(|zone| zone.apex.trim_matches('.').len())
    }

    /// What the zone that answers for a name holds of it.
    pub fn records_of<'p>(&'p self, name: &'p str) -> impl Iterator<Item = &'p Record> {
        self.zone_of(name).into_iter().flat_map(|zone| &zone.records).filter(move |record| record.name == name)
    }

    /// Follows a name in lower case to its addresses.
    #[must_use]
    pub fn follow<'p>(&'p self, name: &'p str) -> Trail<'p> {
        let mut names = vec![name];
        loop {
            let last = names[names.len() - 1];
            let (mut nodes, mut alias) = (Vec::new(), None);
            for record in self.records_of(last) {
                match &record.data {
                    Data::A(node) => nodes.push(*node),
                    Data::Cname(target) => alias = Some(&**target),
                }
            }
            let Some(target) = alias else {
                let end = if nodes.is_empty() { End::Nowhere } else { End::At(nodes) };
                return Trail { names, end };
            };
            let circle = names.contains(&target);
            if circle || names.len() > MOST_ALIASES {
                names.push(target);
                return Trail { names, end: if circle { End::Circle } else { End::TooLong } };
            }
            names.push(target);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::parse;

    /// A plan with these zones, whose names nobody asks for.
    fn plan(zones: &str) -> Plan {
        let text = format!(
            r#"Scenario(nodes: {{ "u": Host(), "o": Server(), "d": Resolver(), "ns": Authority(), "r": Router() }},
                links: [(between: ("u", "r"), delay: "1ms"), (between: ("o", "r"), delay: "1ms"), (between: ("d", "r"), delay: "1ms"),
                    (between: ("ns", "r"), delay: "1ms")],
                zones: {{ {zones} }}, traffic: {{ "p": Http(from: "u", to: "http://o/") }})"#
        );
        parse(&text, "alias").unwrap_or_else(|all| panic!("{all:#?}")).0
    }

    #[test]
    fn a_name_is_followed_through_the_zones_that_answer_for_it() {
        let plan = plan(
            r#"".": (), "example": (A: ["o"], names: { "hidden.shop": (A: ["o"]) }),
               "shop.example": (names: { "www": (CNAME: "Edge.Cdn.Example."), "here": (A: ["o"]) }),
               "cdn.example": (names: { "edge": (CNAME: "here.shop.example") })"#,
        );
        let trail = plan.follow("www.shop.example");
        assert_eq!(trail.names, ["www.shop.example", "edge.cdn.example", "here.shop.example"]);
        assert!(matches!(trail.end, End::At(ref nodes) if nodes.len() == 1));
        for nobody in ["hidden.shop.example", "shop.example", "elsewhere.org", "o"] {
            assert_eq!(plan.follow(nobody).end, End::Nowhere, "{nobody}");
        }
        assert_eq!(plan.zone_of("x.shop.example").map(|zone| &*zone.apex), Some("shop.example"));
        assert_eq!(plan.zone_of("elsewhere.org").map(|zone| &*zone.apex), Some("."));
    }
}
