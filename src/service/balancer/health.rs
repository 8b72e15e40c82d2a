//! Health checks over real packets: a connection, or a request and its answer, every so often to each member.

use super::members::Members;
use crate::app::Stream;
use crate::app::http1::{Ask, HeadSize, Method, Reader, message};
use crate::app::tls::ClientConfig;
use crate::base::Span;
use crate::host::Host;
use crate::service::secure;
use crate::trace::{Probed, Record};
use std::fmt;
use std::net::SocketAddrV4;
use std::rc::Rc;

/// How members are checked. The first check of each comes one interval after the start, less its place in the pool: they are
/// spread over the interval. From one check's start to the next is one interval.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Check {
    /// What is asked.
    pub probe: Probe,
    /// From the start of one check to the start of the next.
    pub every: Span,
    /// One that takes longer has failed; at most the interval.
    pub timeout: Span,
    /// Failures in a row that take a member out.
    pub fall: u32,
    /// Successes in a row that bring it back.
    pub rise: u32,
}

/// What a check consists of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Probe {
    /// A TCP connection, closed as soon as it is open: says that somebody listens.
    Tcp,
    /// `GET` of a path on a connection of its own, under TLS where the member speaks it; answers below 400 are well.
    Http {
        /// The path.
        path: String,
    },
}

impl Check {
    /// Every 2 s, out after three failures, back after two successes (HAProxy's `inter`, `fall`, `rise`); 1 s of patience.
    #[must_use]
    pub const fn new(probe: Probe) -> Self {
        Self { probe, every: Span::from_secs(2), timeout: Span::from_secs(1), fall: 3, rise: 2 }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { probe, every, timeout, fall, rise } = self;
        match probe {
            Probe::Tcp => f.write_str("TCP")?,
            Probe::Http { path } => write!(f, "GET {path}")?,
        }
        write!(f, " every {every}, {timeout} of patience, out after {fall}, back after {rise}")
    }
}

/// Checks the members of a pool for ever.
pub(super) fn watch(host: &Host, members: &Rc<Members>, check: &Check) {
    let all = members.targets();
    let count = all.len() as u64;
    for (id, (at, tls)) in all.into_iter().enumerate() {
        let first = check.every * (id as u64 + 1) / count;
        let (program, members, check) = (host.clone(), Rc::clone(members), check.clone());
        drop(host.spawn(async move {
            let start = program.now() + first;
            for index in 0.. {
                program.sleep_until(crate::service::tick(start, check.every, index)).await;
                let ok = program.timeout(check.timeout, probe(&program, at, tls, &check.probe)).await == Ok(true);
                program.record(Record::Probed(Probed {
                    time: program.now(),
                    node: program.node(),
                    backend: members.node(id),
                    ok,
                    asked: matches!(check.probe, Probe::Http { .. }),
                }));
                members.checked(id, ok, (check.fall, check.rise));
            }
        }));
    }
}

/// Asks once; true if the answer is as it should be.
pub(in crate::service) async fn probe(host: &Host, at: SocketAddrV4, tls: bool, what: &Probe) -> bool {
    let Ok(stream) = host.connect_with(at, None, true).await else { return false };
    let Probe::Http { path } = what else { return true };
    // Each check shakes hands in full: a ticket would hide that a key is gone.
    let session = tls.then(|| ClientConfig::new(None));
    let Ok(stream) = secure::connect(host, stream, session.as_ref(), &Rc::default()).await else { return false };
    let (address, method) = (at.ip().to_string(), Method::Get);
    let name = if at.port() == if tls { 443 } else { 80 } { address } else { at.to_string() };
    let ask = Ask { method, target: path, host: &name, body: 0, close: true, size: HeadSize::Exactly(0), fields: &[] };
    if stream.write(message(ask.head().encode(), 0)).await.is_err() {
        return false;
    }
    Reader::new().response(&stream, method).await.is_ok_and(|answer| answer.head.status < 400)
}
