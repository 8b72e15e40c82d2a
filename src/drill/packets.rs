//! Packet lines: `[ecn] FLAGS SEQ:END(LEN) [ack N] [win N] [<options>]`.

use super::cursor::Cursor;
use super::script::Problem;
use super::stack::COOKIE;
use crate::wire::{Ecn, FastOpen, Flags};

/// A packet as a script writes it: numbers relative to initial sequence numbers that the script does not know.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Packet {
    pub(super) flags: Flags,
    pub(super) seq: u32,
    /// Payload bytes.
    pub(super) len: u32,
    pub(super) ack: Option<u32>,
    /// The raw window field.
    pub(super) window: Option<u16>,
    pub(super) ecn: Option<Ecn>,
    /// `None`: not compared.
    pub(super) options: Option<Options>,
}

/// TCP options as a script writes them; padding and order are not kept.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Options {
    pub(super) mss: Option<u16>,
    pub(super) window_scale: Option<u8>,
    pub(super) sack_permitted: bool,
    pub(super) timestamps: Option<(u32, u32)>,
    pub(super) sack: Vec<(u32, u32)>,
    pub(super) fast_open: FastOpen,
}

/// Reads a packet behind its direction.
pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Packet, Problem> {
    let mut packet = Packet { ecn: ecn(cursor)?, ..Packet::default() };
    packet.flags = flags(cursor)?;
    packet.seq = cursor.number32()?;
    cursor.need(":")?;
    let end = cursor.number32()?;
    cursor.need("(")?;
    packet.len = cursor.number32()?;
    if packet.seq.wrapping_add(packet.len) != end {
        return Err(cursor.expected("a length that is the distance of the two sequence numbers"));
    }
    cursor.need(")")?;
    if cursor.eat_word("ack") {
        packet.ack = Some(cursor.number32()?);
    }
    if cursor.eat_word("win") {
        let window = cursor.number32()?;
        packet.window = Some(u16::try_from(window).map_err(|_| cursor.expected("a window of 16 bits"))?);
    }
    if cursor.eat_word("urg") {
        return Err(cursor.unsupported("urgent data"));
    }
    packet.options = Some(Options::default());
    // On the same line only: `<` on the next line would be a packet without a time, which there is not.
    if cursor.eat("<") {
        packet.options = options(cursor)?;
    }
    Ok(packet)
}

fn ecn(cursor: &mut Cursor<'_>) -> Result<Option<Ecn>, Problem> {
    let close = match () {
        () if cursor.eat("[") => "]",
        () if cursor.eat("(") => ")",
        () => return Ok(None),
    };
    let ecn = match cursor.word() {
        "ect0" => Ecn::Ect0,
        "ect1" => Ecn::Ect1,
        "ce" => Ecn::CongestionExperienced,
        "noecn" => Ecn::NotCapable,
        other => return Err(cursor.unsupported(format!("`{other}` about the IP header"))),
    };
    cursor.need(close)?;
    Ok(Some(ecn))
}

fn flags(cursor: &mut Cursor<'_>) -> Result<Flags, Problem> {
    cursor.at_end();
    let start = *cursor;
    let letters = cursor.take_while(|c| !c.is_whitespace());
    let protocol = letters.trim_start_matches('[');
    if ["icmp", "icmpv6", "udp", "udplite", "sctp", "ipv4", "ipv6", "gre", "mpls"].contains(&protocol) {
        return Err(start.unsupported(format!("a packet of {protocol}")));
    }
    let mut flags = Flags::default();
    for letter in letters.chars() {
        flags = flags
            | match letter {
                'S' => Flags::SYN,
                'F' => Flags::FIN,
                'R' => Flags::RST,
                'P' => Flags::PSH,
                '.' => Flags::ACK,
                'E' => Flags::ECE,
                'W' => Flags::CWR,
                '-' => Flags::default(),
                _ => return Err(start.unsupported(format!("the TCP flags `{letters}`"))),
            };
    }
    Ok(flags)
}

fn options(cursor: &mut Cursor<'_>) -> Result<Option<Options>, Problem> {
    if cursor.eat("...") {
        cursor.need(">")?;
        return Ok(None);
    }
    let mut options = Options::default();
    loop {
        let start = *cursor;
        match cursor.word() {
            "mss" => options.mss = Some(narrow(cursor, "an MSS of 16 bits")?),
            "wscale" => options.window_scale = Some(narrow(cursor, "a window scale")?),
            "sackOK" => options.sack_permitted = true,
            "nop" | "eol" => {}
            "sack" => {
                cursor.at_end();
                while cursor.rest().starts_with(|c: char| c.is_ascii_digit()) {
                    let left = cursor.number32()?;
                    cursor.need(":")?;
                    options.sack.push((left, cursor.number32()?));
                    cursor.at_end();
                }
                if options.sack.is_empty() || options.sack.len() > 4 {
                    return Err(start.expected("one to four SACK blocks"));
                }
            }
            "TS" => {
                if !cursor.eat_word("val") {
                    return Err(cursor.expected("`val`"));
                }
                let value = cursor.number32()?;
                if !cursor.eat_word("ecr") {
                    return Err(cursor.expected("`ecr`"));
                }
                options.timestamps = Some((value, cursor.number32()?));
            }
            "FO" => options.fast_open = fast_open(cursor)?,
            other => return Err(start.unsupported(format!("the TCP option `{other}`"))),
        }
        if !cursor.eat(",") {
            cursor.need(">")?;
            return Ok(Some(options));
        }
    }
}

/// `FO` asks for a cookie, `FO TFO_COOKIE` shows ours, `FO 0123456789abcdef` another one.
fn fast_open(cursor: &mut Cursor<'_>) -> Result<FastOpen, Problem> {
    cursor.at_end();
    let start = *cursor;
    let digits = cursor.take_while(|c| c.is_ascii_alphanumeric() || c == '_');
    match digits {
        "" => Ok(FastOpen::Request),
        "TFO_COOKIE" => Ok(FastOpen::Cookie(COOKIE)),
        _ if digits.len() == 16 => match u64::from_str_radix(digits, 16) {
            Ok(cookie) => Ok(FastOpen::Cookie(cookie.to_be_bytes())),
            Err(_) => Err(start.expected("a cookie in hexadecimal digits")),
        },
        _ => Err(start.unsupported("a cookie that has not eight bytes")),
    }
}

fn narrow<T: TryFrom<u32>>(cursor: &mut Cursor<'_>, what: &str) -> Result<T, Problem> {
    let number = cursor.number32()?;
    T::try_from(number).map_err(|_| cursor.expected(what))
}
