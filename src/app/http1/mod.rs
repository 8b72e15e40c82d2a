//! HTTP/1.1 (RFC 9110, RFC 9112): heads are real bytes, bodies are counted.
//!
//! [`Ask`] and [`answer`] make heads of realistic size; [`Reader`] reads messages from a connection. Not modelled: obsolete
//! line folding and codings other than `chunked` (errors), `Expect: 100-continue` (bodies are sent at once).

mod body;
mod cookies;
mod defaults;
mod head;
mod talk;

pub use body::{Framing, chunk, chunk_size, last_chunk};
pub use cookies::{Jar, SetCookie, cookie, path_matches};
pub use defaults::{Ask, HeadSize, answer, date};
pub use head::{
    Fields, HeadError, MAX_HEAD, Method, Request, Response, Version, head_end, is_token, is_value_byte, reason,
};
pub use talk::{ReadError, Reader, Whole, message};
