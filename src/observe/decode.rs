//! What real payload bytes say, in a few words: DNS messages and the first line of HTTP.

use std::net::Ipv4Addr;

/// A DNS message (RFC 1035 4) in a few words: `A? shop.example`, `A shop.example 10.0.0.3 ttl 60 s`, `no such name ...`.
/// `None` where the bytes are no DNS message.
pub(super) fn dns(bytes: &[u8]) -> Option<String> {
    let word = |at: usize| Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
    let (flags, questions, answers, authorities) = (word(2)?, word(4)?, word(6)?, word(8)?);
    if questions != 1 {
        return None;
    }
    let (name, at) = domain(bytes, 12)?;
    let kind = kind_name(word(at)?);
    if flags & 0x8000 == 0 {
        return Some(format!("{kind}? {name}"));
    }
    match flags & 0xf {
        0 => {}
        3 => return Some(format!("{kind} {name}: no such name")),
        2 => return Some(format!("{kind} {name}: server failed")),
        code => return Some(format!("{kind} {name}: error {code}")),
    }
    if flags & 0x0200 != 0 {
        return Some(format!("{kind} {name}: truncated"));
    }
    if answers == 0 {
        // A referral names servers, an empty answer the zone's start of authority.
        let below = (authorities > 0).then(|| domain(bytes, at + 4)).flatten();
        let below = below.filter(|&(_, fixed)| word(fixed) == Some(2));
        return Some(match below {
            Some((zone, _)) => format!("{kind} {name}: referral to the servers of {zone}"),
            None => format!("{kind} {name}: no data"),
        });
    }
    let records = records(bytes, at + 4, answers)?;
    let ttl = records.iter().map(|(_, ttl)| ttl).min()?;
    let data: Vec<&str> = records.iter().map(|(data, _)| data.as_str()).collect();
    Some(format!("{kind} {name} {} ttl {ttl} s", data.join(" ")))
}

/// The data and TTL of `count` resource records from `at` on.
fn records(bytes: &[u8], mut at: usize, count: u16) -> Option<Vec<(String, u32)>> {
    let mut found = Vec::new();
    for _ in 0..count {
        let (_, fixed) = domain(bytes, at)?;
        let head: &[u8; 10] = bytes.get(fixed..fixed + 10)?.try_into().ok()?;
        let kind = u16::from_be_bytes([head[0], head[1]]);
        let ttl = u32::from_be_bytes([head[4], head[5], head[6], head[7]]);
        let len = usize::from(u16::from_be_bytes([head[8], head[9]]));
        let data = bytes.get(fixed + 10..fixed + 10 + len)?;
        let text = match (kind, data) {
            (1, &[a, b, c, d]) => Ipv4Addr::new(a, b, c, d).to_string(),
            (2 | 5, _) => format!("{} {}", kind_name(kind), domain(bytes, fixed + 10)?.0),
            _ => kind_name(kind),
        };
        found.push((text, ttl));
        at = fixed + 10 + len;
    }
    Some(found)
}

/// The domain name at `at` and the place behind it; follows compression pointers (RFC 1035 4.1.4), backwards only.
fn domain(bytes: &[u8], mut at: usize) -> Option<(String, usize)> {
    let mut name = String::new();
    let mut behind = None;
    loop {
        match usize::from(*bytes.get(at)?) {
            0 => {
                let name = if name.is_empty() { ".".to_owned() } else { name };
                return Some((name, behind.unwrap_or(at + 1)));
            }
            high if high >= 0xc0 => {
                let target = (high & 0x3f) << 8 | usize::from(*bytes.get(at + 1)?);
                behind = behind.or(Some(at + 2));
                if target >= at {
                    return None;
                }
                at = target;
            }
            len if len < 0x40 => {
                let label = bytes.get(at + 1..at + 1 + len)?;
                if !name.is_empty() {
                    name.push('.');
                }
                name.push_str(&String::from_utf8_lossy(label));
                if name.len() > 255 {
                    return None;
                }
                at += 1 + len;
            }
            _ => return None,
        }
    }
}

fn kind_name(kind: u16) -> String {
    match kind {
        1 => "A".into(),
        2 => "NS".into(),
        5 => "CNAME".into(),
        6 => "SOA".into(),
        28 => "AAAA".into(),
        other => format!("type {other}"),
    }
}

/// The start line of an HTTP/1 message (RFC 9112 2.1) without the version, if the bytes begin with one.
pub(super) fn http(bytes: &[u8]) -> Option<String> {
    let end = bytes.iter().take(2048).position(|&byte| byte == b'\r' || byte == b'\n')?;
    let line = std::str::from_utf8(&bytes[..end]).ok()?;
    let versions = ["HTTP/1.1", "HTTP/1.0"];
    let bare = versions.iter().find_map(|version| line.strip_prefix(version).or_else(|| line.strip_suffix(version)))?;
    Some(bare.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUESTION: &[u8] = b"\x04shop\x07example\x00\x00\x01\x00\x01";

    #[test]
    fn dns_messages_read_as_questions_and_answers() {
        let message = |flags: [u8; 2], answers: u8, rest: &[u8]| {
            let head = [0x12, 0x34, flags[0], flags[1], 0, 1, 0, answers, 0, 0, 0, 0];
            dns(&[&head, QUESTION, rest].concat())
        };
        assert_eq!(message([1, 0], 0, b"").unwrap(), "A? shop.example");
        // The answer's name is a pointer to the question's.
        let answer = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x0a\x00\x00\x03";
        assert_eq!(message([0x81, 0x80], 1, answer).unwrap(), "A shop.example 10.0.0.3 ttl 60 s");
        assert_eq!(message([0x81, 0x83], 0, b"").unwrap(), "A shop.example: no such name");
        assert_eq!(message([0x81, 0x80], 0, b"").unwrap(), "A shop.example: no data");
    }

    #[test]
    fn nonsense_is_no_dns_message() {
        assert_eq!(dns(b""), None);
        assert_eq!(dns(&[0; 12]), None);
        // A pointer to itself.
        assert_eq!(dns(b"\0\0\0\0\0\x01\0\0\0\0\0\0\xc0\x0c\0\x01\0\x01"), None);
        // Cut off inside the answer.
        let head = [0, 0, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0];
        assert_eq!(dns(&[&head, QUESTION, b"\xc0\x0c\x00\x01"].concat()), None);
    }

    #[test]
    fn http_start_lines_are_recognised() {
        assert_eq!(http(b"GET /item HTTP/1.1\r\nHost: x\r\n").unwrap(), "GET /item");
        assert_eq!(http(b"HTTP/1.1 200 OK\r\n").unwrap(), "200 OK");
        assert_eq!(http(b"GET /item HTTP/1.1"), None);
        assert_eq!(http(b"\0\0\0\0\r\n"), None);
    }
}
