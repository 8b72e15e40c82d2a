//! Where a message ends: lengths, and the chunked coding (RFC 9112 6 and 7).

use super::head::{Fields, HeadError, Method, Request, Response};
use crate::wire::{Chunk, Payload};
use bytes::Bytes;

/// How the end of a body is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Framing {
    /// So many bytes; 0 is no body.
    Length(u64),
    /// In chunks, each with its size, until one of size 0.
    Chunked,
    /// Until the connection ends; responses only.
    UntilClose,
}

impl Request {
    /// How the end of this request's body is known (RFC 9112 6.3).
    pub fn framing(&self) -> Result<Framing, HeadError> {
        Ok(framing(&self.fields)?.unwrap_or(Framing::Length(0)))
    }
}

impl Response {
    /// How the end of this response's body is known, given what was asked (RFC 9112 6.3).
    pub fn framing(&self, asked: Method) -> Result<Framing, HeadError> {
        let bodiless = asked == Method::Head
            || matches!(self.status, 100..=199 | 204 | 304)
            || asked == Method::Connect && matches!(self.status, 200..=299);
        if bodiless {
            return Ok(Framing::Length(0));
        }
        Ok(framing(&self.fields)?.unwrap_or(Framing::UntilClose))
    }
}

/// What the fields say. A message with both a length and a transfer coding is refused: it is how requests are smuggled.
fn framing(fields: &Fields) -> Result<Option<Framing>, HeadError> {
    let mut lengths = fields.all("content-length").flat_map(|value| value.split(|&byte| byte == b','));
    let length = lengths.next().map(decimal).transpose()?;
    if lengths.any(|other| decimal(other).ok() != length) {
        return Err(HeadError::Length);
    }
    if fields.get("transfer-encoding").is_none() {
        return Ok(length.map(Framing::Length));
    }
    // The only coding that is known; it must be the last.
    let mut codings = fields.all("transfer-encoding");
    match (codings.next(), codings.next(), length) {
        (Some(coding), None, None) if coding.eq_ignore_ascii_case(b"chunked") => Ok(Some(Framing::Chunked)),
        _ => Err(HeadError::Length),
    }
}

fn decimal(text: &[u8]) -> Result<u64, HeadError> {
    let text = text.trim_ascii();
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return Err(HeadError::Length);
    }
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or(HeadError::Length)
}

/// One chunk of a chunked body: its size in hexadecimal, its bytes.
///
/// # Panics
/// If it is empty: that would end the body.
#[must_use]
pub fn chunk(data: Payload) -> Payload {
    assert!(!data.is_empty(), "an empty chunk is the end of the body");
    let mut framed = Payload::real(format!("{:x}\r\n", data.len()));
    framed.append(data);
    framed.push(Chunk::Real(Bytes::from_static(b"\r\n")));
    framed
}

/// The end of a chunked body, without trailer fields.
#[must_use]
pub fn last_chunk() -> Payload {
    Payload::real(&b"0\r\n\r\n"[..])
}

/// The size in a chunk's first line, its line end cut off; extensions are skipped (RFC 9112 7.1.1).
pub fn chunk_size(line: &[u8]) -> Result<u64, HeadError> {
    let digits = line.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii_end();
    if digits.is_empty() || digits.len() > 16 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err(HeadError::Chunk);
    }
    std::str::from_utf8(digits).ok().and_then(|text| u64::from_str_radix(text, 16).ok()).ok_or(HeadError::Chunk)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, fields: &[(&'static str, &'static str)]) -> Response {
        let mut response = Response::new(status);
        fields.iter().for_each(|&(name, value)| response.fields.push(name, value));
        response
    }

    #[test]
    fn the_end_of_a_body_follows_from_the_head_and_the_question() {
        let framing = |status, fields: &[_], asked| response(status, fields).framing(asked);
        let length = [("Content-Length", "10")];
        assert_eq!(framing(200, &length, Method::Get), Ok(Framing::Length(10)));
        assert_eq!(framing(200, &length, Method::Head), Ok(Framing::Length(0)));
        assert_eq!(framing(304, &length, Method::Get), Ok(Framing::Length(0)));
        assert_eq!(framing(200, &[("Transfer-Encoding", "Chunked")], Method::Get), Ok(Framing::Chunked));
        assert_eq!(framing(200, &[], Method::Get), Ok(Framing::UntilClose));
        assert_eq!(Request::new(Method::Get, "/").framing(), Ok(Framing::Length(0)));
    }

    #[test]
    fn lengths_that_contradict_each_other_are_refused() {
        let error = |fields: &[_]| response(200, fields).framing(Method::Get);
        assert_eq!(error(&[("Content-Length", "10"), ("Content-Length", "10")]), Ok(Framing::Length(10)));
        assert_eq!(error(&[("Content-Length", "10, 11")]), Err(HeadError::Length));
        assert_eq!(error(&[("Content-Length", "+1")]), Err(HeadError::Length));
        assert_eq!(error(&[("Content-Length", "18446744073709551616")]), Err(HeadError::Length));
        assert_eq!(error(&[("Content-Length", "1"), ("Transfer-Encoding", "chunked")]), Err(HeadError::Length));
        assert_eq!(error(&[("Transfer-Encoding", "gzip, chunked")]), Err(HeadError::Length));
    }

    #[test]
    fn chunk_sizes_are_hexadecimal() {
        assert_eq!(chunk(Payload::filler(26)).to_vec()[..4], *b"1a\r\n");
        assert_eq!(chunk_size(b"1A;name=value"), Ok(26));
        assert_eq!(chunk_size(b"ffffffffffffffff"), Ok(u64::MAX));
        for odd in [&b""[..], b"g", b"-1", b"10000000000000000", b" 1"] {
            assert_eq!(chunk_size(odd), Err(HeadError::Chunk));
        }
    }
}
