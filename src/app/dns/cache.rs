//! Remembers answers, good and negative, while their TTLs last (RFC 1035 7.4, RFC 2181 5, RFC 2308 5).

use super::message::{Data, Kind, Message, Rcode, Record};
use super::name::Name;
use crate::base::{Span, Time};
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use std::collections::BTreeMap;

/// Longest time for which an answer is believed, in seconds: a week (RFC 8767 4).
const MAX_TTL: u32 = 604_800;
/// Longest time for which a negative answer is believed, in seconds: three hours (RFC 2308 5).
const MAX_NEGATIVE_TTL: u32 = 10_800;
/// Aliases followed for one question; more is taken for a circle.
pub const MAX_ALIASES: usize = 16;

/// What is remembered about a name and a type. A missing name is missing for every type, hence `None`.
type Key = (Name, Option<Kind>);

/// What is known of a name and a type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Known {
    /// These records, with what is left of their TTL.
    Records(Vec<Record>),
    /// Nothing, says the zone.
    Negative(Negative),
}

/// An answer that says "nothing".
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Negative {
    /// `NxDomain`: no such name. `NoError`: the name has no records of this type.
    pub rcode: Rcode,
    /// The zone's SOA record, with what is left of the time for which this may be believed as its TTL.
    pub soa: Record,
}

/// What is known of a question once aliases have been followed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Followed {
    /// The aliases on the way, in order.
    pub aliases: Vec<Record>,
    /// The name at their end.
    pub name: Name,
    /// What is known of that; `None` if nothing is.
    pub known: Option<Known>,
}

#[derive(Debug)]
struct Entry {
    expires: Time,
    serial: u64,
    known: Known,
}

/// A bounded memory of answers. What has expired is gone; when it is full, what would expire first makes room.
#[derive(Debug)]
pub struct Cache {
    entries: IndexMap<Key, Entry, FxBuildHasher>,
    /// Entries by the time of their end; entries with the same end in the order of their coming.
    ends: BTreeMap<(Time, u64), Key>,
    capacity: usize,
    serials: u64,
    /// Whether what has expired is believed all the same.
    stale: bool,
}

/// TTL of what is believed though it has expired, in seconds (RFC 8767 4).
const STALE_TTL: u32 = 30;

