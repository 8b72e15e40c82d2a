//! What the members of a store say to each other: frames of a fixed head, a key and filler for the value, on TCP.

use super::log::Place;
use crate::host::{NetError, TcpStream};
use crate::wire::{Chunk, Payload};
use bytes::{BufMut, Bytes, BytesMut};

/// Bytes of a frame's head: kind, epoch, place (two words), argument, length of the key.
const HEAD: usize = 1 + 4 * 8 + 2;

/// What a frame says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// A follower to a primary: my log ends at `place`.
    Follow = 1,
    /// To a follower: your log is not mine at that place; try `place`.
    Back,
    /// To a follower: our logs agree up to `place`; what comes behind it follows.
    Welcome,
    /// To a follower: the entry at `place`, of `argument` bytes.
    Append,
    /// To a follower: I am here, and my log ends at `place`.
    Beat,
    /// To the primary: I have everything up to `place`.
    Have,
    /// To who took me for the primary: it is member `argument` - 1, or I do not know if that is 0.
    Elsewhere,
    /// A candidate for `epoch`, member `argument`, whose log ends at `place`, asks for a vote.
    Ask,
    /// The answer: `argument` is 1 for yes.
    Vote,
    /// Member `argument` is the primary of `epoch`.
    Lead,
}

const KINDS: [Kind; 10] = [
    Kind::Follow,
    Kind::Back,
    Kind::Welcome,
    Kind::Append,
    Kind::Beat,
    Kind::Have,
    Kind::Elsewhere,
    Kind::Ask,
    Kind::Vote,
    Kind::Lead,
];

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Frame {
    pub(super) kind: Kind,
    /// The latest epoch that the sender knows of.
    pub(super) epoch: u64,
    pub(super) place: Place,
    pub(super) argument: u64,
    pub(super) key: Bytes,
}

impl Frame {
    pub(super) const fn new(kind: Kind, epoch: u64, place: Place, argument: u64) -> Self {
        Self { kind, epoch, place, argument, key: Bytes::new() }
    }

    fn encode(&self) -> Payload {
        let mut head = BytesMut::new();
        head.put_u8(self.kind as u8);
        [self.epoch, self.place.epoch, self.place.seq, self.argument].into_iter().for_each(|word| head.put_u64(word));
        head.put_u16(u16::try_from(self.key.len()).unwrap_or(u16::MAX));
        head.put_slice(&self.key[..self.key.len().min(usize::from(u16::MAX))]);
        let mut payload = Payload::real(head.freeze());
        if self.kind == Kind::Append && self.argument > 0 {
            payload.push(Chunk::Filler(self.argument));
        }
        payload
    }

    pub(super) async fn write(&self, stream: &TcpStream) -> Result<(), NetError> {
        stream.write(self.encode()).await
    }

    /// The next frame; [`NetError::Closed`] at the end of the stream and where the peer speaks something else.
    pub(super) async fn read(stream: &TcpStream) -> Result<Self, NetError> {
        let head = whole(stream, HEAD as u64).await?;
        let bytes = head.real_prefix();
        let bytes: &[u8; HEAD] = bytes.first_chunk().ok_or(NetError::Closed)?;
        let word = |at: usize| u64::from_be_bytes(std::array::from_fn(|index| bytes[at + index]));
        let kind = KINDS.into_iter().find(|&kind| kind as u8 == bytes[0]).ok_or(NetError::Closed)?;
        let mut frame = Self::new(kind, word(1), Place { epoch: word(9), seq: word(17) }, word(25));
        let key = u64::from(u16::from_be_bytes([bytes[33], bytes[34]]));
        if key > 0 {
            frame.key = whole(stream, key).await?.real_prefix();
        }
        if kind == Kind::Append && stream.discard(frame.argument).await?.0 < frame.argument {
            return Err(NetError::Closed);
        }
        Ok(frame)
    }
}

async fn whole(stream: &TcpStream, bytes: u64) -> Result<Payload, NetError> {
    let (payload, _) = stream.read_exactly(bytes).await?;
    if payload.len() == bytes { Ok(payload) } else { Err(NetError::Closed) }
}
