//! Application protocols: codecs that never touch a socket, and short conversations over a stream.

pub mod dns;
pub mod http1;