impl Cache {
    /// A cache for at most `capacity` record sets; with 0 it remembers nothing.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { entries: IndexMap::default(), ends: BTreeMap::new(), capacity, serials: 0, stale: false }
    }

    /// Whether what has expired is believed all the same, with a TTL of 30 s (RFC 8767), until newer answers come.
    pub const fn believe_stale(&mut self, stale: bool) {
        self.stale = stale;
    }

    /// Record sets remembered, expired ones included until they are next looked for or make room.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What is known of `name` and `kind` at `now`; aliases are not followed. TTLs count down in whole seconds, rounded down.
    #[must_use]
    pub fn get(&self, name: &Name, kind: Kind, now: Time) -> Option<Known> {
        let fresh = |kind| self.entries.get(&(name.clone(), kind)).filter(|entry| self.stale || now < entry.expires);
        let entry = fresh(None).or_else(|| fresh(Some(kind)))?;
        let left = u32::try_from(entry.expires.since(now).as_nanos() / 1_000_000_000).unwrap_or(u32::MAX);
        let left = if now < entry.expires { left } else { STALE_TTL };
        let aged = |record: &Record| Record { ttl: left, ..record.clone() };
        Some(match &entry.known {
            Known::Records(records) => Known::Records(records.iter().map(aged).collect()),
            Known::Negative(negative) => Known::Negative(Negative { rcode: negative.rcode, soa: aged(&negative.soa) }),
        })
    }

    /// What is known of `name` and `kind` at `now`, following aliases as far as they are known.
    #[must_use]
    pub fn follow(&self, name: &Name, kind: Kind, now: Time) -> Followed {
        let mut followed = Followed { aliases: Vec::new(), name: name.clone(), known: None };
        loop {
            followed.known = self.get(&followed.name, kind, now);
            if followed.known.is_some() || kind == Kind::Cname || followed.aliases.len() == MAX_ALIASES {
                return followed;
            }
            let Some(Known::Records(mut records)) = self.get(&followed.name, Kind::Cname, now) else { return followed };
            let Some(Record { data: Data::Cname(target), .. }) = records.first() else { return followed };
            followed.name = target.clone();
            followed.aliases.push(records.swap_remove(0));
        }
    }

    /// Remembers `records`, grouped by name and type. A set lives as long as the shortest TTL in it (RFC 2181 5.2); one with
    /// TTL 0 is not remembered, and makes what was known before forgotten.
    pub fn insert(&mut self, records: &[Record], now: Time) {
        let mut sets: IndexMap<Key, Vec<Record>, FxBuildHasher> = IndexMap::default();
        for record in records {
            sets.entry((record.name.clone(), Some(record.data.kind()))).or_default().push(record.clone());
        }
        for (key, set) in sets {
            let ttl = set.iter().map(|record| record.ttl).min().unwrap_or(0).min(MAX_TTL);
            self.forget(&(key.0.clone(), None));
            self.put(key, Known::Records(set), ttl, now);
        }
    }

    /// Remembers that `name` does not exist or has nothing of `kind`, for as long as the answer allows: the smaller of the
    /// SOA record's TTL and its MINIMUM. An answer without an SOA is not remembered (RFC 2308 5).
    pub fn insert_negative(&mut self, name: &Name, kind: Kind, answer: &Message, now: Time) {
        let Some(ttl) = answer.negative_ttl() else { return };
        let Some(soa) = answer.authorities.iter().find(|record| record.data.kind() == Kind::Soa) else { return };
        let rcode = answer.flags.rcode;
        let kind = (rcode != Rcode::NxDomain).then_some(kind);
        let negative = Negative { rcode, soa: soa.clone() };
        self.put((name.clone(), kind), Known::Negative(negative), ttl.min(MAX_NEGATIVE_TTL), now);
    }

    fn put(&mut self, key: Key, known: Known, ttl: u32, now: Time) {
        self.forget(&key);
        if ttl == 0 || self.capacity == 0 {
            return;
        }
        if self.entries.len() >= self.capacity
            && let Some((_, first)) = self.ends.pop_first()
        {
            self.entries.swap_remove(&first);
        }
        let expires = now.saturating_add(Span::from_secs(u64::from(ttl)));
        let serial = self.serials;
        self.serials += 1;
        self.ends.insert((expires, serial), key.clone());
        self.entries.insert(key, Entry { expires, serial, known });
    }

    fn forget(&mut self, key: &Key) {
        if let Some(entry) = self.entries.swap_remove(key) {
            self.ends.remove(&(entry.expires, entry.serial));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::{Question, Soa};
    use super::*;
    use crate::base::Rng;
    use std::net::Ipv4Addr;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn address(owner: &str, ttl: u32) -> Record {
        Record { name: name(owner), ttl, data: Data::A(Ipv4Addr::new(10, 0, 0, 1)) }
    }

    fn at(millis: u64) -> Time {
        Time::ZERO + Span::from_millis(millis)
    }

    fn ttl_of(known: Option<Known>) -> Option<u32> {
        known.map(|known| match known {
            Known::Records(records) => records[0].ttl,
            Known::Negative(negative) => negative.soa.ttl,
        })
    }

    #[test]
    fn an_answer_lives_for_its_ttl_and_not_a_nanosecond_longer() {
        let mut cache = Cache::new(10);
        cache.insert(&[address("a", 60), address("a", 90)], at(0));
        let ttl = |time| ttl_of(cache.get(&name("a"), Kind::A, time));
        assert_eq!(ttl(at(0)), Some(60));
        assert_eq!(ttl(at(1)), Some(59));
        assert_eq!(ttl(at(59_500)), Some(0));
        assert_eq!(ttl(at(60_000) - Span::from_nanos(1)), Some(0));
        assert_eq!(ttl(at(60_000)), None);
        assert_eq!(cache.get(&name("a"), Kind::Aaaa, at(0)), None);
    }

    #[test]
    fn ttl_zero_is_for_one_use_only() {
        let mut cache = Cache::new(10);
        cache.insert(&[address("a", 60)], at(0));
        cache.insert(&[address("a", 0)], at(10));
        assert_eq!(cache.get(&name("a"), Kind::A, at(10)), None);
    }

    fn negative(rcode: Rcode, ttl: u32, minimum: u32) -> Message {
        let mut answer = Message::query(0, Question { name: name("no.shop"), kind: Kind::A }, false).reply(rcode);
        let soa = Soa {
            primary: name("ns.shop"),
            mailbox: name("a.shop"),
            serial: 1,
            refresh: 1,
            retry: 1,
            expire: 1,
            minimum,
        };
        answer.authorities.push(Record { name: name("shop"), ttl, data: Data::Soa(soa) });
        answer
    }

    #[test]
    fn a_negative_answer_lives_for_the_smaller_of_soa_ttl_and_minimum() {
        for (ttl, minimum) in [(300, 60), (60, 300)] {
            let mut cache = Cache::new(10);
            cache.insert_negative(&name("no.shop"), Kind::A, &negative(Rcode::NxDomain, ttl, minimum), at(0));
            // No such name: not for any type.
            assert_eq!(ttl_of(cache.get(&name("no.shop"), Kind::Aaaa, at(59_000))), Some(1));
            assert_eq!(cache.get(&name("no.shop"), Kind::A, at(60_000)), None);
        }
        let mut cache = Cache::new(10);
        cache.insert_negative(&name("no.shop"), Kind::Aaaa, &negative(Rcode::NoError, 60, 60), at(0));
        assert_eq!(cache.get(&name("no.shop"), Kind::A, at(0)), None);
        assert_eq!(ttl_of(cache.get(&name("no.shop"), Kind::Aaaa, at(0))), Some(60));
        // The name turns up after all.
        cache.insert_negative(&name("no.shop"), Kind::A, &negative(Rcode::NxDomain, 60, 60), at(0));
        cache.insert(&[address("no.shop", 30)], at(1_000));
        assert_eq!(ttl_of(cache.get(&name("no.shop"), Kind::A, at(1_000))), Some(30));
    }

    #[test]
    fn aliases_are_followed_as_far_as_they_are_known_and_never_in_circles() {
        let alias = |from: &str, to: &str| Record { name: name(from), ttl: 60, data: Data::Cname(name(to)) };
        let mut cache = Cache::new(10);
        cache.insert(&[alias("www", "edge"), alias("edge", "pop"), address("pop", 20)], at(0));
        let followed = cache.follow(&name("www"), Kind::A, at(0));
        assert_eq!(followed.aliases, [alias("www", "edge"), alias("edge", "pop")]);
        assert_eq!(followed.known, Some(Known::Records(vec![address("pop", 20)])));
        let later = cache.follow(&name("www"), Kind::A, at(30_000));
        assert_eq!((later.name, later.known), (name("pop"), None));
        cache.insert(&[alias("a", "b"), alias("b", "a")], at(0));
        assert_eq!(cache.follow(&name("a"), Kind::A, at(0)).known, None);
    }

    #[test]
    fn it_is_bounded_and_what_would_expire_first_goes_first() {
        let mut cache = Cache::new(2);
        cache.insert(&[address("short", 10), address("long", 100), address("middle", 50)], at(0));
        assert_eq!(cache.len(), 2);
        assert_eq!(cache.get(&name("short"), Kind::A, at(0)), None);
        assert!(cache.get(&name("long"), Kind::A, at(0)).is_some());
        let mut nothing = Cache::new(0);
        nothing.insert(&[address("a", 10)], at(0));
        assert!(nothing.is_empty());
    }

    /// Under Poisson questions at rate L a set that lives for T is asked for L T times between two fetches: of 1 + L T
    /// questions L T are hits.
    #[test]
    fn the_hit_ratio_under_poisson_questions_is_lt_over_one_plus_lt() {
        for (ttl, want) in [(60_u32, 0.5), (300, 5.0 / 6.0), (30, 1.0 / 3.0)] {
            let mut cache = Cache::new(10);
            let mut rng = Rng::stream(1, "test/dns-cache");
            let (mut now, mut hits) = (Time::ZERO, 0);
            let questions = 60_000;
            for _ in 0..questions {
                now += Span::from_secs_f64(rng.exponential(60.0));
                if cache.get(&name("a"), Kind::A, now).is_some() {
                    hits += 1;
                } else {
                    cache.insert(&[address("a", ttl)], now);
                }
            }
            let ratio = f64::from(hits) / f64::from(questions);
            assert!((ratio - want).abs() < 0.01, "TTL {ttl}: {ratio}, want {want}");
        }
    }
}
