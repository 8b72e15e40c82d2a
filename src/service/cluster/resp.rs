//! RESP, the protocol of Redis clients: arrays of strings one way, values the other ("RESP protocol description", version 2).
//!
//! Keys, names and errors are real bytes; the values of keys are counted filler.

use crate::host::{NetError, TcpStream};
use crate::trace::Arrival;
use crate::wire::Payload;
use bytes::Bytes;

/// Longest line, and most elements of an array, that are read.
const MAX_LINE: usize = 1_024;
const MAX_ITEMS: usize = 4_096;

/// A value on the wire.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Value {
    /// `+OK`
    Simple(Bytes),
    /// `-MOVED 3999 10.0.0.3:6379`
    Error(Bytes),
    /// `:42`
    Integer(u64),
    /// `$3 foo`: bytes, real or filler.
    Bulk(Payload),
    /// `$-1`: nothing.
    Nil,
    /// `*2 ..`
    Array(Vec<Value>),
}

impl Value {
    pub(super) fn text(text: impl Into<Bytes>) -> Self {
        Self::Bulk(Payload::real(text))
    }

    pub(super) fn ok() -> Self {
        Self::Simple(Bytes::from_static(b"OK"))
    }

    /// The real bytes of a string.
    pub(super) fn as_text(&self) -> Option<Bytes> {
        match self {
            Self::Bulk(payload) => Some(payload.real_prefix()),
            Self::Simple(text) => Some(text.clone()),
            _ => None,
        }
    }

    pub(super) fn encode(&self) -> Payload {
        let mut payload = Payload::empty();
        self.append(&mut payload);
        payload
    }

    fn append(&self, into: &mut Payload) {
        let line = |mark: char, text: &[u8]| {
            let mut line = vec![mark as u8];
            line.extend_from_slice(text);
            line.extend_from_slice(b"\r\n");
            Payload::real(line)
        };
        match self {
            Self::Simple(text) => into.append(line('+', text)),
            Self::Error(text) => into.append(line('-', text)),
            Self::Integer(number) => into.append(line(':', number.to_string().as_bytes())),
            Self::Nil => into.append(line('$', b"-1")),
            Self::Bulk(payload) => {
                into.append(line('$', payload.len().to_string().as_bytes()));
                into.append(payload.clone());
                into.append(Payload::real(&b"\r\n"[..]));
            }
            Self::Array(items) => {
                into.append(line('*', items.len().to_string().as_bytes()));
                items.iter().for_each(|item| item.append(into));
            }
        }
    }

    /// Takes the first value out of `from`; `None` as long as it is not whole, an error if it never will be.
    fn take(from: &mut Payload) -> Result<Option<Self>, NetError> {
        let Some(line) = take_line(from)? else { return Ok(None) };
        let (&mark, rest) = line.split_first().ok_or(NetError::Closed)?;
        let number = || std::str::from_utf8(rest).ok().and_then(|digits| digits.parse::<u64>().ok());
        Ok(Some(match mark {
            b'+' => Self::Simple(line.slice(1..)),
            b'-' => Self::Error(line.slice(1..)),
            b':' => Self::Integer(number().ok_or(NetError::Closed)?),
            b'$' if rest == b"-1" => Self::Nil,
            b'$' => {
                let len = number().ok_or(NetError::Closed)?;
                if from.len() < len.saturating_add(2) {
                    return Ok(None);
                }
                let bulk = from.split_to(len);
                drop(from.split_to(2));
                Self::Bulk(bulk)
            }
            b'*' => {
                let count = number().and_then(|count| usize::try_from(count).ok()).filter(|&count| count <= MAX_ITEMS);
                let mut items = Vec::new();
                for _ in 0..count.ok_or(NetError::Closed)? {
                    let Some(item) = Self::take(from)? else { return Ok(None) };
                    items.push(item);
                }
                Self::Array(items)
            }
            _ => return Err(NetError::Closed),
        }))
    }
}

fn take_line(from: &mut Payload) -> Result<Option<Bytes>, NetError> {
    let real = from.real_prefix();
    let Some(at) = real.windows(2).position(|pair| pair == b"\r\n") else {
        let hopeless = real.len() > MAX_LINE || (real.len() as u64) < from.len();
        return if hopeless { Err(NetError::Closed) } else { Ok(None) };
    };
    drop(from.split_to(at as u64 + 2));
    Ok(Some(real.slice(..at)))
}

/// The reading side of a connection.
#[derive(Debug, Default)]
pub(super) struct Reader {
    buffer: Payload,
    arrival: Arrival,
}

impl Reader {
    /// The way of the last byte read.
    pub(super) const fn arrival(&self) -> Arrival {
        self.arrival
    }

    /// The next value; [`NetError::Closed`] at the end of the stream, and where the peer speaks something else.
    pub(super) async fn value(&mut self, stream: &TcpStream) -> Result<Value, NetError> {
        loop {
            let mut rest = self.buffer.clone();
            if let Some(value) = Value::take(&mut rest)? {
                self.buffer = rest;
                return Ok(value);
            }
            let (more, arrival) = stream.read(1 << 20).await?;
            if more.is_empty() {
                return Err(NetError::Closed);
            }
            self.arrival = arrival;
            self.buffer.append(more);
        }
    }
}

/// A command: its name and arguments, the last of them a value of `filler` bytes if there are any.
pub(super) fn command(words: &[&[u8]], filler: Option<u64>) -> Payload {
    let mut items: Vec<Value> = words.iter().map(|word| Value::text(Bytes::copy_from_slice(word))).collect();
    items.extend(filler.map(|bytes| Value::Bulk(Payload::filler(bytes))));
    Value::Array(items).encode()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(mut payload: Payload) -> Option<Value> {
        let value = Value::take(&mut payload).unwrap();
        assert!(value.is_none() || payload.is_empty());
        value
    }

    #[test]
    fn values_are_the_bytes_of_the_specification() {
        let bytes = command(&[b"GET", b"key"], None).to_vec();
        assert_eq!(bytes, b"*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n");
        let set = command(&[b"SET", b"key"], Some(3)).to_vec();
        assert_eq!(set, b"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$3\r\n\0\0\0\r\n");
        assert_eq!(Value::Nil.encode().to_vec(), b"$-1\r\n");
        assert_eq!(Value::ok().encode().to_vec(), b"+OK\r\n");
    }

    #[test]
    fn what_is_written_is_read_wherever_it_is_cut() {
        let value = Value::Array(vec![
            Value::Integer(12),
            Value::Nil,
            Value::Array(vec![Value::text("a"), Value::Error(Bytes::from_static(b"MOVED 1 x"))]),
            Value::Bulk(Payload::filler(5_000)),
        ]);
        let whole = value.encode();
        for cut in (0..whole.len()).step_by(7) {
            assert_eq!(parse(whole.slice(0, cut)), None, "{cut}");
        }
        assert_eq!(parse(whole), Some(value));
        assert!(Value::take(&mut Payload::real(&b"HTTP/1.1 200\r\n"[..])).is_err());
        assert!(Value::take(&mut Payload::filler(3)).is_err());
    }
}
