//! Keys that the members of a group remember together: in a store that each of them reaches by packets.
//!
//! A key is looked for before the work (`GET` with `If-Match: *`) and written after it (`PUT` with `If-None-Match: *`), which only one of any
//! number of members can do. What a payment takes is taken by that write: the key and the money are one transaction, so there is
//! never one without the other. A store that loses what it has taken (a lost primary without acknowledgments) loses both.

use super::PAYMENT;
use crate::app::Channel;
use crate::app::http1::{self, Ask, HeadSize, Method};
use crate::base::Span;
use crate::host::Host;
use crate::service::client::failure;
use crate::service::client::pool::{Connection, Pool};
use crate::trace::{Failure, Forwarded, Record, Returned};
use std::fmt::Write as _;
use std::net::SocketAddrV4;

/// A store for keys.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SharedKeys {
    /// Its members: their nodes in the plan and where they listen, to be asked in this order.
    pub members: Vec<(u32, SocketAddrV4)>,
    /// A member that has not answered after so long is given up for the next.
    pub timeout: Span,
}

impl SharedKeys {
    /// Half a second of patience for a member.
    pub const TIMEOUT: Span = Span::from_millis(500);
}

/// A server's way to the store.
pub(super) struct Shared {
    host: Host,
    config: SharedKeys,
    pools: Vec<Pool>,
}

/// Bytes that are written with a key: what a member needs to give the answer again.
const RECORD: u64 = 64;
/// Connections to a member at most, kept for a minute.
const CONNECTIONS: (usize, Span) = (64, Span::from_secs(60));

impl Shared {
    pub(super) fn new(host: Host, config: SharedKeys) -> Self {
        let pools = config.members.iter().map(|_| Pool::new(CONNECTIONS.0, CONNECTIONS.1)).collect();
        Self { host, config, pools }
    }

    /// Whether the key has been written; `None` if no member answers. `front` is the exchange for whose sake.
    pub(super) async fn has(&self, key: &[u8], front: (u64, u32)) -> Option<bool> {
        let fields = [("If-Match".to_owned(), "*".to_owned())];
        match self.ask(Method::Get, key, (&fields, 0), front).await? {
            200 => Some(true),
            412 => Some(false),
            _ => None,
        }
    }

    /// Writes the key, and takes what is paid with it, unless somebody has; `None` if it is not known whether that was done.
    pub(super) async fn write(&self, key: &[u8], cents: Option<u64>, front: (u64, u32)) -> Option<()> {
        let mut fields = vec![("If-None-Match".to_owned(), "*".to_owned())];
        fields.extend(cents.map(|cents| (PAYMENT.to_owned(), cents.to_string())));
        match self.ask(Method::Put, key, (&fields, RECORD), front).await? {
            200 | 412 => Some(()),
            _ => None,
        }
    }

    /// The status with which the first member answers that does. A write that one has not answered may have been done: asking the next is
    /// safe, as it is done once only.
    async fn ask(
        &self,
        method: Method,
        key: &[u8],
        (fields, body): (&[(String, String)], u64),
        front: (u64, u32),
    ) -> Option<u16> {
        for id in 0..self.config.members.len() {
            let asking = self.once(id, method, key, (fields, body), front);
            if let Ok(Ok(status)) = self.host.timeout(self.config.timeout, asking).await
                && status < 500
            {
                return Some(status);
            }
        }
        None
    }

    async fn once(
        &self,
        id: usize,
        method: Method,
        key: &[u8],
        (fields, body): (&[(String, String)], u64),
        front: (u64, u32),
    ) -> Result<u16, Failure> {
        let ((backend, at), pool) = (self.config.members[id], &self.pools[id]);
        let _permit = pool.permit().await;
        let mut connection = if let Some(kept) = pool.idle_connection(&self.host).await {
            kept
        } else {
            let stream = self.host.connect_with(at, None, true).await.map_err(failure)?;
            Connection::new(Channel::Plain(stream), self.host.now())
        };
        let (target, name) = (target(key), at.ip().to_string());
        let host = if at.port() == 80 { name } else { at.to_string() };
        let ask = Ask { method, target: &target, host: &host, body, close: false, size: HeadSize::Exactly(0), fields };
        let (node, time) = (self.host.node(), self.host.now());
        let back = (crate::app::Stream::flow(&connection.stream), connection.exchanges);
        connection.exchanges += 1;
        self.host.record(Record::Forwarded(Forwarded { node, backend, time, front, back }));
        let result = self.round(&mut connection, &ask, body).await;
        self.host.record(Record::Returned(Returned { time: self.host.now(), back, result }));
        if result.is_ok() {
            pool.give_back(connection, self.host.now());
        }
        result
    }

    async fn round(&self, connection: &mut Connection, ask: &Ask<'_>, body: u64) -> Result<u16, Failure> {
        let Connection { stream, reader, .. } = connection;
        let question = http1::message(ask.head().encode(), body);
        crate::app::Stream::write(stream, question).await.map_err(failure)?;
        let answer = reader.response(stream, ask.method).await.map_err(|error| match error {
            http1::ReadError::Net(error) => failure(error),
            _ => Failure::Broken,
        })?;
        Ok(answer.head.status)
    }
}

/// The path of a key: what a URL cannot hold is written as `%22`.
fn target(key: &[u8]) -> String {
    let mut path = String::from("/keys/");
    for &byte in key {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            let _ = write!(path, "%{byte:02X}");
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_keys_have_different_paths() {
        assert_eq!(target(b"\"pay-7\""), "/keys/%22pay-7%22");
        assert_ne!(target(b"a/b"), target(b"a%2Fb"));
    }
}
