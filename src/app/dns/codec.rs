//! DNS messages to bytes and back (RFC 1035 4.1, RFC 6891), with compressed names (4.1.4) both ways.
//!
//! Not modelled: classes other than IN (an error), the AD and CD bits (read and forgotten), EDNS options and flags.

use super::message::{Data, Edns, Flags, Kind, Message, Question, Rcode, Record, Soa};
use super::name::{MAX_NAME, Name};
use crate::wire::Payload;
use bytes::Bytes;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

const CLASS_IN: u16 = 1;
const TYPE_OPT: u16 = 41;
/// Pointers have 14 bits.
const MAX_POINTER: usize = 0x3fff;
/// Largest message over any transport: TCP counts it in 16 bits (RFC 1035 4.2.2).
pub const MAX_MESSAGE: usize = 65_535;

/// Why bytes are no DNS message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DecodeError {
    /// The message ends in the middle of something.
    Short,
    /// Bytes follow the last record.
    Long,
    /// A label's length byte has a reserved form.
    Label,
    /// A compression pointer does not point backwards.
    Pointer,
    /// A name of more than 255 bytes.
    LongName,
    /// A class other than IN.
    Class,
    /// A record's data is longer or shorter than its length says.
    DataLength,
    /// An OPT record where none may be, or a second one.
    Opt,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Short => "the message ends too soon",
            Self::Long => "bytes follow the last record",
            Self::Label => "a label has a reserved form",
            Self::Pointer => "a compression pointer does not point backwards",
            Self::LongName => "a name is longer than 255 bytes",
            Self::Class => "a class other than IN",
            Self::DataLength => "a record's data and its length differ",
            Self::Opt => "a misplaced or second OPT record",
        })
    }
}

impl std::error::Error for DecodeError {}

impl Message {
    /// The message on the wire, at most `limit` bytes. One that does not fit is sent without its records and with TC set:
    /// the receiver asks again over TCP (RFC 2181 9).
    ///
    /// # Panics
    /// If not even the questions fit into `limit`: it is at least 512 everywhere in the protocol.
    #[must_use]
    pub fn encode(&self, limit: usize) -> Vec<u8> {
        let bytes = self.encode_whole();
        if bytes.len() <= limit.min(MAX_MESSAGE) {
            return bytes;
        }
        let cut = Self {
            id: self.id,
            flags: Flags { truncated: true, ..self.flags },
            questions: self.questions.clone(),
            edns: self.edns,
            ..Self::default()
        };
        let bytes = cut.encode_whole();
        assert!(bytes.len() <= limit, "a question of {} bytes does not fit into {limit}", bytes.len());
        bytes
    }

    fn encode_whole(&self) -> Vec<u8> {
        let mut writer = Writer { bytes: Vec::with_capacity(128), names: Vec::new() };
        writer.u16(self.id);
        writer.u16(self.flags.bits());
        writer.count(self.questions.len());
        writer.count(self.answers.len());
        writer.count(self.authorities.len());
        writer.count(self.additionals.len() + usize::from(self.edns.is_some()));
        for question in &self.questions {
            writer.name(&question.name);
            writer.u16(question.kind.code());
            writer.u16(CLASS_IN);
        }
        [&self.answers, &self.authorities, &self.additionals]
            .into_iter()
            .flatten()
            .for_each(|record| writer.record(record));
        if let Some(edns) = self.edns {
            writer.name(&Name::root());
            writer.u16(TYPE_OPT);
            writer.u16(edns.udp_size);
            writer.u32(0);
            writer.u16(0);
        }
        writer.bytes
    }

    /// The message in `bytes`. Never panics.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader { bytes, at: 0 };
        let id = reader.u16()?;
        let flags = Flags::from_bits(reader.u16()?);
        let counts = [reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?];
        let mut message = Self { id, flags, ..Self::default() };
        for _ in 0..counts[0] {
            let question = Question { name: reader.name()?, kind: Kind::from_code(reader.u16()?) };
            if reader.u16()? != CLASS_IN {
                return Err(DecodeError::Class);
            }
            message.questions.push(question);
        }
        for (count, section) in [(counts[1], &mut message.answers), (counts[2], &mut message.authorities)] {
            for _ in 0..count {
                match reader.record()? {
                    Entry::Record(record) => section.push(record),
                    Entry::Opt(_) => return Err(DecodeError::Opt),
                }
            }
        }
        for _ in 0..counts[3] {
            match reader.record()? {
                Entry::Record(record) => message.additionals.push(record),
                Entry::Opt(edns) if message.edns.is_none() => message.edns = Some(edns),
                Entry::Opt(_) => return Err(DecodeError::Opt),
            }
        }
        if reader.at == bytes.len() { Ok(message) } else { Err(DecodeError::Long) }
    }
}

