//! One backend is asked: a connection from its pool, the question, and the answer passed on as it comes.

use super::{Proxy, Turn, heads, method};
use crate::app::Stream;
use crate::app::http1::{Framing, ReadError, Response, message};
use crate::base::Span;
use crate::host::{Elapsed, NetError};
use crate::service::client::pool::Connection;
use crate::service::client::{failure, tls_failure};
use crate::service::secure;
use crate::trace::{Failure, Forwarded, Record, Returned};
use crate::wire::Payload;
use bytes::Bytes;

/// What came of asking a backend.
pub(super) enum Tried {
    /// The answer has been passed on.
    Passed {
        /// Whether it was the client's connection's last.
        close: bool,
    },
    /// The backend failed in the middle of its answer.
    Cut,
    /// The client went away in the middle of the answer.
    Gone,
    /// The kept connection turned out to be closed before anything came: another to the same backend may do.
    Stale,
    /// No answer worth passing on.
    Failed {
        /// Why.
        failure: Failure,
        /// Whether the backend may have begun to do what was asked.
        asked: bool,
    },
}

/// How often it is looked whether connections that are to be warm are there.
const LOOK: Span = Span::from_secs(1);
/// Bytes of a response that are taken in before they are passed on (nginx's `proxy_buffers`: 8 of 4 or 8 KiB).
const BUFFER: u64 = 64 << 10;

impl Proxy {
    /// Asks member `id` of a pool. `more`: others can still be asked.
    pub(super) async fn attempt(&self, turn: &Turn<'_>, pool: usize, id: usize, head: &Bytes, more: bool) -> Tried {
        let (config, backends) = (&self.config.pools[pool], &self.pools[pool]);
        let began = self.host.now();
        let connections = &backends.connections[id];
        let (permit, mut connection) = if let Some(kept) = connections.try_take(&self.host).await {
            kept
        } else {
            let permit = connections.permit().await;
            if let Some(kept) = connections.idle_connection(&self.host).await {
                (permit, kept)
            } else {
                match self.host.timeout(config.timeout, self.connect(pool, id)).await {
                    Ok(Ok(connection)) => (permit, connection),
                    Ok(Err(failure)) => return Tried::Failed { failure, asked: false },
                    Err(Elapsed) => return Tried::Failed { failure: Failure::Timeout, asked: false },
                }
            }
        };
        let kept = connection.exchanges > 0;
        let back = (connection.stream.flow(), connection.exchanges);
        connection.exchanges += 1;
        self.host.record(Record::Forwarded(Forwarded {
            node: self.host.node(),
            backend: backends.members.node(id),
            time: self.host.now(),
            front: (turn.client.flow(), turn.exchange),
            back,
        }));
        let returned = |result: Result<u16, Failure>| {
            self.host.record(Record::Returned(Returned { time: self.host.now(), back, result }));
        };
        let asking = async {
            connection.stream.write(message(head.clone(), turn.asked.body)).await?;
            connection.reader.response_head(&connection.stream).await
        };
        let answer = match self.host.timeout(config.timeout, asking).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                let failure = match error {
                    ReadError::Net(error) => failure(error),
                    ReadError::Malformed(_) | ReadError::Closed | ReadError::Cut => Failure::Broken,
                };
                returned(Err(failure));
                let closed = matches!(error, ReadError::Closed | ReadError::Net(NetError::Reset | NetError::Closed));
                if kept && closed && !connection.reader.has_more() && method(turn).is_idempotent() {
                    return Tried::Stale;
                }
                return Tried::Failed { failure, asked: true };
            }
            Err(Elapsed) => {
                returned(Err(Failure::Timeout));
                return Tried::Failed { failure: Failure::Timeout, asked: true };
            }
        };
        backends.members.answered(id, answer.status < 500, self.host.now() - began);
        if more && config.retry_errors && matches!(answer.status, 502..=504) {
            returned(Ok(answer.status));
            return Tried::Failed { failure: Failure::Status, asked: answer.status != 503 };
        }
        // A client that has its backend's cookie already needs no other.
        let cookie = config.sticky.as_ref().filter(|_| self.bound(pool, &turn.asked.head) != Some(id));
        let cookie = cookie.map(|name| format!("{name}={}; Path=/", config.members[id].name));
        let tried = self.relay(turn, &mut connection, &answer, cookie).await;
        returned(if matches!(tried, Tried::Cut | Tried::Failed { .. }) {
            Err(Failure::Broken)
        } else {
            Ok(answer.status)
        });
        if let Tried::Passed { .. } = tried
            && answer.fields.keeps_alive(answer.version)
            && answer.framing(method(turn)) != Ok(Framing::UntilClose)
        {
            connections.give_back(connection, self.host.now());
        }
        drop(permit);
        tried
    }

    /// A new connection to a member, ready for a question.
    async fn connect(&self, pool: usize, id: usize) -> Result<Connection, Failure> {
        let (member, backends) = (&self.config.pools[pool].members[id], &self.pools[pool]);
        let stream = self.host.connect_with(member.at, None, true).await.map_err(failure)?;
        let opened = self.host.now();
        let session = member.tls.then_some(&backends.session);
        let channel = secure::connect(&self.host, stream, session, &backends.tickets[id]).await.map_err(tls_failure)?;
        Ok(Connection::new(channel, opened))
    }

    /// Sees to it that a member has as many connections as its pool says, used or not. One that fails is tried again later.
    pub(super) async fn keep_warm(&self, pool: usize, id: usize) {
        let (config, backends) = (&self.config.pools[pool], &self.pools[pool]);
        let connections = &backends.connections[id];
        loop {
            connections.prune(&self.host).await;
            while connections.idle() + backends.members.active(id) < config.warm {
                let Ok(Ok(connection)) = self.host.timeout(config.timeout, self.connect(pool, id)).await else { break };
                connections.give_back(connection, self.host.now());
            }
            self.host.sleep(LOOK).await;
        }
    }

    /// Passes a response on whose head has come.
    async fn relay(
        &self,
        turn: &Turn<'_>,
        connection: &mut Connection,
        answer: &Response,
        cookie: Option<String>,
    ) -> Tried {
        let Connection { stream, reader, .. } = connection;
        let Ok(framing) = answer.framing(method(turn)) else {
            return Tried::Failed { failure: Failure::Broken, asked: true };
        };
        let mut rest = 0;
        let mut out = match framing {
            Framing::Length(length) => {
                rest = length;
                Payload::real(heads::to_client(answer, None, turn.close, cookie))
            }
            // A length that nobody has said is known when all has come.
            Framing::Chunked | Framing::UntilClose => match reader.body(stream, framing).await {
                Ok(body) => message(heads::to_client(answer, Some(body), turn.close, cookie), body),
                Err(_) => return Tried::Failed { failure: Failure::Broken, asked: true },
            },
        };
        while rest > 0 {
            let Ok(part) = reader.part(stream, rest.min(BUFFER)).await else { return Tried::Cut };
            rest -= part.len();
            out.append(part);
            if rest > 0 && turn.client.write(std::mem::take(&mut out)).await.is_err() {
                return Tried::Gone;
            }
        }
        self.answered(turn);
        let gone = turn.client.write(out).await.is_err();
        Tried::Passed { close: gone || turn.close }
    }
}
