//! The side of a member that others call: followers of a primary, candidates, and new primaries.

use super::frame::{Frame, Kind};
use super::log::Place;
use super::member::Role;
use super::{Node, within};
use crate::host::{NetError, TcpStream};
use crate::trace::StoreEvent;
use std::rc::Rc;

/// Hears out one peer.
pub(super) async fn peer(node: Rc<Node>, stream: TcpStream) {
    let _ = hear(&node, Rc::new(stream)).await;
}

async fn hear(node: &Rc<Node>, stream: Rc<TcpStream>) -> Result<(), NetError> {
    loop {
        let frame = Frame::read(&stream).await?;
        match frame.kind {
            Kind::Follow if node.member().is_primary() => {
                if agree(node, &stream, &frame).await? {
                    return feed(node, &stream, frame.place).await;
                }
            }
            Kind::Follow => {
                let (epoch, leader) = {
                    let member = node.member();
                    let Role::Follower(leader) = member.role else { continue };
                    (member.epoch, leader)
                };
                let leader = leader.map_or(0, |leader| leader as u64 + 1);
                return Frame::new(Kind::Elsewhere, epoch, Place::default(), leader).write(&stream).await;
            }
            Kind::Ask => {
                let (silent, now) = (node.silent(), node.host.now());
                let vote = node.member().votes(frame.epoch, frame.place, silent, now);
                let epoch = node.member().epoch;
                Frame::new(Kind::Vote, epoch, Place::default(), u64::from(vote)).write(&stream).await?;
            }
            Kind::Lead => {
                follow(node, &frame);
                let epoch = node.member().epoch;
                Frame::new(Kind::Vote, epoch, Place::default(), 1).write(&stream).await?;
            }
            _ => return Err(NetError::Closed),
        }
    }
}

/// Takes note of a primary.
fn follow(node: &Node, frame: &Frame) {
    let Ok(leader) = usize::try_from(frame.argument) else { return };
    if leader >= node.config.members.len() || leader == node.config.me {
        return;
    }
    let was_primary = node.member().is_primary();
    if node.member().led_by(leader, frame.epoch) {
        node.member().heard = node.host.now();
        if was_primary {
            node.record(StoreEvent::SteppedDown { epoch: frame.epoch });
        }
    }
}

/// Whether the follower's log agrees with ours at the place that it names; if so it is told, else it is told where to look.
async fn agree(node: &Node, stream: &TcpStream, frame: &Frame) -> Result<bool, NetError> {
    let (epoch, own, back) = {
        let member = node.member();
        let before = Place { epoch: frame.place.epoch, seq: frame.place.seq.saturating_sub(1) };
        (member.epoch, member.log.at(frame.place.seq), member.log.last_before(before))
    };
    let agreed = own == frame.place;
    let kind = if agreed { Kind::Welcome } else { Kind::Back };
    Frame::new(kind, epoch, if agreed { own } else { back }, 0).write(stream).await?;
    Ok(agreed)
}

/// Sends a follower everything behind `place`, and a sign of life when there is nothing; until one side is not what it was.
async fn feed(node: &Rc<Node>, stream: &Rc<TcpStream>, place: Place) -> Result<(), NetError> {
    let epoch = node.member().epoch;
    let (link, bell) = node.member().joined(place.seq);
    let listening = {
        let (node, stream) = (Rc::clone(node), Rc::clone(stream));
        let bell = bell.clone();
        node.host.clone().spawn(async move {
            while let Ok(frame) = Frame::read(&stream).await
                && frame.kind == Kind::Have
            {
                node.member().acknowledged(link, frame.place.seq);
            }
            // The follower is gone: the feeder finds that out when it writes, and need not wait for that.
            node.member().left(link);
            bell.push(());
        })
    };
    let mut next = place.seq + 1;
    let result = loop {
        let frame = {
            let member = node.member();
            if !member.is_primary() || member.epoch != epoch || listening.is_finished() {
                break Ok(());
            }
            match member.log.entry(next) {
                Some(entry) => {
                    let place = Place { epoch: entry.epoch, seq: next };
                    Some(Frame { key: entry.key.clone(), ..Frame::new(Kind::Append, epoch, place, entry.bytes) })
                }
                None => None,
            }
        };
        let written = if let Some(frame) = frame {
            next += 1;
            frame.write(stream).await
        } else if within(&node.host, node.config.heartbeat, &bell).await.is_none() {
            let end = node.member().log.end();
            Frame::new(Kind::Beat, epoch, end, 0).write(stream).await
        } else {
            Ok(())
        };
        if let Err(error) = written {
            break Err(error);
        }
    };
    node.member().left(link);
    listening.abort();
    result
}