impl Message {
    /// The message as the data of a datagram of at most `limit` bytes.
    #[must_use]
    pub fn to_payload(&self, limit: usize) -> Payload {
        Payload::real(self.encode(limit))
    }

    /// The message in a datagram's data. Never panics.
    pub fn from_payload(payload: &Payload) -> Result<Self, DecodeError> {
        Self::decode(&payload.real_prefix())
    }
}

impl Flags {
    fn bits(self) -> u16 {
        u16::from(self.response) << 15
            | u16::from(self.opcode & 15) << 11
            | u16::from(self.authoritative) << 10
            | u16::from(self.truncated) << 9
            | u16::from(self.recursion_desired) << 8
            | u16::from(self.recursion_available) << 7
            | u16::from(self.rcode.code())
    }

    const fn from_bits(bits: u16) -> Self {
        let [high, low] = bits.to_be_bytes();
        Self {
            response: high & 0x80 != 0,
            opcode: high >> 3 & 15,
            authoritative: high & 4 != 0,
            truncated: high & 2 != 0,
            recursion_desired: high & 1 != 0,
            recursion_available: low & 0x80 != 0,
            rcode: Rcode::from_code(low),
        }
    }
}

struct Writer {
    bytes: Vec<u8>,
    /// Where names (and their ends) have been written: what a pointer can point to.
    names: Vec<(Name, u16)>,
}

impl Writer {
    fn u16(&mut self, value: u16) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    fn count(&mut self, n: usize) {
        self.u16(u16::try_from(n).expect("a section has fewer than 65,536 records"));
    }

    /// Writes a name; the longest end of it that has been written before becomes a pointer.
    fn name(&mut self, name: &Name) {
        let mut rest = name.clone();
        while let Some(parent) = rest.parent() {
            if let Some((_, at)) = self.names.iter().find(|(known, _)| *known == rest) {
                self.u16(0xc000 | at);
                return;
            }
            if self.bytes.len() <= MAX_POINTER {
                #[expect(clippy::cast_possible_truncation, reason = "at most 14 bits")]
                self.names.push((rest.clone(), self.bytes.len() as u16));
            }
            let label = usize::from(rest.wire()[0]) + 1;
            self.bytes.extend_from_slice(&rest.wire()[..label]);
            rest = parent;
        }
        self.bytes.push(0);
    }

    fn record(&mut self, record: &Record) {
        self.name(&record.name);
        self.u16(record.data.kind().code());
        self.u16(CLASS_IN);
        self.u32(record.ttl);
        let length_at = self.bytes.len();
        self.u16(0);
        match &record.data {
            Data::A(addr) => self.bytes.extend_from_slice(&addr.octets()),
            Data::Aaaa(addr) => self.bytes.extend_from_slice(&addr.octets()),
            Data::Ns(name) | Data::Cname(name) => self.name(name),
            Data::Soa(soa) => {
                self.name(&soa.primary);
                self.name(&soa.mailbox);
                [soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum].into_iter().for_each(|n| self.u32(n));
            }
            Data::Txt(data) | Data::Opaque(_, data) => self.bytes.extend_from_slice(data),
        }
        let len = u16::try_from(self.bytes.len() - length_at - 2).expect("a record's data has at most 65,535 bytes");
        self.bytes[length_at..length_at + 2].copy_from_slice(&len.to_be_bytes());
    }
}

