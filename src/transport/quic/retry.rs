//! Retry: a server keeps nothing about a client until it has come again with a token (RFC 9000 8.1.2).

use crate::base::Digest;
use crate::wire::quic::ConnectionId;
use bytes::Bytes;
use std::net::SocketAddrV4;

fn seal(secret: u64, remote: SocketAddrV4, original: &[u8]) -> u64 {
    let mut digest = Digest::default();
    [secret, 7, u64::from(u32::from(*remote.ip())), u64::from(remote.port())]
        .into_iter()
        .for_each(|word| digest.fold(word));
    original.iter().for_each(|&byte| digest.fold(u64::from(byte)));
    digest.value()
}

/// The token that a machine with this secret gives a client at `remote` whose first Initial went to the id `original`.
#[must_use]
pub fn retry_token(secret: u64, remote: SocketAddrV4, original: ConnectionId) -> Bytes {
    let mut token = seal(secret, remote, original.as_bytes()).to_be_bytes().to_vec();
    token.extend(original.as_bytes());
    token.into()
}

/// The id to which the client's first Initial went, if the token was given to a client at `remote`.
#[must_use]
pub fn proven_by(secret: u64, remote: SocketAddrV4, token: &[u8]) -> Option<ConnectionId> {
    let (sealed, original) = token.split_first_chunk::<8>()?;
    (u64::from_be_bytes(*sealed) == seal(secret, remote, original)).then(|| ConnectionId::new(original)).flatten()
}

/// The id that a Retry asks the client to use.
#[must_use]
pub fn retry_id(secret: u64, original: ConnectionId) -> ConnectionId {
    let mut digest = Digest::default();
    [secret, 8].into_iter().for_each(|word| digest.fold(word));
    original.as_bytes().iter().for_each(|&byte| digest.fold(u64::from(byte)));
    ConnectionId::of_number(digest.value())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn a_token_proves_the_address_that_it_was_given_to() {
        let at = |port| SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), port);
        let original = ConnectionId::of_number(5);
        let token = retry_token(1, at(1000), original);
        assert_eq!(proven_by(1, at(1000), &token), Some(original));
        assert_eq!(proven_by(1, at(1001), &token), None);
        assert_eq!(proven_by(2, at(1000), &token), None);
        assert_eq!(proven_by(1, at(1000), b""), None);
    }
}
