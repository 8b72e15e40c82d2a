//! A registry of instances: servers sign on with heartbeats, callers keep a copy of who is there and choose among them themselves.
//!
//! All of it is HTTP/1.1 over connections that stay open. `PUT` of an instance signs it on for a lease, or renews that; `DELETE` signs it
//! off. `GET` of a service lists its instances (`X-Instances`) under a number that grows with each change (`X-Index`, as Consul's); a `GET`
//! that knows a number and says `Prefer: wait` (RFC 7240 4.3) is answered when there is a newer one. An instance whose lease runs out is
//! dropped: that is all the registry can know of a machine that has died.

mod sign_on;
mod watch;

pub use sign_on::{SignOn, sign_on};
pub(in crate::service) use watch::Watched;
pub use watch::{Refresh, Watch};

use crate::app::http1::{Method, Reader, Response, answer, message};
use crate::base::{Span, Time};
use crate::host::sync::Queue;
use crate::host::{Host, TcpStream};
use crate::trace::{Record, Registration, Standing};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::rc::Rc;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 511;
/// A held question is answered after so long in any case (Consul holds at most ten minutes, and five unless told otherwise).
pub(in crate::service) const HOLD: Span = Span::from_secs(60);
/// The field that says how long a lease is, in nanoseconds.
const LEASE: &str = "X-Lease";
/// The field that says on which port an instance listens.
const PORT: &str = "X-Port";
/// The field that numbers a list.
const INDEX: &str = "X-Index";
/// The field that holds a list.
const INSTANCES: &str = "X-Instances";

/// What a registry is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// Port to listen on.
    pub port: u16,
    /// The nodes of the machines that may sign on, for records.
    pub nodes: Vec<(SocketAddrV4, u32)>,
}

/// An instance that is signed on.
struct Instance {
    /// When it was last heard of.
    heard: Time,
    expires: Time,
}

/// The instances of one service.
#[derive(Default)]
struct Service {
    index: u64,
    instances: BTreeMap<SocketAddrV4, Instance>,
    /// Those who wait for a change.
    waiting: Vec<Queue<()>>,
}

struct Registry {
    host: Host,
    config: Config,
    services: RefCell<BTreeMap<String, Service>>,
}

/// Keeps the list for ever. A registry that starts again knows nobody until they are heard of.
pub async fn run(host: Host, config: Config) {
    let Ok(listener) = host.listen_with(config.port, BACKLOG, None, true).await else { return };
    let registry = Rc::new(Registry { host: host.clone(), config, services: RefCell::default() });
    while let Ok(stream) = listener.accept().await {
        let registry = Rc::clone(&registry);
        drop(host.spawn(async move { registry.serve(&stream).await }));
    }
}

impl Registry {
    /// Answers the requests of one connection, one after the other.
    async fn serve(self: &Rc<Self>, stream: &TcpStream) {
        let mut reader = Reader::new();
        while let Ok(request) = reader.request(stream).await {
            let head = request.head;
            let service = String::from_utf8_lossy(&head.target).trim_start_matches("/services/").to_owned();
            let number =
                |name: &str| head.fields.get(name).and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
            let port = number(PORT).and_then(|port: u64| u16::try_from(port).ok());
            let instance = SocketAddrV4::new(*stream.remote().ip(), port.unwrap_or(80));
            let reply = match (head.method, number(LEASE)) {
                (Method::Put, Some(lease)) => self.renew(&service, instance, Span::from_nanos(lease)),
                (Method::Delete, _) => self.remove(&service, instance, Standing::Left),
                (Method::Get, _) => {
                    let known = number(INDEX).filter(|_| head.fields.get("Prefer").is_some());
                    self.list(&service, known).await
                }
                _ => answer(400, 0, false, self.host.now()),
            };
            if stream.write(message(reply.encode(), 0)).await.is_err() {
                return;
            }
        }
    }

    /// An instance is there, for as long as its lease says.
    fn renew(self: &Rc<Self>, service: &str, instance: SocketAddrV4, lease: Span) -> Response {
        let now = self.host.now();
        let expires = now.saturating_add(lease);
        let mut services = self.services.borrow_mut();
        let known = services.entry(service.to_owned()).or_default();
        let before = known.instances.insert(instance, Instance { heard: now, expires });
        if before.is_none() {
            known.changed();
            self.tell(instance, Standing::Registered, now);
            let (registry, service) = (Rc::clone(self), service.to_owned());
            drop(self.host.spawn(async move { registry.expire(&service, instance).await }));
        }
        answer(204, 0, false, now)
    }

    /// Waits for an instance's lease to run out.
    async fn expire(&self, service: &str, instance: SocketAddrV4) {
        loop {
            let expires = {
                let services = self.services.borrow();
                let found = services.get(service).and_then(|known| known.instances.get(&instance));
                let Some(found) = found else { return };
                found.expires
            };
            if expires <= self.host.now() {
                self.remove(service, instance, Standing::Expired);
                return;
            }
            self.host.sleep_until(expires).await;
        }
    }

    fn remove(&self, service: &str, instance: SocketAddrV4, why: Standing) -> Response {
        let now = self.host.now();
        let mut services = self.services.borrow_mut();
        let known = services.entry(service.to_owned()).or_default();
        if let Some(gone) = known.instances.remove(&instance) {
            known.changed();
            self.tell(instance, why, gone.heard);
        }
        answer(204, 0, false, now)
    }

    /// The list; with a number that the asker knows, not before there is another one.
    async fn list(&self, service: &str, known: Option<u64>) -> Response {
        let until = self.host.now().saturating_add(HOLD);
        loop {
            let bell = Queue::new();
            {
                let mut services = self.services.borrow_mut();
                let found = services.entry(service.to_owned()).or_default();
                if known != Some(found.index) || self.host.now() >= until {
                    let mut reply = answer(200, 0, false, self.host.now());
                    reply.fields.push(INDEX, found.index.to_string());
                    let all: Vec<String> = found.instances.keys().map(ToString::to_string).collect();
                    reply.fields.push(INSTANCES, all.join(", "));
                    return reply;
                }
                found.waiting.push(bell.clone());
            }
            let left = until.since(self.host.now());
            let _ = self.host.timeout(left, bell.pop()).await;
        }
    }

    fn tell(&self, instance: SocketAddrV4, standing: Standing, heard: Time) {
        let Some(&(_, instance)) = self.config.nodes.iter().find(|(at, _)| *at == instance) else { return };
        let (time, node) = (self.host.now(), self.host.node());
        self.host.record(Record::Registration(Registration { time, node, instance, standing, heard }));
    }
}

impl Service {
    fn changed(&mut self) {
        self.index += 1;
        self.waiting.drain(..).for_each(|bell| bell.push(()));
    }
}
