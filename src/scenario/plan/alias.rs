//! Where names of zones lead: aliases followed from zone to zone, as resolvers do.

use super::{Data, Plan, Record, Zone};

/// Aliases that resolvers follow one after the other; more is taken for a circle (`app::dns::cache`, `service::resolver`).
pub const MOST_ALIASES: usize = 16;

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
