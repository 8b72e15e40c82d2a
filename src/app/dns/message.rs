//! A DNS message as data (RFC 1035 4).

use super::name::Name;
use bytes::Bytes;
use std::net::{Ipv4Addr, Ipv6Addr};

/// The type of a record or of a question.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// An IPv4 address.
    A,
    /// A name server of a zone.
    Ns,
    /// Another name for this one.
    Cname,
    /// Start of a zone of authority.
    Soa,
    /// Text.
    Txt,
    /// An IPv6 address (RFC 3596).
    Aaaa,
    /// Any other type by its number.
    Other(u16),
}

impl Kind {
    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::A => 1,
            Self::Ns => 2,
            Self::Cname => 5,
            Self::Soa => 6,
            Self::Txt => 16,
            Self::Aaaa => 28,
            Self::Other(code) => code,
        }
    }

    /// The type with this number.
    #[must_use]
    pub const fn from_code(code: u16) -> Self {
        match code {
            1 => Self::A,
            2 => Self::Ns,
            5 => Self::Cname,
            6 => Self::Soa,
            16 => Self::Txt,
            28 => Self::Aaaa,
            other => Self::Other(other),
        }
    }
}

/// Start of authority (RFC 1035 3.3.13); times in seconds.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Soa {
    /// The zone's primary name server.
    pub primary: Name,
    /// Mailbox of who is responsible.
    pub mailbox: Name,
    /// Version of the zone.
    pub serial: u32,
    /// How often secondaries ask.
    pub refresh: u32,
    /// How soon they ask again after a failure.
    pub retry: u32,
    /// After how long they stop answering.
    pub expire: u32,
    /// How long "no such name" may be remembered, with the record's own TTL as the other bound (RFC 2308 4).
    pub minimum: u32,
}

/// What a record says.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Data {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// A name server.
    Ns(Name),
    /// The canonical name.
    Cname(Name),
    /// Start of authority.
    Soa(Soa),
    /// Text, kept as its bytes on the wire.
    Txt(Bytes),
    /// Data of a type that is not taken apart.
    Opaque(u16, Bytes),
}

impl Data {
    /// The record's type.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::A(_) => Kind::A,
            Self::Aaaa(_) => Kind::Aaaa,
            Self::Ns(_) => Kind::Ns,
            Self::Cname(_) => Kind::Cname,
            Self::Soa(_) => Kind::Soa,
            Self::Txt(_) => Kind::Txt,
            Self::Opaque(code, _) => Kind::Other(*code),
        }
    }
}

/// A resource record of class IN.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Record {
    /// Whose it is.
    pub name: Name,
    /// How long it may be remembered, in seconds.
    pub ttl: u32,
    /// What it says.
    pub data: Data,
}

/// A question of class IN.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Question {
    /// About which name.
    pub name: Name,
    /// What is asked.
    pub kind: Kind,
}

/// How a question was received (RFC 1035 4.1.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Rcode {
    /// Fine.
    #[default]
    NoError,
    /// The server could not read the question.
    FormErr,
    /// The server failed.
    ServFail,
    /// No such name.
    NxDomain,
    /// The server does not do this.
    NotImp,
    /// The server does not want to.
    Refused,
    /// Another code, 6 to 15.
    Other(u8),
}

impl Rcode {
    /// The number on the wire, 0 to 15.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::NoError => 0,
            Self::FormErr => 1,
            Self::ServFail => 2,
            Self::NxDomain => 3,
            Self::NotImp => 4,
            Self::Refused => 5,
            Self::Other(code) => code & 15,
        }
    }

    /// The code with this number; only the low four bits count.
    #[must_use]
    pub const fn from_code(code: u8) -> Self {
        match code & 15 {
            0 => Self::NoError,
            1 => Self::FormErr,
            2 => Self::ServFail,
            3 => Self::NxDomain,
            4 => Self::NotImp,
            5 => Self::Refused,
            other => Self::Other(other),
        }
    }
}

