//! One try of a request: name, connection, question, answer; and what is seen of it on the way.

use super::pool::{Connection, Pool};
use super::request::Asker;
use super::{Origin, User};
use crate::app::http1::{self, Method, ReadError, Response, Whole};
use crate::app::tls::TlsError;
use crate::app::{Channel, Stream};
use crate::base::Time;
use crate::host::sync::Permit;
use crate::host::{NetError, TcpStream};
use crate::service::secure;
use crate::service::stub::Resolved;
use crate::trace::{DeadConnection, Directory, Failure, Lookup, Record, Request};
use crate::wire::Payload;
use bytes::Bytes;
use std::cell::Cell;
use std::net::{Ipv4Addr, SocketAddrV4};

/// How one use of a connection ended.
enum Tried {
    /// The whole answer.
    Answered,
    /// It failed for good.
    Failed(Failure),
    /// The kept connection turned out to be closed before it brought anything, for this reason: another connection may do.
    Stale(Failure),
}

impl Asker {
    /// Goes on until a connection holds. What is sent on a kept connection that the server has just closed may be sent again
    /// on another if doing it twice does no harm (RFC 9110 9.2.2), which every browser does.
    pub(super) async fn attempt(&self, seen: &Cell<Request>, user: &User, until: Option<Time>) -> Result<(), Failure> {
        let Some(watched) = &self.registered else { return self.attempt_at(seen, (user, until), None).await };
        // Nobody is known yet: that is a matter of a round trip.
        let asked = self.host.now();
        if let Some(flow) = watched.ready().await {
            let (node, end) = (self.host.node(), self.host.now());
            self.host.record(Record::Lookup(Lookup { node, start: asked, end, flow, of: Directory::Registry }));
            update(seen, |seen| seen.lookup_flow = flow);
        }
        let Some((place, at, held)) = watched.choose() else { return Err(Failure::Unreachable) };
        let begun = self.host.now();
        let result = self.attempt_at(seen, (user, until), Some((place, *at.ip()))).await;
        if let Err(failure) = result {
            held.fail(failure);
        }
        watched.answered(place, result.is_ok(), self.host.now() - begun);
        result
    }

    /// The same at the instance that was chosen, if there is a choice.
    async fn attempt_at(
        &self,
        seen: &Cell<Request>,
        (user, until): (&User, Option<Time>),
        at: Option<(usize, Ipv4Addr)>,
    ) -> Result<(), Failure> {
        let mut stale = None;
        let pool = user.pools.get(at.map_or(0, |(place, _)| place));
        loop {
            let (permit, connection) = self.connection(seen, (user, pool), stale, at.map(|(_, addr)| addr)).await?;
            let asked = self.host.now();
            match self.exchange(seen, connection, (user, pool, until)).await {
                Tried::Answered => return Ok(()),
                Tried::Failed(failure) => return Err(failure),
                Tried::Stale(why) => {
                    self.renew(seen, asked, why);
                    stale = permit;
                }
            }
        }
    }

    /// The connection that the request has had since `asked` was dead: what there is to be seen begins anew.
    fn renew(&self, seen: &Cell<Request>, asked: Time, why: Failure) {
        let now = self.host.now();
        let Request { traffic, number, flow, exchange, .. } = seen.get();
        self.host.record(Record::Dead(DeadConnection { traffic, number, flow, exchange, start: asked, end: now, why }));
        update(seen, |seen| {
            seen.renewed = now;
            (seen.resolved, seen.connected, seen.secured) = (Time::NEVER, Time::NEVER, Time::NEVER);
            (seen.read, seen.written) = (Time::NEVER, Time::NEVER);
        });
    }

    /// A connection to the origin and the right to use it: a kept one, unless a kept one was `stale`; then the right to use
    /// that one passes to a new one.
    async fn connection(
        &self,
        seen: &Cell<Request>,
        (user, pool): (&User, Option<&Pool>),
        stale: Option<Permit>,
        at: Option<Ipv4Addr>,
    ) -> Result<(Option<Permit>, Connection), Failure> {
        if let (Some(pool), None) = (pool, &stale)
            && let Some((permit, connection)) = pool.try_take(&self.host).await
        {
            // No name is needed where a connection is there already.
            update(seen, |seen| seen.resolved = seen.resolved.min(seen.tried));
            return Ok((Some(permit), connection));
        }
        let addrs = self.addresses(seen, at).await?;
        let permit = match (pool, stale) {
            (None, _) => None,
            (Some(_), Some(permit)) => Some(permit),
            (Some(pool), None) => {
                let permit = Some(pool.permit().await);
                if let Some(connection) = pool.idle_connection(&self.host).await {
                    return Ok((permit, connection));
                }
                permit
            }
        };
        let mut last = NetError::Unreachable;
        for addr in addrs {
            // A head and its body are written at once: nothing is gained by waiting for acknowledgements.
            let to = SocketAddrV4::new(addr, self.config.port);
            match self.host.connect_with(to, self.config.congestion, true).await {
                Ok(stream) => {
                    let opened = self.host.now();
                    update(seen, |seen| seen.connected = opened);
                    let channel = self.secure(stream, user).await?;
                    return Ok((permit, Connection::new(channel, opened)));
                }
                Err(error) => last = error,
            }
        }
        Err(failure(last))
    }

    /// The connection under TLS, if that is wanted; ready when a request can be sent.
    async fn secure(&self, stream: TcpStream, user: &User) -> Result<Channel, Failure> {
        secure::connect(&self.host, stream, self.tls.as_ref(), &user.tickets).await.map_err(tls_failure)
    }

