//! An authoritative name server: answers for its zones and refuses everything else.

use super::answers::{Answers, Health, Watched};
use super::dns_stream::{self, Answerer};
use super::resolver::overridden;
use crate::app::dns::{Data, Kind, Message, Name, Question, Rcode, Record, Soa};
use crate::base::Rng;
use crate::host::{Dns, Host};
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use std::cell::RefCell;
use std::net::Ipv4Addr;
use std::rc::Rc;

/// In which order several records of one name and type are given.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Rotation {
    /// As configured, each answer starting one further on.
    #[default]
    Cyclic,
    /// As configured, always.
    Fixed,
    /// Shuffled for each answer.
    Random,
}

/// A zone.
#[derive(Clone, PartialEq, Debug)]
pub struct Zone {
    /// The name at its top.
    pub apex: Name,
    /// Its start of authority.
    pub soa: Soa,
    /// TTL of the SOA record in seconds.
    pub soa_ttl: u32,
    /// Its records other than the SOA, in the order of answering. NS records below the apex delegate; address records at or
    /// below a delegation are its glue.
    pub records: Vec<Record>,
    /// Order of several records of one name.
    pub rotation: Rotation,
    /// Which of several addresses are given.
    pub answers: Answers,
    /// Checks of its addresses.
    pub watched: Option<Watched>,
}

impl Zone {
    /// A zone without records that lets "no such name" be remembered for `negative_ttl` seconds. The times for secondary
    /// servers, which nothing here reads, are those that RIPE-203 recommends.
    #[must_use]
    pub fn new(apex: Name, primary: Name, negative_ttl: u32) -> Self {
        let mailbox = primary.clone();
        let soa = Soa {
            primary,
            mailbox,
            serial: 1,
            refresh: 86_400,
            retry: 7_200,
            expire: 3_600_000,
            minimum: negative_ttl,
        };
        Self {
            apex,
            soa,
            soa_ttl: negative_ttl,
            records: Vec::new(),
            rotation: Rotation::default(),
            answers: Answers::All,
            watched: None,
        }
    }
}

/// What an authoritative server serves.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// Port to listen on.
    pub port: u16,
    /// Its zones; of two that hold a name the deeper one answers.
    pub zones: Vec<Zone>,
}

impl Config {
    /// These zones on port 53.
    #[must_use]
    pub const fn new(zones: Vec<Zone>) -> Self {
        Self { port: 53, zones }
    }
}

/// Aliases followed inside one zone for one question.
const MAX_ALIASES: usize = 8;

/// The zones of a server and how far their rotations have come: all of it but the socket.
///
/// Not modelled: wildcards, zone transfers, DNSSEC.
pub struct Zones {
    all: Vec<Zone>,
    turns: IndexMap<(Name, Kind), usize, FxBuildHasher>,
    rng: Rng,
    /// Draws where answers go by weight.
    weights: Rng,
    /// What is known of the addresses of each zone.
    health: Vec<Option<Health>>,
}

impl Zones {
    /// These zones; `rng` shuffles where [`Rotation::Random`] asks for it, `weights` draws for [`Answers::Weighted`].
    #[must_use]
    pub fn new(zones: Vec<Zone>, rng: Rng, weights: Rng) -> Self {
        let health = zones.iter().map(|_| None).collect();
        Self { all: zones, turns: IndexMap::default(), rng, weights, health }
    }

    /// Starts the checks of all zones that want them.
    fn watch(&mut self, host: &Host) {
        for (zone, health) in self.all.iter().zip(&mut self.health) {
            *health = zone.watched.as_ref().map(|watched| Health::watch(host, &zone.apex.to_string(), watched));
        }
    }

    /// The answer to a question of `asker` (RFC 1034 4.3.2); `None` to what is itself an answer.
    pub fn answer(&mut self, query: &Message, asker: Ipv4Addr) -> Option<Message> {
        if query.flags.response {
            return None;
        }
        if query.flags.opcode != 0 {
            return Some(query.reply(Rcode::NotImp));
        }
        let [question] = &query.questions[..] else { return Some(query.reply(Rcode::FormErr)) };
        let holding = self.all.iter().enumerate().filter(|(_, zone)| question.name.is_within(&zone.apex));
        let Some((zone, _)) = holding.max_by_key(|(_, zone)| zone.apex.wire().len()) else {
            return Some(query.reply(Rcode::Refused));
        };
        let mut reply = query.reply(Rcode::NoError);
        self.fill(zone, question, asker, &mut reply);
        Some(reply)
    }

    fn fill(&mut self, index: usize, question: &Question, asker: Ipv4Addr, reply: &mut Message) {
        let mut name = question.name.clone();
        for _ in 0..=MAX_ALIASES {
            let zone = &self.all[index];
            if let Some(cut) = zone.cut_above(&name) {
                zone.refer(&cut, reply);
                return;
            }
            reply.flags.authoritative = true;
            let records = self.records(index, &name, question.kind, asker);
            if !records.is_empty() {
                reply.answers.extend(records);
                return;
            }
            let zone = &self.all[index];
            let Some(alias) = zone.at(&name, Kind::Cname).next() else {
                if !zone.exists(&name) {
                    reply.flags.rcode = Rcode::NxDomain;
                }
                reply.authorities.push(zone.negative_soa());
                return;
            };
            reply.answers.push(alias.clone());
            let Data::Cname(target) = &alias.data else { return };
            if !target.is_within(&zone.apex) {
                return;
            }
            name = target.clone();
        }
    }