/// Whether a message asks or answers, and how.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "the header's own flag bits, each with its name")]
pub struct Flags {
    /// QR: an answer.
    pub response: bool,
    /// AA: from the zone's own server.
    pub authoritative: bool,
    /// TC: cut off to fit; ask again over TCP.
    pub truncated: bool,
    /// RD: please ask others on my behalf.
    pub recursion_desired: bool,
    /// RA: I ask others on your behalf.
    pub recursion_available: bool,
    /// OPCODE, 0 to 15; 0 is a standard query.
    pub opcode: u8,
    /// RCODE.
    pub rcode: Rcode,
}

/// EDNS(0), the OPT pseudo-record without options (RFC 6891 6.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Edns {
    /// Largest UDP payload that the sender takes, in bytes.
    pub udp_size: u16,
}

impl Edns {
    /// What resolvers have offered since the DNS flag day 2020: 1,232 bytes.
    pub const DEFAULT: Self = Self { udp_size: 1232 };
}

/// A DNS message.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Message {
    /// Chosen by the asker, repeated by the answer.
    pub id: u16,
    /// Flags.
    pub flags: Flags,
    /// Questions; one in practice.
    pub questions: Vec<Question>,
    /// Answers.
    pub answers: Vec<Record>,
    /// Who is in charge: NS of a referral, SOA of a negative answer.
    pub authorities: Vec<Record>,
    /// What else may be of use: addresses of the name servers.
    pub additionals: Vec<Record>,
    /// EDNS(0), if the sender speaks it.
    pub edns: Option<Edns>,
}

impl Message {
    /// A question, with recursion wanted or not, that offers [`Edns::DEFAULT`].
    #[must_use]
    pub fn query(id: u16, question: Question, recursion_desired: bool) -> Self {
        let flags = Flags { recursion_desired, ..Flags::default() };
        Self { id, flags, questions: vec![question], edns: Some(Edns::DEFAULT), ..Self::default() }
    }

    /// An empty answer to this message: same id, first question, RD; EDNS if the question had it.
    #[must_use]
    pub fn reply(&self, rcode: Rcode) -> Self {
        let flags = Flags {
            response: true,
            recursion_desired: self.flags.recursion_desired,
            opcode: self.flags.opcode,
            rcode,
            ..Flags::default()
        };
        Self {
            id: self.id,
            flags,
            questions: self.questions.first().cloned().into_iter().collect(),
            edns: self.edns.map(|_| Edns::DEFAULT),
            ..Self::default()
        }
    }

    /// Bytes that an answer to this message may have over UDP: what EDNS offers, at least 512 (RFC 1035 4.2.1).
    #[must_use]
    pub fn udp_limit(&self) -> usize {
        self.edns.map_or(512, |edns| usize::from(edns.udp_size.max(512)))
    }

    /// Follows aliases in the answer from `name` on: the aliases passed, the name at their end, and its records of `kind`.
    #[must_use]
    pub fn follow(&self, name: &Name, kind: Kind) -> (Vec<Record>, Name, Vec<Record>) {
        let (mut aliases, mut name) = (Vec::new(), name.clone());
        loop {
            let found = |kind| self.answers.iter().filter(move |record| record.data.kind() == kind);
            let records: Vec<Record> = found(kind).filter(|record| record.name == name).cloned().collect();
            let alias = found(Kind::Cname).find(|record| record.name == name);
            match alias {
                // Each alias of an answer is passed once at most, so a circle ends.
                Some(alias) if records.is_empty() && aliases.len() < self.answers.len() => {
                    if let Data::Cname(target) = &alias.data {
                        name = target.clone();
                    }
                    aliases.push(alias.clone());
                }
                _ => return (aliases, name, records),
            }
        }
    }

    /// For how many seconds a negative answer may be remembered: the smaller of the SOA record's TTL and its MINIMUM field
    /// (RFC 2308 5); `None` without an SOA record.
    #[must_use]
    pub fn negative_ttl(&self) -> Option<u32> {
        self.authorities.iter().find_map(|record| match &record.data {
            Data::Soa(soa) => Some(record.ttl.min(soa.minimum)),
            _ => None,
        })
    }
}
