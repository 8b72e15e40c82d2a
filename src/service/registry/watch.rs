//! The side of a caller: a copy of the registry's list, kept by asking or by being told, and a choice among those on it.

use super::{HOLD, INDEX, INSTANCES};
use crate::app::http1::{Ask, HeadSize, Method, ReadError, Reader, Response, message};
use crate::base::Span;
use crate::host::sync::Queue;
use crate::host::{Host, TcpStream};
use crate::service::balancer::policy::key;
use crate::service::balancer::{Held, Members, Pool};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::net::SocketAddrV4;
use std::rc::Rc;

/// A caller waits so long for the registry before it asks again on another connection; what it knows it goes on using.
const PATIENCE: Span = Span::from_secs(1);

/// How a copy is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refresh {
    /// By asking, so long after the answer before.
    Poll(Span),
    /// By a question that is held until there is something new.
    Push,
}

impl fmt::Display for Refresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Poll(every) => write!(f, "asked every {every}"),
            Self::Push => f.write_str("told of each change"),
        }
    }
}

/// Whose instances a caller chooses among, and how.
#[derive(Clone, PartialEq, Debug)]
pub struct Watch {
    /// The registry.
    pub registry: SocketAddrV4,
    /// Name of the service.
    pub service: String,
    /// Everybody who may ever be on the list, and the policy. Nobody is asked who is not on the list.
    pub pool: Pool,
    /// How the copy is kept.
    pub refresh: Refresh,
    /// Number of this caller among those of its traffic, for policies that deal instances out.
    pub instance: u32,
}

/// A copy at work.
pub(in crate::service) struct Watched {
    members: Rc<Members>,
    targets: Vec<SocketAddrV4>,
    /// Whether any list has come yet, and who waits for the first.
    known: Cell<bool>,
    waiting: RefCell<Vec<Queue<u64>>>,
    /// What a hash is taken of.
    key: u64,
}

impl Watched {
    /// Begins to watch. Until the first list has come, nobody may be chosen.
    pub(in crate::service) fn start(host: &Host, watch: Watch) -> Rc<Self> {
        let targets = watch.pool.members.iter().map(|member| member.at).collect();
        let members = Members::start(host, watch.pool.clone(), watch.instance);
        members.nobody();
        let watched = Rc::new(Self {
            members,
            targets,
            known: Cell::new(false),
            waiting: RefCell::default(),
            key: key(&host.addr().octets()),
        });
        let (program, shared) = (host.clone(), Rc::clone(&watched));
        drop(host.spawn(async move { shared.keep(&program, &watch).await }));
        watched
    }

    /// The first list has come; if that had to be waited for, the flow on which it came.
    pub(in crate::service) async fn ready(&self) -> Option<u64> {
        if self.known.get() {
            return None;
        }
        let bell = Queue::new();
        self.waiting.borrow_mut().push(bell.clone());
        Some(bell.pop().await)
    }

    /// Whom to ask next, its place in the pool, and what counts the request as his; `None` if nobody is on the list.
    pub(in crate::service) fn choose(&self) -> Option<(usize, SocketAddrV4, Held)> {
        let id = self.members.choose(self.key, &[])?;
        Some((id, self.targets[id], self.members.send(id, false)))
    }

    /// He has answered, well or not.
    pub(in crate::service) fn answered(&self, id: usize, well: bool, latency: Span) {
        self.members.answered(id, well, latency);
    }

    /// How many may ever be on the list.
    pub(in crate::service) fn len(&self) -> usize {
        self.targets.len()
    }

    async fn keep(&self, host: &Host, watch: &Watch) {
        let (mut index, mut connection) = (None, None);
        loop {
            let held = match watch.refresh {
                Refresh::Push => index,
                Refresh::Poll(_) => None,
            };
            let patience = if held.is_some() { HOLD + PATIENCE } else { PATIENCE };
            let Ok(Ok(reply)) = host.timeout(patience, ask(host, watch, held, &mut connection)).await else {
                connection = None;
                host.sleep(PATIENCE).await;
                continue;
            };
            let flow = connection.as_ref().map_or(0, |(stream, _)| stream.flow());
            index = self.take(&reply, flow).or(index);
            if let Refresh::Poll(every) = watch.refresh {
                host.sleep(every).await;
            }
        }
    }

    /// Takes a list over that came on `flow`; its number. One with nobody on it is not believed while another is known: a registry that has just started knows
    /// nobody, and to ask the old instances does less harm than to ask none.
    fn take(&self, reply: &Response, flow: u64) -> Option<u64> {
        let field = |name: &str| reply.fields.get(name).and_then(|text| std::str::from_utf8(text).ok());
        let index = field(INDEX)?.parse().ok()?;
        let all: Vec<SocketAddrV4> =
            field(INSTANCES)?.split(", ").filter_map(|instance| instance.parse().ok()).collect();
        if !all.is_empty() {
            for (id, target) in self.targets.iter().enumerate() {
                self.members.checked(id, all.contains(target), (1, 1));
            }
            self.known.set(true);
            self.waiting.borrow_mut().drain(..).for_each(|bell| bell.push(flow));
        }
        Some(index)
    }
}

/// A connection to the registry, and what has been read of it.
type Kept = Option<(TcpStream, Reader)>;

/// Asks for the list; with a number, for the next one after it.
async fn ask(host: &Host, watch: &Watch, held: Option<u64>, kept: &mut Kept) -> Result<Response, ReadError> {
    let (stream, reader) = match kept.take() {
        Some(kept) => kept,
        None => (host.connect_with(watch.registry, None, true).await?, Reader::new()),
    };
    let (stream, reader) = kept.insert((stream, reader));
    let (target, name) = (format!("/services/{}", watch.service), watch.registry.to_string());
    let method = Method::Get;
    let ask =
        Ask { method, target: &target, host: &name, body: 0, close: false, size: HeadSize::Exactly(0), fields: &[] };
    let mut head = ask.head();
    if let Some(index) = held {
        head.fields.push(INDEX, index.to_string());
        head.fields.push("Prefer", "wait");
    }
    stream.write(message(head.encode(), 0)).await?;
    Ok(reader.response(stream, method).await?.head)
}