    /// The records of a name and type in the order of this answer.
    fn records(&mut self, index: usize, name: &Name, kind: Kind, asker: Ipv4Addr) -> Vec<Record> {
        let zone = &self.all[index];
        if kind == Kind::Soa && *name == zone.apex {
            return vec![zone.soa_record(zone.soa_ttl)];
        }
        let mut records: Vec<Record> = zone.at(name, kind).cloned().collect();
        if kind == Kind::A && records.len() > 1 {
            records = zone.answers.choose(records, asker, self.health[index].as_ref(), &mut self.weights);
        }
        let len = records.len();
        if len < 2 {
            return records;
        }
        match zone.rotation {
            Rotation::Fixed => {}
            Rotation::Cyclic => {
                let turn = self.turns.entry((name.clone(), kind)).or_default();
                records.rotate_left(*turn % len);
                *turn = (*turn + 1) % len;
            }
            // Fisher and Yates.
            Rotation::Random => (1..len).rev().for_each(|last| {
                let other = usize::try_from(self.rng.below(last as u64 + 1)).unwrap_or(last);
                records.swap(last, other);
            }),
        }
        records
    }
}

impl Zone {
    fn at<'a>(&'a self, name: &'a Name, kind: Kind) -> impl Iterator<Item = &'a Record> {
        self.records.iter().filter(move |record| record.name == *name && record.data.kind() == kind)
    }

    /// Whether the name is there, if only because something is below it (RFC 8020).
    fn exists(&self, name: &Name) -> bool {
        *name == self.apex || self.records.iter().any(|record| record.name.is_within(name))
    }

    /// The topmost delegation at or above `name`.
    fn cut_above(&self, name: &Name) -> Option<Name> {
        let cuts = self.records.iter().filter(|record| {
            record.data.kind() == Kind::Ns && record.name != self.apex && name.is_within(&record.name)
        });
        cuts.map(|record| &record.name).min_by_key(|cut| cut.wire().len()).cloned()
    }

    /// Refers the asker to the servers of a delegated zone, with their addresses as far as they are known here.
    fn refer(&self, cut: &Name, reply: &mut Message) {
        reply.flags.authoritative = !reply.answers.is_empty();
        for server in self.at(cut, Kind::Ns) {
            if let Data::Ns(host) = &server.data {
                reply.additionals.extend(self.at(host, Kind::A).chain(self.at(host, Kind::Aaaa)).cloned());
            }
            reply.authorities.push(server.clone());
        }
    }

    fn soa_record(&self, ttl: u32) -> Record {
        Record { name: self.apex.clone(), ttl, data: Data::Soa(self.soa.clone()) }
    }

    /// The SOA of a negative answer: its TTL is how long that may be believed (RFC 2308 3).
    fn negative_soa(&self) -> Record {
        self.soa_record(self.soa_ttl.min(self.soa.minimum))
    }
}

