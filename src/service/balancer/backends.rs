//! A pool with its connections: a member is asked on a kept connection or a new one, and its answer begins.

use super::config::Pool;
use super::members::{Held, Members};
use crate::app::Stream;
use crate::app::http1::{Framing, Method, ReadError, Response, message};
use crate::app::tls::{ClientConfig, Tickets};
use crate::base::{Span, Time};
use crate::host::sync::Permit;
use crate::host::{Elapsed, Host, NetError};
use crate::service::client::pool::{Connection, Pool as Connections};
use crate::service::client::{failure, tls_failure};
use crate::service::secure;
use crate::trace::{Failure, Forwarded, Record, Returned};
use bytes::Bytes;
use std::rc::Rc;

/// Most connections to a backend where no limit is set: more than there are ports.
const ANY_NUMBER: usize = 1 << 20;
/// How often it is looked whether connections that are to be warm are there.
const LOOK: Span = Span::from_secs(1);

/// A pool at work with the connections to each of its members.
pub(in crate::service) struct Backends {
    host: Host,
    config: Pool,
    pub(in crate::service) members: Rc<Members>,
    connections: Vec<Connections>,
    /// How TLS is spoken with those that speak it, and the tickets of each.
    session: ClientConfig,
    tickets: Vec<Rc<Tickets>>,
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
    /// The client's exchange that is passed on, if it is one: observers are told of it.
    pub(in crate::service) front: Option<(u64, u32)>,
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
    /// The flow of the connection, and how many questions went before on it.
    pub(in crate::service) back: (u64, u32),
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
    /// Starts the pool's checks (see [`Members::start`]) and opens the connections that are to be warm.
    pub(in crate::service) fn start(host: &Host, pool: Pool, instance: u32) -> Rc<Self> {
        let connections = |_| Connections::new(pool.connections.unwrap_or(ANY_NUMBER), pool.idle);
        let (count, warm) = (pool.members.len(), pool.warm > 0);
        let backends = Rc::new(Self {
            connections: pool.members.iter().map(connections).collect(),
            members: Members::start(host, pool.clone(), instance),
            // Backends are known by their addresses, and what is asked may change something: nothing goes early.
            session: pool.upstream.session(None, Method::Post),
            tickets: pool.members.iter().map(|_| Rc::default()).collect(),
            config: pool,
            host: host.clone(),
        });
        for id in (0..count).filter(|_| warm) {
            let backends = Rc::clone(&backends);
            drop(host.spawn(async move { backends.keep_warm(id).await }));
        }
        backends
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
                match self.host.timeout(config.timeout, self.connect(id)).await {
                    Ok(Ok(connection)) => (permit, connection),
                    Ok(Err(failure)) => return Err(Unanswered::Failed { failure, asked: false }),
                    Err(Elapsed) => return Err(Unanswered::Failed { failure: Failure::Timeout, asked: false }),
                }
            }
        };
        let connected = self.host.now();
        let kept = connection.exchanges > 0;
        let back = (connection.stream.flow(), connection.exchanges);
        connection.exchanges += 1;
        if let Some(front) = question.front {
            let (node, backend) = (self.host.node(), self.members.node(id));
            self.host.record(Record::Forwarded(Forwarded { node, backend, time: connected, front, back }));
        }
        let mut written = connected;
        let asking = async {
            connection.stream.write(message(question.head.clone(), question.body)).await?;
            written = self.host.now();
            connection.reader.response_head(&connection.stream).await
        };
        let head = match self.host.timeout(config.timeout, asking).await {
            Ok(Ok(head)) => head,
            Ok(Err(error)) => {
                let failure = match error {
                    ReadError::Net(error) => failure(error),
                    ReadError::Malformed(_) | ReadError::Closed | ReadError::Cut => Failure::Broken,
                };
                self.returned(question, back, Err(failure));
                let closed = matches!(error, ReadError::Closed | ReadError::Net(NetError::Reset | NetError::Closed));
                if kept && closed && !connection.reader.has_more() && question.method.is_idempotent() {
                    return Err(Unanswered::Stale);
                }
                return Err(Unanswered::Failed { failure, asked: true });
            }
            Err(Elapsed) => {
                self.returned(question, back, Err(Failure::Timeout));
                return Err(Unanswered::Failed { failure: Failure::Timeout, asked: true });
            }
        };
        self.members.answered(id, head.status < 500, self.host.now() - began);
        if question.more && config.retry_errors && matches!(head.status, 502..=504) {
            self.returned(question, back, Ok(head.status));
            return Err(Unanswered::Failed { failure: Failure::Status, asked: head.status != 503 });
        }
        Ok(Answering { connection, head, connected, written, back, permit })
    }

    /// Tells observers what came back of a client's exchange that was passed on.
    pub(in crate::service) fn returned(&self, question: Question<'_>, back: (u64, u32), result: Result<u16, Failure>) {
        if question.front.is_some() {
            self.host.record(Record::Returned(Returned { time: self.host.now(), back, result }));
        }
    }

    /// Takes the connection back of an answer that has been read to its end, if it can be used again.
    pub(in crate::service) fn done(&self, id: usize, answer: Answering, method: Method) {
        let Answering { connection, head, permit, .. } = answer;
        if head.fields.keeps_alive(head.version) && head.framing(method) != Ok(Framing::UntilClose) {
            self.connections[id].give_back(connection, self.host.now());
        }
        drop(permit);
    }

    /// Asks one member after the other, as the pool's settings say, until one answers; how the last one failed if none
    /// does. `key` is what the policy hashes.
    pub(in crate::service) async fn any(&self, key: u64, question: Question<'_>) -> Result<Chosen, Exhausted> {
        let mut tried: Vec<usize> = Vec::new();
        let mut since = Since { tried: self.host.now(), renewed: self.host.now() };
        let (mut bound, mut again) = (None, false);
        let mut last = Exhausted { failure: None, asked: false, since };
        loop {
            let kept = bound.take().filter(|&id| self.members.takes(id));
            let id = kept.or_else(|| self.members.choose(key, &tried)).ok_or(last)?;
            let held = self.members.send(id, again);
            again = true;
            let more = tried.len() < self.config.retries as usize;
            let began = self.host.now();
            // Where nobody else is left, an answer that says of an error is passed on.
            let passes_over = more && self.members.others(&tried, id);
            match self.ask(id, Question { more: passes_over, ..question }).await {
                Ok(answer) => return Ok(Chosen { id, held, answer, since }),
                Err(Unanswered::Stale) => {
                    held.fail(Failure::Reset);
                    bound = Some(id);
                    since.renewed = self.host.now();
                }
                Err(Unanswered::Failed { failure, asked }) => {
                    held.fail(failure);
                    if failure != Failure::Status {
                        self.members.answered(id, false, self.host.now() - began);
                    }
                    tried.push(id);
                    last = Exhausted { failure: Some(failure), asked, since };
                    since = Since { tried: self.host.now(), renewed: self.host.now() };
                    // What may have been done is not done twice unless that does no harm (RFC 9110 9.2.2).
                    if !more || asked && !question.method.is_idempotent() {
                        return Err(last);
                    }
                }
            }
        }
    }

    /// A new connection to a member, ready for a question.
    async fn connect(&self, id: usize) -> Result<Connection, Failure> {
        let member = &self.config.members[id];
        let stream = self.host.connect_with(member.at, None, true).await.map_err(failure)?;
        let opened = self.host.now();
        let session = member.tls.then_some(&self.session);
        let channel = secure::connect(&self.host, stream, session, &self.tickets[id]).await.map_err(tls_failure)?;
        Ok(Connection::new(channel, opened))
    }

    /// Sees to it that a member has as many connections as its pool says, used or not. One that fails is tried again later.
    async fn keep_warm(&self, id: usize) {
        let connections = &self.connections[id];
        loop {
            connections.prune(&self.host).await;
            while connections.idle() + self.members.active(id) < self.config.warm {
                let opening = self.host.timeout(self.config.timeout, self.connect(id));
                let Ok(Ok(connection)) = opening.await else { break };
                connections.give_back(connection, self.host.now());
            }
            self.host.sleep(LOOK).await;
        }
    }
}

/// Since when the member was asked of whom there is something to say.
#[derive(Clone, Copy, Debug)]
pub(in crate::service) struct Since {
    /// When those before had failed.
    pub(in crate::service) tried: Time,
    /// When it was done with kept connections that turned out to be dead.
    pub(in crate::service) renewed: Time,
}

/// Nobody answered.
#[derive(Clone, Copy, Debug)]
pub(in crate::service) struct Exhausted {
    /// Why the last one did not; `None` if nobody could be asked.
    pub(in crate::service) failure: Option<Failure>,
    /// Whether the question had been put to it.
    pub(in crate::service) asked: bool,
    /// Since when it was tried.
    pub(in crate::service) since: Since,
}

/// A member that has begun to answer.
pub(in crate::service) struct Chosen {
    /// Which.
    pub(in crate::service) id: usize,
    /// Counts the question as the member's.
    pub(in crate::service) held: Held,
    /// Its answer.
    pub(in crate::service) answer: Answering,
    /// Since when it was asked.
    pub(in crate::service) since: Since,
}