    /// The addresses of the origin, to be tried in order.
    async fn addresses(&self, seen: &Cell<Request>, at: Option<Ipv4Addr>) -> Result<Vec<Ipv4Addr>, Failure> {
        let Resolved { addrs, flow } = match (at, &self.config.origin) {
            (Some(addr), _) => Resolved { addrs: vec![addr], flow: 0 },
            (None, Origin::Addr(addr)) => Resolved { addrs: vec![*addr], flow: 0 },
            (None, Origin::Name(name)) => self.stub.resolve(name).await?,
        };
        let now = self.host.now();
        update(seen, |seen| {
            // A second try does not change when the name was first known.
            seen.resolved = seen.resolved.min(now);
            if flow != 0 {
                seen.lookup_flow = flow;
            }
        });
        Ok(addrs)
    }

    /// Writes the request and reads the answer; before that, reads what it is about if it is a conditional one.
    async fn ask(
        &self,
        seen: &Cell<Request>,
        connection: &mut Connection,
        (user, until): (&User, Option<Time>),
    ) -> Result<Whole<Response>, ReadError> {
        let mut version = None;
        if let Some(reading) = self.reading(seen.get().number, user) {
            let answer = round(connection, http1::message(reading, 0), Method::Get).await?;
            self.keep_cookies(&answer, user);
            if answer.head.status >= 400 || !reusable(&answer) {
                return Ok(answer);
            }
            version = answer.head.fields.get("etag").map(Bytes::copy_from_slice);
            let now = self.host.now();
            update(seen, |seen| {
                (seen.read, seen.written) = (now, now);
                seen.exchange = connection.exchanges;
            });
        }
        let head = self.head(seen.get().number, version.as_ref(), user, until);
        let answer = round(connection, http1::message(head, self.config.body_bytes), self.config.method).await?;
        self.keep_cookies(&answer, user);
        Ok(answer)
    }

    fn keep_cookies(&self, answer: &Whole<Response>, user: &User) {
        if let Some(jar) = &user.cookies {
            jar.borrow_mut().keep(&answer.head.fields, &self.config.path, self.host.now());
        }
    }

    /// Writes the request, reads the answer, and gives the connection back if it can be used again.
    async fn exchange(
        &self,
        seen: &Cell<Request>,
        mut connection: Connection,
        (user, pool, until): (&User, Option<&Pool>, Option<Time>),
    ) -> Tried {
        let now = self.host.now();
        let opened = connection.opened.take().unwrap_or(now);
        update(seen, |seen| {
            (seen.connected, seen.secured, seen.read, seen.written) = (opened, now, now, now);
            (seen.flow, seen.exchange) = (connection.stream.flow(), connection.exchanges);
        });
        let reused = connection.exchanges > 0;
        let result = self.ask(seen, &mut connection, (user, until)).await;
        match result {
            Ok(answer) => {
                let failed = answer.head.status >= 400;
                update(seen, |seen| {
                    (seen.status, seen.body, seen.response) = (answer.head.status, answer.body, answer.arrival);
                });
                if let Some(pool) = pool
                    && reusable(&answer)
                {
                    pool.give_back(connection, self.host.now());
                }
                if failed { Tried::Failed(Failure::Status) } else { Tried::Answered }
            }
            Err(error) => {
                let closed = matches!(
                    error,
                    ReadError::Closed
                        | ReadError::Net(
                            NetError::Reset | NetError::Refused | NetError::Closed | NetError::AddressLost
                        )
                );
                let why = match error {
                    _ if connection.stream.tls_failed() => Failure::Tls,
                    ReadError::Net(error) => failure(error),
                    ReadError::Malformed(_) | ReadError::Closed | ReadError::Cut => Failure::Broken,
                };
                let nothing_came = !connection.reader.has_more();
                if reused && closed && nothing_came && self.config.method.is_idempotent() {
                    return Tried::Stale(why);
                }
                Tried::Failed(why)
            }
        }
    }
}

/// One question and its answer.
async fn round(connection: &mut Connection, question: Payload, method: Method) -> Result<Whole<Response>, ReadError> {
    connection.exchanges += 1;
    connection.stream.write(question).await?;
    connection.reader.response(&connection.stream, method).await
}

fn update(seen: &Cell<Request>, change: impl FnOnce(&mut Request)) {
    let mut request = seen.get();
    change(&mut request);
    seen.set(request);
}

/// Whether the server keeps the connection, and the end of the answer was not the end of the connection.
fn reusable(answer: &Whole<Response>) -> bool {
    let head = &answer.head;
    let delimited = head.fields.get("content-length").is_some() || head.fields.get("transfer-encoding").is_some();
    head.fields.keeps_alive(head.version) && (delimited || matches!(head.status, 204 | 304))
}

/// Why there is no session, in the words of requests.
pub(in crate::service) const fn tls_failure(error: TlsError) -> Failure {
    match error {
        TlsError::Net(error) => failure(error),
        TlsError::Failed(_) | TlsError::Cut => Failure::Tls,
    }
}

/// Why the network did not do as asked, in the words of requests.
pub(in crate::service) const fn failure(error: NetError) -> Failure {
    match error {
        NetError::Refused => Failure::Refused,
        NetError::Reset => Failure::Reset,
        NetError::TimedOut => Failure::Timeout,
        NetError::Unreachable => Failure::Unreachable,
        NetError::AddressNotAvailable => Failure::NoPort,
        NetError::AddressLost => Failure::AddressLost,
        NetError::AddressInUse | NetError::Closed | NetError::TooBig => Failure::Broken,
    }
}
