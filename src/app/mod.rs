//! Application protocols: codecs that never touch a socket, and short conversations over a stream.

pub mod dns;
pub mod http1;
mod stream;
pub mod tls;

pub use stream::{Channel, Stream};