enum Entry {
    Record(Record),
    Opt(Edns),
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], DecodeError> {
        let taken = self.bytes.get(self.at..).and_then(|rest| rest.get(..n)).ok_or(DecodeError::Short)?;
        self.at += n;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        self.take(N)?.try_into().map_err(|_| DecodeError::Short)
    }

    fn u16(&mut self) -> Result<u16, DecodeError> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    fn u32(&mut self) -> Result<u32, DecodeError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    fn name(&mut self) -> Result<Name, DecodeError> {
        let (name, after) = read_name(self.bytes, self.at)?;
        self.at = after;
        Ok(name)
    }

    fn record(&mut self) -> Result<Entry, DecodeError> {
        let name = self.name()?;
        let code = self.u16()?;
        let class = self.u16()?;
        let ttl = self.u32()?;
        let len = usize::from(self.u16()?);
        if code == TYPE_OPT {
            self.take(len)?;
            return if name.is_root() { Ok(Entry::Opt(Edns { udp_size: class })) } else { Err(DecodeError::Opt) };
        }
        if class != CLASS_IN {
            return Err(DecodeError::Class);
        }
        // RFC 2181 8: a TTL with its top bit set counts as zero.
        let ttl = if ttl > i32::MAX.unsigned_abs() { 0 } else { ttl };
        let end = self.at + len;
        if end > self.bytes.len() {
            return Err(DecodeError::Short);
        }
        let data = self.data(Kind::from_code(code), len)?;
        if self.at == end { Ok(Entry::Record(Record { name, ttl, data })) } else { Err(DecodeError::DataLength) }
    }

    fn data(&mut self, kind: Kind, len: usize) -> Result<Data, DecodeError> {
        Ok(match kind {
            Kind::A => Data::A(Ipv4Addr::from(self.array::<4>()?)),
            Kind::Aaaa => Data::Aaaa(Ipv6Addr::from(self.array::<16>()?)),
            Kind::Ns => Data::Ns(self.name()?),
            Kind::Cname => Data::Cname(self.name()?),
            Kind::Soa => Data::Soa(Soa {
                primary: self.name()?,
                mailbox: self.name()?,
                serial: self.u32()?,
                refresh: self.u32()?,
                retry: self.u32()?,
                expire: self.u32()?,
                minimum: self.u32()?,
            }),
            Kind::Txt => Data::Txt(Bytes::copy_from_slice(self.take(len)?)),
            Kind::Other(code) => Data::Opaque(code, Bytes::copy_from_slice(self.take(len)?)),
        })
    }
}

