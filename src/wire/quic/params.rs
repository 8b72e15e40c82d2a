//! Transport parameters (RFC 9000 18): what each end allows the other, told inside the TLS handshake.

use super::cid::{ConnectionId, ResetToken};
use super::reader::Reader;
use super::varint::{put, varint_len};
use super::{DecodeError, MAX_VARINT};
use crate::base::Span;
use crate::wire::Payload;

/// What one end tells. Defaults are those of an end that says nothing (RFC 9000 18.2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TransportParameters {
    /// The connection id of the client's first Initial, as the server saw it.
    pub original_dst: Option<ConnectionId>,
    /// The sender gives up after so long without a packet, in whole milliseconds; `None`: never.
    pub max_idle_timeout: Option<Span>,
    /// What a stateless reset ends with; told by servers.
    pub reset_token: Option<ResetToken>,
    /// Longest UDP payload that the sender takes, in bytes.
    pub max_udp_payload: u64,
    /// Stream bytes on the whole connection.
    pub max_data: u64,
    /// Bytes on each two-way stream that the sender of the parameters opens.
    pub max_stream_data_bidi_local: u64,
    /// Bytes on each two-way stream that their receiver opens.
    pub max_stream_data_bidi_remote: u64,
    /// Bytes on each one-way stream.
    pub max_stream_data_uni: u64,
    /// Two-way streams that the receiver may open.
    pub max_streams_bidi: u64,
    /// One-way streams that the receiver may open.
    pub max_streams_uni: u64,
    /// The delay in ACK frames is in units of two to this power microseconds.
    pub ack_delay_exponent: u8,
    /// The longest the sender delays an acknowledgment, in whole milliseconds.
    pub max_ack_delay: Span,
    /// Whether the peer must not change its address.
    pub disable_active_migration: bool,
    /// Connection ids that the sender keeps for the peer.
    pub active_id_limit: u64,
    /// The source connection id of the sender's first Initial.
    pub initial_src: Option<ConnectionId>,
    /// The source connection id of the server's Retry.
    pub retry_src: Option<ConnectionId>,
}

impl Default for TransportParameters {
    fn default() -> Self {
        Self {
            original_dst: None,
            max_idle_timeout: None,
            reset_token: None,
            max_udp_payload: 65_527,
            max_data: 0,
            max_stream_data_bidi_local: 0,
            max_stream_data_bidi_remote: 0,
            max_stream_data_uni: 0,
            max_streams_bidi: 0,
            max_streams_uni: 0,
            ack_delay_exponent: 3,
            max_ack_delay: Span::from_millis(25),
            disable_active_migration: false,
            active_id_limit: 2,
            initial_src: None,
            retry_src: None,
        }
    }
}

