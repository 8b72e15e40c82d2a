//! A pool with its connections: a member is asked on a kept connection or a new one, and its answer begins.

use super::config::Pool;
use super::members::{Held, Members};
use crate::app::http1::{Framing, Method, ReadError, Response, message};
use crate::app::{Channel, Stream};
use crate::base::Time;
use crate::host::sync::Permit;
use crate::host::{Elapsed, Host, NetError};
use crate::service::client::failure;
use crate::service::client::pool::{Connection, Pool as Connections};
use crate::trace::Failure;
use bytes::Bytes;
use std::net::SocketAddrV4;
use std::rc::Rc;

/// Most connections to a backend where no limit is set: more than there are ports.
const ANY_NUMBER: usize = 1 << 20;

/// A pool at work with the connections to each of its members.
pub(in crate::service) struct Backends {
    host: Host,
    config: Pool,
    pub(in crate::service) members: Rc<Members>,
    connections: Vec<Connections>,
}

/// What a backend is asked.
#[derive(Clone, Copy)]
pub(in crate::service) struct Question<'a> {
    /// Head of the request as it goes to the backend.
    pub(in crate::service) head: &'a Bytes,
    /// Bytes of its body.
    pub(in crate::service) body: u64,
    /// Its method.
    pub(in crate::service) method: Method,
    /// Whether others can still be asked.
    pub(in crate::service) more: bool,
}

/// An answer whose head has come.
pub(in crate::service) struct Answering {
    /// The connection on which its body comes.
    pub(in crate::service) connection: Connection,
    /// Its head.
    pub(in crate::service) head: Response,
    /// When the connection was there to be used.
    pub(in crate::service) connected: Time,
    /// When the question was written to it.
    pub(in crate::service) written: Time,
    permit: Permit,
}

/// Why there is no answer worth passing on.
pub(in crate::service) enum Unanswered {
    /// The kept connection turned out to be closed before anything came: another to the same backend may do.
    Stale,
    /// The backend failed.
    Failed {
        /// Why.
        failure: Failure,
        /// Whether it may have begun to do what was asked.
        asked: bool,
    },
}

impl Backends {
    /// Starts the pool's checks; see [`Members::start`].
    pub(in crate::service) fn start(host: &Host, pool: Pool, instance: u32) -> Self {
        let connections = |_| Connections::new(pool.connections.unwrap_or(ANY_NUMBER), pool.idle);
        Self {
            connections: pool.members.iter().map(connections).collect(),
            members: Members::start(host, pool.clone(), instance),
            config: pool,
            host: host.clone(),
        }
    }

    /// Asks member `id`.
    pub(in crate::service) async fn ask(&self, id: usize, question: Question<'_>) -> Result<Answering, Unanswered> {
        let config = &self.config;
        let began = self.host.now();
        let connections = &self.connections[id];
        let (permit, mut connection) = if let Some(kept) = connections.try_take(&self.host).await {
            kept
        } else {
            let permit = connections.permit().await;
            if let Some(kept) = connections.idle_connection(&self.host).await {
                (permit, kept)
            } else {
                match self.host.timeout(config.timeout, self.connect(config.members[id].at)).await {
                    Ok(Ok(connection)) => (permit, connection),
                    Ok(Err(error)) => return Err(Unanswered::Failed { failure: failure(error), asked: false }),
                    Err(Elapsed) => return Err(Unanswered::Failed { failure: Failure::Timeout, asked: false }),
                }
            }
        };
        let connected = self.host.now();
        let kept = connection.exchanges > 0;
        connection.exchanges += 1;
        let mut written = connected;
        let asking = async {
            connection.stream.write(message(question.head.clone(), question.body)).await?;
            written = self.host.now();
            connection.reader.response_head(&connection.stream).await
        };
        let head = match self.host.timeout(config.timeout, asking).await {
            Ok(Ok(head)) => head,
            Ok(Err(error)) => {
                let closed = matches!(error, ReadError::Closed | ReadError::Net(NetError::Reset | NetError::Closed));
                if kept && closed && !connection.reader.has_more() && question.method.is_idempotent() {
                    return Err(Unanswered::Stale);
                }
                let failure = match error {
                    ReadError::Net(error) => failure(error),
                    ReadError::Malformed(_) | ReadError::Closed | ReadError::Cut => Failure::Broken,
                };
                return Err(Unanswered::Failed { failure, asked: true });
            }
            Err(Elapsed) => return Err(Unanswered::Failed { failure: Failure::Timeout, asked: true }),
        };
        self.members.answered(id, head.status < 500, self.host.now() - began);
        if question.more && config.retry_errors && matches!(head.status, 502..=504) {
            return Err(Unanswered::Failed { failure: Failure::Status, asked: head.status != 503 });
        }
        Ok(Answering { connection, head, connected, written, permit })
    }

    /// Takes the connection back of an answer that has been read to its end, if it can be used again.
    pub(in crate::service) fn done(&self, id: usize, answer: Answering, method: Method) {
        let Answering { connection, head, permit, .. } = answer;
        if head.fields.keeps_alive(head.version) && head.framing(method) != Ok(Framing::UntilClose) {
            self.connections[id].give_back(connection, self.host.now());
        }
        drop(permit);
    }

    /// Asks one member after the other, as the pool's settings say, until one answers; the last failure if none does, `None` if
    /// nobody could be asked. `key` is what the policy hashes.
    pub(in crate::service) async fn any(&self, key: u64, question: Question<'_>) -> Result<Chosen, Option<Failure>> {
        let mut tried: Vec<usize> = Vec::new();
        let (mut bound, mut again, mut last) = (None, false, None);
        loop {
            let kept = bound.take().filter(|&id| self.members.takes(id));
            let id = kept.or_else(|| self.members.choose(key, &tried)).ok_or(last)?;
            let held = self.members.send(id, again);
            again = true;
            let more = tried.len() < self.config.retries as usize;
            let began = self.host.now();
            match self.ask(id, Question { more, ..question }).await {
                Ok(answer) => return Ok(Chosen { id, held, answer }),
                Err(Unanswered::Stale) => {
                    held.fail(Failure::Reset);
                    bound = Some(id);
                }
                Err(Unanswered::Failed { failure, asked }) => {
                    held.fail(failure);
                    if failure != Failure::Status {
                        self.members.answered(id, false, self.host.now() - began);
                    }
                    tried.push(id);
                    last = Some(failure);
                    // What may have been done is not done twice unless that does no harm (RFC 9110 9.2.2).
                    if !more || asked && !question.method.is_idempotent() {
                        return Err(Some(failure));
                    }
                }
            }
        }
    }

    async fn connect(&self, at: SocketAddrV4) -> Result<Connection, NetError> {
        let stream = self.host.connect_with(at, None, true).await?;
        Ok(Connection::new(Channel::Plain(stream), self.host.now()))
    }
}

/// A member that has begun to answer.
pub(in crate::service) struct Chosen {
    /// Which.
    pub(in crate::service) id: usize,
    /// Counts the question as the member's.
    pub(in crate::service) held: Held,
    /// Its answer.
    pub(in crate::service) answer: Answering,
}