/// The name at `start` and where what follows it begins. Each pointer must lead further back than everything read so far,
/// so the walk ends.
fn read_name(bytes: &[u8], start: usize) -> Result<(Name, usize), DecodeError> {
    let mut labels: Vec<&[u8]> = Vec::new();
    let (mut at, mut lowest, mut after, mut len) = (start, start, None, 1);
    loop {
        let first = *bytes.get(at).ok_or(DecodeError::Short)?;
        match first {
            0 => break,
            1..=63 => {
                let label = bytes.get(at + 1..at + 1 + usize::from(first)).ok_or(DecodeError::Short)?;
                len += label.len() + 1;
                if len > MAX_NAME {
                    return Err(DecodeError::LongName);
                }
                labels.push(label);
                at += 1 + label.len();
            }
            0xc0.. => {
                let second = *bytes.get(at + 1).ok_or(DecodeError::Short)?;
                let target = usize::from(u16::from_be_bytes([first & 0x3f, second]));
                if target >= lowest {
                    return Err(DecodeError::Pointer);
                }
                after.get_or_insert(at + 2);
                (at, lowest) = (target, target);
            }
            64..=0xbf => return Err(DecodeError::Label),
        }
    }
    let name = Name::from_labels(labels).ok_or(DecodeError::LongName)?;
    Ok((name, after.unwrap_or(at + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn address(owner: &str, last: u8) -> Record {
        Record { name: name(owner), ttl: 60, data: Data::A(Ipv4Addr::new(10, 0, 0, last)) }
    }

    #[test]
    fn a_question_is_what_resolvers_send() {
        let query = Message::query(0x1234, Question { name: name("shop.example"), kind: Kind::A }, true);
        #[rustfmt::skip]
        let want = [
            0x12, 0x34, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 1,
            4, b's', b'h', b'o', b'p', 7, b'e', b'x', b'a', b'm', b'p', b'l', b'e', 0, 0, 1, 0, 1,
            0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0,
        ];
        assert_eq!(query.encode(512), want);
        assert_eq!(Message::decode(&want), Ok(query));
    }

    #[test]
    fn names_written_before_become_pointers() {
        let query = Message::query(1, Question { name: name("www.shop.example"), kind: Kind::A }, true);
        let mut reply = query.reply(Rcode::NoError);
        reply.answers.push(Record {
            name: name("www.shop.example"),
            ttl: 60,
            data: Data::Cname(name("edge.shop.example")),
        });
        reply.answers.push(address("edge.shop.example", 1));
        let bytes = reply.encode(512);
        // Header 12, question 18 + 4, CNAME 2 + 10 + (5 + 2), A 2 + 10 + 4, OPT 11.
        assert_eq!(bytes.len(), 12 + 22 + 19 + 16 + 11);
        assert_eq!(Message::decode(&bytes), Ok(reply));
    }

    #[test]
    fn what_does_not_fit_is_cut_and_says_so() {
        let query = Message::query(1, Question { name: name("shop.example"), kind: Kind::A }, true);
        let mut reply = query.reply(Rcode::NoError);
        reply.answers = (0..100).map(|last| address("shop.example", last)).collect();
        let whole = reply.encode(MAX_MESSAGE);
        assert_eq!(reply.encode(whole.len()), whole);
        let cut = Message::decode(&reply.encode(whole.len() - 1)).unwrap();
        assert!(cut.flags.truncated && cut.answers.is_empty() && cut.questions == reply.questions);
    }

    #[test]
    fn pointers_must_lead_back() {
        let mut to_itself = vec![0; 12];
        to_itself[5] = 1;
        to_itself.extend([0xc0, 12, 0, 1, 0, 1]);
        assert_eq!(Message::decode(&to_itself), Err(DecodeError::Pointer));
        // A label, then a pointer to that label: round and round.
        let mut circle = vec![0; 12];
        circle[5] = 1;
        circle.extend([1, b'a', 0xc0, 12, 0, 1, 0, 1]);
        assert_eq!(Message::decode(&circle), Err(DecodeError::Pointer));
    }

    #[test]
    fn a_name_that_grows_through_pointers_is_bounded() {
        let mut bytes = vec![0; 12];
        bytes[5] = 5;
        let mut last = None;
        for _ in 0..5 {
            let at = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
            bytes.push(63);
            bytes.extend([b'x'; 63]);
            match last {
                None => bytes.push(0),
                Some(before) => bytes.extend([0xc0, before]),
            }
            bytes.extend([0, 1, 0, 1]);
            last = Some(at);
        }
        assert_eq!(Message::decode(&bytes), Err(DecodeError::LongName));
    }

    #[test]
    fn a_top_bit_in_a_ttl_means_zero() {
        let mut reply = Message::default();
        reply.answers.push(Record { ttl: 1 << 31, ..address("a", 1) });
        reply.answers.push(Record { ttl: (1 << 31) - 1, ..address("a", 1) });
        let read = Message::decode(&reply.encode(512)).unwrap();
        assert_eq!([read.answers[0].ttl, read.answers[1].ttl], [0, (1 << 31) - 1]);
    }

    fn any_name() -> impl Strategy<Value = Name> {
        // Few letters, so that names share their ends and are compressed.
        vec("[a-c]{1,3}", 0..5).prop_map(|labels| name(&labels.join(".")))
    }

    fn any_data() -> impl Strategy<Value = Data> {
        let soa = (any_name(), any_name(), any::<[u32; 5]>()).prop_map(|(primary, mailbox, numbers)| {
            let [serial, refresh, retry, expire, minimum] = numbers;
            Data::Soa(Soa { primary, mailbox, serial, refresh, retry, expire, minimum })
        });
        prop_oneof![
            any::<[u8; 4]>().prop_map(|octets| Data::A(octets.into())),
            any::<[u8; 16]>().prop_map(|octets| Data::Aaaa(octets.into())),
            any_name().prop_map(Data::Ns),
            any_name().prop_map(Data::Cname),
            soa,
            vec(any::<u8>(), 0..40).prop_map(|bytes| Data::Txt(bytes.into())),
            (50..60_000_u16, vec(any::<u8>(), 0..40)).prop_map(|(code, bytes)| Data::Opaque(code, bytes.into())),
        ]
    }

    fn any_records() -> impl Strategy<Value = Vec<Record>> {
        let record = (any_name(), 0..1_u32 << 31, any_data()).prop_map(|(name, ttl, data)| Record { name, ttl, data });
        vec(record, 0..4)
    }

    fn any_message() -> impl Strategy<Value = Message> {
        let question =
            (any_name(), any::<u16>()).prop_map(|(name, code)| Question { name, kind: Kind::from_code(code) });
        (
            (any::<u16>(), any::<u16>(), vec(question, 0..2), proptest::option::of(any::<u16>())),
            (any_records(), any_records(), any_records()),
        )
            .prop_map(|((id, bits, questions, udp_size), (answers, authorities, additionals))| Message {
                id,
                flags: Flags::from_bits(bits),
                questions,
                answers,
                authorities,
                additionals,
                edns: udp_size.map(|udp_size| Edns { udp_size }),
            })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(message in any_message()) {
            prop_assert_eq!(Message::decode(&message.encode(MAX_MESSAGE)), Ok(message));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
            if let Ok(message) = Message::decode(&bytes) {
                prop_assert_eq!(Message::decode(&message.encode(MAX_MESSAGE)), Ok(message));
            }
        }

        /// Nearly right messages reach further into the parser than noise does.
        #[test]
        fn damaged_messages_never_panic(
            message in any_message(), cut in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), byte in any::<u8>()
        ) {
            let mut bytes = message.encode(MAX_MESSAGE);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            bytes.truncate(cut.index(bytes.len()) + 1);
            if let Ok(message) = Message::decode(&bytes) {
                prop_assert_eq!(Message::decode(&message.encode(MAX_MESSAGE)), Ok(message));
            }
        }
    }
}