impl TransportParameters {
    /// Appends them as the content of the TLS extension `quic_transport_parameters` (RFC 9001 8.2); those at their defaults
    /// are left out.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let standard = Self::default();
        let mut bytes = |id: u64, value: &[u8]| {
            put(out, id);
            put(out, value.len() as u64);
            out.extend(value);
        };
        for (id, value) in [(0x00, &self.original_dst), (0x0f, &self.initial_src), (0x10, &self.retry_src)] {
            if let Some(value) = value {
                bytes(id, value.as_bytes());
            }
        }
        if let Some(token) = &self.reset_token {
            bytes(0x02, token);
        }
        if self.disable_active_migration {
            bytes(0x0c, &[]);
        }
        let idle = self.max_idle_timeout.map_or(0, Span::as_millis);
        let numbers = [
            (0x01, idle, 0),
            (0x03, self.max_udp_payload, standard.max_udp_payload),
            (0x04, self.max_data, 0),
            (0x05, self.max_stream_data_bidi_local, 0),
            (0x06, self.max_stream_data_bidi_remote, 0),
            (0x07, self.max_stream_data_uni, 0),
            (0x08, self.max_streams_bidi, 0),
            (0x09, self.max_streams_uni, 0),
            (0x0a, u64::from(self.ack_delay_exponent), u64::from(standard.ack_delay_exponent)),
            (0x0b, self.max_ack_delay.as_millis(), standard.max_ack_delay.as_millis()),
            (0x0e, self.active_id_limit, standard.active_id_limit),
        ];
        for (id, value, default) in numbers {
            if value != default {
                put(out, id);
                put(out, u64::from(varint_len(value.min(MAX_VARINT))));
                put(out, value.min(MAX_VARINT));
            }
        }
    }

    /// Reads them; unknown ones are passed over (RFC 9000 7.4.2).
    pub fn decode(content: &[u8]) -> Result<Self, DecodeError> {
        let payload = Payload::real(content.to_vec());
        let mut reader = Reader::new(&payload);
        let mut read = Self::default();
        while reader.left() > 0 {
            let (id, len) = (reader.varint()?, reader.varint()?);
            let mut value = reader.part(len)?;
            let number = |value: &mut Reader<'_>| value.varint();
            let cid = |value: &mut Reader<'_>| {
                let bytes = value.bytes(len)?;
                ConnectionId::new(&bytes).ok_or(DecodeError::Invalid).map(Some)
            };
            match id {
                0x00 => read.original_dst = cid(&mut value)?,
                0x01 => {
                    let millis = number(&mut value)?;
                    read.max_idle_timeout = (millis > 0).then(|| Span::from_millis(1).saturating_mul(millis));
                }
                0x02 => read.reset_token = Some(value.array()?),
                0x03 => read.max_udp_payload = at_least(number(&mut value)?, 1200)?,
                0x04 => read.max_data = number(&mut value)?,
                0x05 => read.max_stream_data_bidi_local = number(&mut value)?,
                0x06 => read.max_stream_data_bidi_remote = number(&mut value)?,
                0x07 => read.max_stream_data_uni = number(&mut value)?,
                0x08 => read.max_streams_bidi = at_most(number(&mut value)?, 1 << 60)?,
                0x09 => read.max_streams_uni = at_most(number(&mut value)?, 1 << 60)?,
                0x0a => {
                    let exponent = at_most(number(&mut value)?, 20)?;
                    read.ack_delay_exponent = u8::try_from(exponent).map_err(|_| DecodeError::Invalid)?;
                }
                0x0b => read.max_ack_delay = Span::from_millis(at_most(number(&mut value)?, (1 << 14) - 1)?),
                0x0c => read.disable_active_migration = true,
                0x0e => read.active_id_limit = at_least(number(&mut value)?, 2)?,
                0x0f => read.initial_src = cid(&mut value)?,
                0x10 => read.retry_src = cid(&mut value)?,
                _ => {}
            }
        }
        Ok(read)
    }
}

fn at_least(value: u64, least: u64) -> Result<u64, DecodeError> {
    if value < least { Err(DecodeError::Invalid) } else { Ok(value) }
}

fn at_most(value: u64, most: u64) -> Result<u64, DecodeError> {
    if value > most { Err(DecodeError::Invalid) } else { Ok(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_as_they_were_told() {
        let told = TransportParameters {
            original_dst: Some(ConnectionId::of_number(5)),
            max_idle_timeout: Some(Span::from_secs(30)),
            reset_token: Some([3; 16]),
            max_udp_payload: 1472,
            max_data: 15 << 20,
            max_stream_data_bidi_local: 6 << 20,
            max_stream_data_bidi_remote: 6 << 20,
            max_stream_data_uni: 1 << 20,
            max_streams_bidi: 100,
            max_streams_uni: 3,
            ack_delay_exponent: 8,
            max_ack_delay: Span::from_millis(5),
            disable_active_migration: true,
            active_id_limit: 4,
            initial_src: Some(ConnectionId::default()),
            retry_src: None,
        };
        let mut bytes = Vec::new();
        told.encode(&mut bytes);
        assert_eq!(TransportParameters::decode(&bytes), Ok(told));
        assert_eq!(TransportParameters::decode(&[]), Ok(TransportParameters::default()));
        // One of those that RFC 9000 18.1 reserves to be passed over, and an idle timeout.
        let unknown = [0x1b, 0x02, 0xff, 0xff, 0x01, 0x01, 0x05];
        let read = TransportParameters::decode(&unknown).unwrap();
        assert_eq!(read.max_idle_timeout, Some(Span::from_millis(5)));
    }

    #[test]
    fn values_out_of_range_are_refused() {
        assert!(TransportParameters::decode(&[0x0a, 0x01, 20]).is_ok());
        assert!(TransportParameters::decode(&[0x0a, 0x01, 21]).is_err());
        assert!(TransportParameters::decode(&[0x0e, 0x01, 2]).is_ok());
        assert!(TransportParameters::decode(&[0x0e, 0x01, 1]).is_err());
    }
}