/// Answers questions for ever. An answer goes at once: looking up a record costs no simulated time.
pub async fn run(host: Host, config: Config) {
    let Ok(socket) = host.udp(config.port).await else { return };
    let mut zones = Zones::new(config.zones, host.rng("authority"), host.rng("authority/weights"));
    zones.watch(&host);
    let (zones, machine) = (RefCell::new(zones), host.clone());
    let answer = Rc::new(move |query: &Message, asker| {
        let condition = machine.condition();
        match condition.dns {
            Dns::Silent => None,
            Dns::ServFail => Some(query.reply(Rcode::ServFail)),
            _ => zones.borrow_mut().answer(query, asker).map(|reply| overridden(reply, condition.ttl)),
        }
    });
    let same = Rc::clone(&answer);
    let over_tcp: Answerer = Rc::new(move |query, asker, _| {
        let reply = same(&query, asker);
        Box::pin(async move { reply })
    });
    drop(host.spawn(dns_stream::serve(host.clone(), config.port, over_tcp)));
    loop {
        let Ok(datagram) = socket.receive().await else { continue };
        let Ok(query) = Message::from_payload(&datagram.payload) else { continue };
        if let Some(reply) = answer(&query, *datagram.from.ip()) {
            socket.reply(&datagram, reply.to_payload(query.udp_limit()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn record(owner: &str, data: Data) -> Record {
        Record { name: name(owner), ttl: 60, data }
    }

    fn address(owner: &str, last: u8) -> Record {
        record(owner, Data::A(Ipv4Addr::new(10, 0, 0, last)))
    }

    fn shop() -> Zone {
        let mut zone = Zone::new(name("shop.example"), name("ns.shop.example"), 30);
        zone.records = vec![
            address("shop.example", 1),
            address("shop.example", 2),
            address("shop.example", 3),
            record("www.shop.example", Data::Cname(name("shop.example"))),
            record("cdn.shop.example", Data::Cname(name("edge.cdn.example"))),
            record("eu.shop.example", Data::Ns(name("ns.eu.shop.example"))),
            address("ns.eu.shop.example", 9),
            address("a.b.shop.example", 4),
        ];
        zone
    }

    fn zones(rotation: Rotation) -> Zones {
        let zone = Zone { rotation, ..shop() };
        Zones::new(
            vec![Zone::new(name("example"), name("ns.example"), 30), zone],
            Rng::stream(1, "test"),
            Rng::stream(1, "test/weights"),
        )
    }

    fn ask(zones: &mut Zones, text: &str, kind: Kind) -> Message {
        zones.answer(&Message::query(7, Question { name: name(text), kind }, false), Ipv4Addr::LOCALHOST).unwrap()
    }

    fn lasts(reply: &Message) -> Vec<u8> {
        let last = |record: &Record| match record.data {
            Data::A(addr) => Some(addr.octets()[3]),
            _ => None,
        };
        reply.answers.iter().filter_map(last).collect()
    }

    #[test]
    fn addresses_are_given_in_rotation() {
        let mut cyclic = zones(Rotation::Cyclic);
        let answers: Vec<_> = (0..4).map(|_| lasts(&ask(&mut cyclic, "shop.example", Kind::A))).collect();
        assert_eq!(answers, [[1, 2, 3], [2, 3, 1], [3, 1, 2], [1, 2, 3]]);
        let mut fixed = zones(Rotation::Fixed);
        assert!((0..4).all(|_| lasts(&ask(&mut fixed, "shop.example", Kind::A)) == [1, 2, 3]));
    }

    #[test]
    fn random_order_puts_each_first_equally_often() {
        let mut random = zones(Rotation::Random);
        let mut first = [0; 4];
        (0..3_000).for_each(|_| first[usize::from(lasts(&ask(&mut random, "shop.example", Kind::A))[0])] += 1);
        // 1,000 each; the standard deviation is 26.
        assert!(first[1..].iter().all(|count| (900..1_100).contains(count)), "{first:?}");
    }

    #[test]
    fn aliases_are_followed_inside_the_zone_only() {
        let mut zones = zones(Rotation::Fixed);
        let inside = ask(&mut zones, "www.shop.example", Kind::A);
        assert_eq!(inside.answers.len(), 4);
        assert_eq!(lasts(&inside), [1, 2, 3]);
        let outside = ask(&mut zones, "cdn.shop.example", Kind::A);
        assert_eq!(outside.answers, [record("cdn.shop.example", Data::Cname(name("edge.cdn.example")))]);
        assert_eq!(ask(&mut zones, "www.shop.example", Kind::Cname).answers.len(), 1);
    }

    #[test]
    fn negative_answers_carry_the_soa_with_the_time_they_may_be_believed() {
        let mut zones = zones(Rotation::Fixed);
        for (text, kind, rcode) in [
            ("no.shop.example", Kind::A, Rcode::NxDomain),
            ("shop.example", Kind::Aaaa, Rcode::NoError),
            // Nothing is at `b`, but something is below it.
            ("b.shop.example", Kind::A, Rcode::NoError),
        ] {
            let reply = ask(&mut zones, text, kind);
            assert_eq!((reply.flags.rcode, reply.answers.len()), (rcode, 0), "{text}");
            assert!(reply.flags.authoritative);
            assert_eq!(reply.negative_ttl(), Some(30));
            assert_eq!(reply.authorities[0].name, name("shop.example"));
        }
    }

    #[test]
    fn what_is_delegated_is_referred_with_glue() {
        let mut zones = zones(Rotation::Fixed);
        let reply = ask(&mut zones, "www.eu.shop.example", Kind::A);
        assert!(!reply.flags.authoritative && reply.answers.is_empty());
        assert_eq!(reply.authorities, [record("eu.shop.example", Data::Ns(name("ns.eu.shop.example")))]);
        assert_eq!(reply.additionals, [address("ns.eu.shop.example", 9)]);
    }

    #[test]
    fn what_is_not_ours_is_refused_and_what_is_odd_is_named() {
        let mut zones = zones(Rotation::Fixed);
        assert_eq!(ask(&mut zones, "elsewhere.org", Kind::A).flags.rcode, Rcode::Refused);
        let mut odd = Message::query(7, Question { name: name("shop.example"), kind: Kind::A }, false);
        odd.flags.opcode = 5;
        assert_eq!(zones.answer(&odd, Ipv4Addr::LOCALHOST).unwrap().flags.rcode, Rcode::NotImp);
        odd.flags.opcode = 0;
        odd.questions.clear();
        assert_eq!(zones.answer(&odd, Ipv4Addr::LOCALHOST).unwrap().flags.rcode, Rcode::FormErr);
        odd.flags.response = true;
        assert_eq!(zones.answer(&odd, Ipv4Addr::LOCALHOST), None);
    }
}
