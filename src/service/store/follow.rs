//! The side of a member that calls others: it follows the primary, stands for election when there is none, and says so when it has
//! won.

use super::frame::{Frame, Kind};
use super::log::{Entry, Place};
use super::member::Role;
use super::{Node, within};
use crate::base::Span;
use crate::host::sync::Queue;
use crate::host::{Host, NetError, TcpStream};
use crate::trace::StoreEvent;
use std::rc::Rc;
use std::task::Poll;

/// Does for ever what the member's role asks for.
pub(super) async fn govern(node: Rc<Node>) {
    loop {
        let turn = node.member().turn.clone();
        while turn.try_pop().is_some() {}
        let role = node.member().role;
        match role {
            Role::Primary => turn.pop().await,
            Role::Follower(leader) => {
                let leader = match leader {
                    Some(leader) => Some(leader),
                    None => look_around(&node).await,
                };
                if let Some(leader) = leader {
                    until_silent(&node, unless_turned(&turn, follow(&node, leader))).await;
                }
                let now = node.member().role;
                if now != role && now != Role::Follower(None) {
                    continue;
                }
                if node.silent() {
                    stand(&node).await;
                } else {
                    node.host.sleep(node.config.heartbeat).await;
                }
            }
        }
    }
}

/// Whether something comes before the primary has been silent for too long; whatever is heard meanwhile puts that off.
async fn until_silent<T>(node: &Node, what: impl Future<Output = T>) -> Option<T> {
    let mut what = std::pin::pin!(what);
    loop {
        let Some(patience) = node.config.failover else { return Some(what.await) };
        let patience = patience + rank(node);
        let left = (node.member().heard + patience).since(node.host.now());
        if left.is_zero() {
            return None;
        }
        if let Ok(done) = node.host.timeout(left, what.as_mut()).await {
            return Some(done);
        }
    }
}

/// What `what` comes to, unless the member's role changes before.
async fn unless_turned<T>(turn: &Queue<()>, what: impl Future<Output = T>) -> Option<T> {
    let mut what = std::pin::pin!(what);
    let mut turned = std::pin::pin!(turn.pop());
    std::future::poll_fn(|context| match turned.as_mut().poll(context) {
        Poll::Ready(()) => Poll::Ready(None),
        Poll::Pending => what.as_mut().poll(context).map(Some),
    })
    .await
}

/// Members doubt a primary one after the other, so that they do not stand against each other.
fn rank(node: &Node) -> Span {
    node.config.heartbeat * node.config.me as u64
}

/// Follows `leader` until the connection ends or the role changes.
async fn follow(node: &Node, leader: usize) -> Result<(), NetError> {
    let stream = node.host.connect_with(node.peer(leader), None, true).await?;
    let (mut place, epoch) = node.standing();
    loop {
        Frame::new(Kind::Follow, epoch, place, 0).write(&stream).await?;
        let frame = Frame::read(&stream).await?;
        match frame.kind {
            Kind::Back => place = node.member().log.last_before(frame.place),
            Kind::Welcome => {
                heard(node, leader, frame.epoch);
                let discarded = node.member().log.truncate(frame.place.seq);
                if discarded > 0 {
                    node.record(StoreEvent::Discarded { entries: discarded, epoch: frame.epoch });
                }
                break;
            }
            Kind::Elsewhere => {
                if let Some(other) = usize::try_from(frame.argument).ok().and_then(|leader| leader.checked_sub(1)) {
                    node.member().led_by(other, frame.epoch);
                }
                return Ok(());
            }
            _ => return Err(NetError::Closed),
        }
    }
    loop {
        let frame = Frame::read(&stream).await?;
        if node.member().role != Role::Follower(Some(leader)) {
            return Ok(());
        }
        heard(node, leader, frame.epoch);
        if frame.kind == Kind::Append && frame.place.seq == node.member().log.len() + 1 {
            let entry = Entry { epoch: frame.place.epoch, key: frame.key, bytes: frame.argument };
            let place = node.member().log.push(entry);
            node.record(StoreEvent::Applied { epoch: place.epoch, seq: place.seq });
            Frame::new(Kind::Have, frame.epoch, place, 0).write(&stream).await?;
        }
    }
}

