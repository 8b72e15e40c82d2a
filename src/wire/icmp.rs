//! ICMP messages (RFC 792, RFC 1191): echo, and the errors that quote the packet they are about.

use std::net::Ipv4Addr;

/// What an ICMP error repeats of the packet it is about: the IP header and the first eight bytes behind it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quote {
    /// Source of the quoted packet.
    pub src: Ipv4Addr,
    /// Destination of the quoted packet.
    pub dst: Ipv4Addr,
    /// IP protocol number of the quoted packet.
    pub protocol: u8,
    /// Total length of the quoted packet in bytes.
    pub total_len: u16,
    /// The first eight bytes of the quoted packet's payload: both ports and the sequence number or length and checksum, or
    /// an echo's type, code, checksum, identifier and sequence number.
    pub head: [u8; 8],
}

/// Why a destination cannot be reached (RFC 792, type 3; RFC 1812 5.2.7.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UnreachableCode {
    /// Code 0: no route to the network.
    Network,
    /// Code 1: the host does not answer.
    Host,
    /// Code 3: nobody listens on the UDP port.
    Port,
}

/// An ICMP message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Icmp {
    /// Type 8: please send this back.
    EchoRequest {
        /// Identifies the asking program.
        identifier: u16,
        /// Counts its requests.
        sequence: u16,
        /// Bytes of data that come back unchanged.
        data_len: u32,
    },
    /// Type 0: the answer to an echo request.
    EchoReply {
        /// Copied from the request.
        identifier: u16,
        /// Copied from the request.
        sequence: u16,
        /// Copied from the request.
        data_len: u32,
    },
    /// Type 11 code 0: the packet's TTL ran out here.
    TimeExceeded(Quote),
    /// Type 3: the destination cannot be reached.
    Unreachable(UnreachableCode, Quote),
    /// Type 3 code 4: fragmentation is needed but the packet forbids it (RFC 1191).
    PacketTooBig {
        /// MTU of the link that the packet did not fit, in bytes.
        mtu: u16,
        /// The packet.
        quote: Quote,
    },
}

impl Icmp {
    /// Length of the message in bytes: eight of header, then data or the quoted 28 bytes.
    #[must_use]
    pub const fn wire_len(&self) -> u32 {
        match self {
            Self::EchoRequest { data_len, .. } | Self::EchoReply { data_len, .. } => 8 + *data_len,
            Self::TimeExceeded(_) | Self::Unreachable(..) | Self::PacketTooBig { .. } => 8 + 28,
        }
    }

    /// Whether the message reports an error; errors are never sent about errors (RFC 1122 3.2.2).
    #[must_use]
    pub const fn is_error(&self) -> bool {
        !matches!(self, Self::EchoRequest { .. } | Self::EchoReply { .. })
    }
}
