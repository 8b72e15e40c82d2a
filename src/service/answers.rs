//! Which of a name's addresses an authority gives to whom: all of them, the first that is well, one by weight, the nearest.

use super::balancer::{Check, Member, Members, Pool};
use crate::app::dns::{Data, Record};
use crate::base::{Ratio, Rng};
use crate::host::Host;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::rc::Rc;

/// What is given of several addresses. Of those that are checked only the ones that are well are considered, or all where none is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Answers {
    /// All.
    #[default]
    All,
    /// The first, in the order of the zone: the others stand by.
    Failover,
    /// One, drawn by these weights for each answer; an address without a weight has 1.
    Weighted(BTreeMap<Ipv4Addr, u32>),
    /// The nearest to who asks, which is a resolver and not the user behind it (there is no client subnet, RFC 7871). For each asker
    /// the addresses from near to far; to others the first of the zone is given.
    Nearest(BTreeMap<Ipv4Addr, Vec<Ipv4Addr>>),
}

/// One line about each, by its name in a scenario.
pub const TABLE: &[(&str, &str)] = &[
    ("All", "every address, in rotation"),
    ("Failover", "the first address that is well; the others stand by"),
    ("Weighted", "one address, drawn by weight"),
    ("Nearest", "the address nearest to the resolver that asks (GeoDNS)"),
];

/// Checks of the addresses of a zone.
#[derive(Clone, PartialEq, Debug)]
pub struct Watched {
    /// How they are checked.
    pub check: Check,
    /// Which, and where they listen.
    pub members: Vec<Member>,
}

/// What the checks of a zone have found.
pub(super) struct Health {
    members: Rc<Members>,
    addrs: Vec<Ipv4Addr>,
}

impl Health {
    /// Starts the checks; `zone` names their stream of chance.
    pub(super) fn watch(host: &Host, zone: &str, watched: &Watched) -> Self {
        let addrs = watched.members.iter().map(|member| *member.at.ip()).collect();
        let mut pool = Pool::new(zone, watched.members.clone());
        pool.check = Some(watched.check.clone());
        // Where none is well all are given: here, not by a panic of the pool.
        pool.panic = Ratio::ZERO;
        Self { members: Members::start(host, pool, 0), addrs }
    }

    fn is_well(&self, addr: Ipv4Addr) -> bool {
        self.addrs.iter().position(|&known| known == addr).is_none_or(|id| self.members.takes(id))
    }
}

impl Answers {
    /// What is given of `records`, which are the addresses of one name in the order of the zone.
    pub(super) fn choose(
        &self,
        records: Vec<Record>,
        asker: Ipv4Addr,
        health: Option<&Health>,
        rng: &mut Rng,
    ) -> Vec<Record> {
        let well: Vec<Record> = match health {
            None => Vec::new(),
            Some(health) => {
                let is_well = |record: &&Record| address(record).is_none_or(|addr| health.is_well(addr));
                records.iter().filter(is_well).cloned().collect()
            }
        };
        let records = if well.is_empty() { records } else { well };
        let place = match self {
            Self::All => return records,
            Self::Failover => 0,
            Self::Weighted(weights) => {
                let weight = |record: &Record| {
                    let weight = address(record).and_then(|addr| weights.get(&addr)).copied();
                    u64::from(weight.unwrap_or(1))
                };
                let mut left = rng.below(records.iter().map(weight).sum::<u64>().max(1));
                let passes = |record: &Record| {
                    let here = left < weight(record);
                    left = left.saturating_sub(weight(record));
                    here
                };
                records.iter().position(passes).unwrap_or(0)
            }
            Self::Nearest(orders) => {
                let order = orders.get(&asker).map_or(&[][..], Vec::as_slice);
                let place = |addr: &Ipv4Addr| records.iter().position(|record| address(record) == Some(*addr));
                order.iter().find_map(place).unwrap_or(0)
            }
        };
        records.into_iter().skip(place).take(1).collect()
    }
}

const fn address(record: &Record) -> Option<Ipv4Addr> {
    match record.data {
        Data::A(addr) => Some(addr),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(last: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 0, 0, last)
    }

    fn records() -> Vec<Record> {
        let record = |last| Record { name: "shop.example".parse().unwrap(), ttl: 60, data: Data::A(addr(last)) };
        [3, 1, 2].map(record).to_vec()
    }

    fn given(answers: &Answers, asker: u8, rng: &mut Rng) -> Vec<u8> {
        let chosen = answers.choose(records(), addr(asker), None, rng);
        chosen.iter().map(|record| address(record).unwrap().octets()[3]).collect()
    }

    #[test]
    fn each_way_gives_what_it_says() {
        let mut rng = Rng::stream(1, "test/answers");
        assert_eq!(given(&Answers::All, 99, &mut rng), [3, 1, 2]);
        assert_eq!(given(&Answers::Failover, 99, &mut rng), [3]);
        let order = |near: &[u8]| near.iter().copied().map(addr).collect::<Vec<_>>();
        let nearest =
            Answers::Nearest([(addr(50), order(&[2, 1, 3])), (addr(60), order(&[9, 1]))].into_iter().collect());
        assert_eq!(given(&nearest, 50, &mut rng), [2]);
        assert_eq!(given(&nearest, 60, &mut rng), [1], "the nearest that the name has");
        assert_eq!(given(&nearest, 70, &mut rng), [3], "nobody knows where that is");
    }

    #[test]
    fn shares_are_the_weights() {
        let mut rng = Rng::stream(1, "test/answers/weights");
        let weighted = Answers::Weighted([(addr(3), 8)].into_iter().collect());
        let mut counts = [0; 4];
        for _ in 0..20_000 {
            counts[usize::from(given(&weighted, 99, &mut rng)[0])] += 1;
        }
        // 8 to 1 to 1; four standard deviations are about 226 and 170.
        assert!((15_770..16_230).contains(&counts[3]), "{counts:?}");
        assert!((1_830..2_170).contains(&counts[1]) && (1_830..2_170).contains(&counts[2]), "{counts:?}");
    }
}