/// The primary has given a sign of life.
fn heard(node: &Node, leader: usize, epoch: u64) {
    let mut member = node.member();
    member.heard = node.host.now();
    if epoch > member.epoch || member.role == Role::Follower(None) {
        member.led_by(leader, epoch);
    }
}

/// Asks the others who is primary.
async fn look_around(node: &Node) -> Option<usize> {
    for other in (0..node.config.members.len()).filter(|&other| other != node.config.me) {
        let asked = async {
            let stream = node.host.connect_with(node.peer(other), None, true).await?;
            let (end, epoch) = node.standing();
            Frame::new(Kind::Follow, epoch, end, 0).write(&stream).await?;
            Frame::read(&stream).await
        };
        let Ok(Ok(frame)) = node.host.timeout(node.config.heartbeat * 2, asked).await else { continue };
        let leader = match frame.kind {
            Kind::Welcome | Kind::Back => Some(other),
            Kind::Elsewhere => usize::try_from(frame.argument).ok().and_then(|leader| leader.checked_sub(1)),
            _ => None,
        };
        if let Some(leader) = leader.filter(|&leader| leader != node.config.me) {
            let mut member = node.member();
            let epoch = frame.epoch.max(member.epoch);
            member.led_by(leader, epoch);
            return Some(leader);
        }
    }
    None
}

/// Stands for election. Whatever comes of it, the next try waits its turn.
async fn stand(node: &Rc<Node>) {
    let end = node.member().log.end();
    let epoch = node.member().stand();
    node.record(StoreEvent::Doubted { epoch });
    let others: Vec<usize> = (0..node.config.members.len()).filter(|&other| other != node.config.me).collect();
    let votes: Queue<bool> = Queue::new();
    for &other in &others {
        let (node, votes) = (Rc::clone(node), votes.clone());
        drop(node.host.clone().spawn(async move {
            let vote = node.host.timeout(node.config.heartbeat * 2, ask(&node, other, epoch, end)).await;
            votes.push(matches!(vote, Ok(Ok(true))));
        }));
    }
    let (mut yes, mut open) = (1, others.len());
    while yes < node.config.quorum && open > 0 {
        yes += usize::from(votes.pop().await);
        open -= 1;
    }
    if yes >= node.config.quorum && node.member().elected(epoch) {
        node.record(StoreEvent::Promoted { epoch, base: end.seq });
        for other in others {
            drop(node.host.spawn(announce(Rc::clone(node), other, epoch)));
        }
    } else {
        let span = rank(node) + node.config.heartbeat;
        let turn = node.member().turn.clone();
        let _ = within(&node.host, span, &turn).await;
    }
}

async fn ask(node: &Node, other: usize, epoch: u64, end: Place) -> Result<bool, NetError> {
    let stream = node.host.connect_with(node.peer(other), None, true).await?;
    Frame::new(Kind::Ask, epoch, end, node.config.me as u64).write(&stream).await?;
    let frame = Frame::read(&stream).await?;
    Ok(frame.kind == Kind::Vote && frame.argument == 1)
}

/// Tells a member that it is led, until it has heard it or somebody else leads.
async fn announce(node: Rc<Node>, other: usize, epoch: u64) {
    loop {
        {
            let member = node.member();
            if !member.is_primary() || member.epoch != epoch {
                return;
            }
        }
        let told = tell(&node.host, &node, other, epoch);
        if matches!(node.host.timeout(node.config.heartbeat * 4, told).await, Ok(Ok(()))) {
            return;
        }
        node.host.sleep(node.config.heartbeat).await;
    }
}

async fn tell(host: &Host, node: &Node, other: usize, epoch: u64) -> Result<(), NetError> {
    let stream: TcpStream = host.connect_with(node.peer(other), None, true).await?;
    Frame::new(Kind::Lead, epoch, Place::default(), node.config.me as u64).write(&stream).await?;
    Frame::read(&stream).await.map(drop)
}
