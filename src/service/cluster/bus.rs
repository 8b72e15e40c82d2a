//! What the nodes of a cluster tell each other: fixed heads with what the sender is and believes, and gossip about a few others.
//!
//! Sizes are those of Redis 7's `clusterMsg` (a head of 2,256 bytes, most of it the bitmap of slots, and 104 bytes for each node
//! that is gossiped about); the bytes that nobody reads are filler.

use crate::host::{NetError, TcpStream};
use crate::wire::{Chunk, Payload};
use bytes::{BufMut, BytesMut};

/// Bytes of a head and of an entry of gossip.
const HEAD: u64 = 2_256;
const ENTRY: u64 = 104;
/// Bytes of those that are read.
const READ_HEAD: usize = 1 + 2 * 3 + 8 * 4;
const READ_ENTRY: usize = 3;

/// What a message is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// Are you there?
    Ping = 1,
    /// I am; also sent to all to tell of a change.
    Pong,
    /// Node `subject` has failed: a majority says so.
    Fail,
    /// A replica asks for votes for the current epoch.
    Ask,
    /// The vote.
    Vote,
}

const KINDS: [Kind; 5] = [Kind::Ping, Kind::Pong, Kind::Fail, Kind::Ask, Kind::Vote];

/// What the sender thinks of another node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) enum Health {
    /// It answers.
    #[default]
    Good,
    /// It does not answer this node (PFAIL).
    Silent,
    /// A majority has said so (FAIL).
    Failed,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Message {
    pub(super) kind: Kind,
    /// Who sends it, by its number in the cluster.
    pub(super) sender: u16,
    /// The master that the sender replicates; itself if it is one.
    pub(super) master: u16,
    /// Of [`Kind::Fail`], who has failed.
    pub(super) subject: u16,
    /// The latest epoch that the sender knows of.
    pub(super) epoch: u64,
    /// The epoch under which the sender, or its master, took its slots.
    pub(super) config_epoch: u64,
    /// How much of the master's writes the sender has.
    pub(super) offset: u64,
    /// The sender's word on other nodes.
    pub(super) gossip: Vec<(u16, Health)>,
}

impl Message {
    pub(super) fn encode(&self) -> Payload {
        let mut head = BytesMut::new();
        head.put_u8(self.kind as u8);
        [self.sender, self.master, self.subject].into_iter().for_each(|word| head.put_u16(word));
        let count = self.gossip.len() as u64;
        [self.epoch, self.config_epoch, self.offset, count].into_iter().for_each(|word| head.put_u64(word));
        let mut payload = Payload::real(head.freeze());
        payload.push(Chunk::Filler(HEAD - READ_HEAD as u64));
        for &(node, health) in &self.gossip {
            let mut entry = BytesMut::new();
            entry.put_u16(node);
            entry.put_u8(health as u8);
            payload.append(Payload::real(entry.freeze()));
            payload.push(Chunk::Filler(ENTRY - READ_ENTRY as u64));
        }
        payload
    }

    /// The next message; [`NetError::Closed`] at the end of the stream and where the peer speaks something else.
    pub(super) async fn read(stream: &TcpStream) -> Result<Self, NetError> {
        let whole = async |bytes: u64| match stream.read_exactly(bytes).await? {
            (payload, _) if payload.len() == bytes => Ok(payload.real_prefix()),
            _ => Err(NetError::Closed),
        };
        let head = whole(HEAD).await?;
        let head: &[u8; READ_HEAD] = head.first_chunk().ok_or(NetError::Closed)?;
        let short = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
        let long = |at: usize| u64::from_be_bytes(std::array::from_fn(|index| head[at + index]));
        let kind = KINDS.into_iter().find(|&kind| kind as u8 == head[0]).ok_or(NetError::Closed)?;
        let mut gossip = Vec::new();
        for _ in 0..long(31).min(1_000) {
            let entry = whole(ENTRY).await?;
            let entry: &[u8; READ_ENTRY] = entry.first_chunk().ok_or(NetError::Closed)?;
            let health = match entry[2] {
                0 => Health::Good,
                1 => Health::Silent,
                _ => Health::Failed,
            };
            gossip.push((u16::from_be_bytes([entry[0], entry[1]]), health));
        }
        Ok(Self {
            kind,
            sender: short(1),
            master: short(3),
            subject: short(5),
            epoch: long(7),
            config_epoch: long(15),
            offset: long(23),
            gossip,
        })
    }
}
