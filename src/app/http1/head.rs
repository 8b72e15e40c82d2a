//! Request and response heads as data and as bytes (RFC 9110, RFC 9112 2 to 5).

use bytes::{BufMut, Bytes, BytesMut};
use std::fmt;
use std::str::FromStr;

/// Largest head that is read, in bytes (as nginx's default of one 8 KiB buffer, twice).
pub const MAX_HEAD: usize = 16_384;
/// Most fields in a head that is read.
const MAX_FIELDS: usize = 100;

/// A request method (RFC 9110 9.3, RFC 5789).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Method {
    /// Give me this.
    #[default]
    Get,
    /// Give me the head of this.
    Head,
    /// Process what I send.
    Post,
    /// Replace this by what I send.
    Put,
    /// Remove this.
    Delete,
    /// Make a tunnel.
    Connect,
    /// What can be done?
    Options,
    /// Echo my request.
    Trace,
    /// Change this as I describe.
    Patch,
    /// Forget what you have stored of this: a convention of caches (Squid, Varnish), no standard.
    Purge,
}

impl Method {
    /// Every method.
    pub const ALL: [Self; 10] = [
        Self::Get,
        Self::Head,
        Self::Post,
        Self::Put,
        Self::Delete,
        Self::Connect,
        Self::Options,
        Self::Trace,
        Self::Patch,
        Self::Purge,
    ];

    /// As it is written on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
            Self::Connect => "CONNECT",
            Self::Options => "OPTIONS",
            Self::Trace => "TRACE",
            Self::Patch => "PATCH",
            Self::Purge => "PURGE",
        }
    }

    /// Whether doing it twice is the same as doing it once, so that a client may repeat it by itself (RFC 9110 9.2.2).
    #[must_use]
    pub const fn is_idempotent(self) -> bool {
        matches!(self, Self::Get | Self::Head | Self::Put | Self::Delete | Self::Options | Self::Trace | Self::Purge)
    }
}

impl FromStr for Method {
    type Err = HeadError;

    fn from_str(text: &str) -> Result<Self, HeadError> {
        Self::ALL.into_iter().find(|method| method.name() == text).ok_or(HeadError::Method)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The reason phrase of a status code (RFC 9110 15, RFC 6585); empty for codes without one.
#[must_use]
pub const fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        203 => "Non-Authoritative Information",
        204 => "No Content",
        205 => "Reset Content",
        206 => "Partial Content",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        511 => "Network Authentication Required",
        _ => "",
    }
}

/// The version in a head.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Version {
    /// HTTP/1.0: a connection per request unless both agree to keep it.
    Http10,
    /// HTTP/1.1: connections are kept unless one of both says `close`.
    #[default]
    Http11,
}

impl Version {
    const fn name(self) -> &'static str {
        match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
        }
    }
}

/// Why bytes are no head.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HeadError {
    /// No start line of the right form.
    StartLine,
    /// A method that is not known: answered 501.
    Method,
    /// A version other than HTTP/1.0 and 1.1: answered 505.
    Version,
    /// A field that is not `name: value`, or has odd bytes in it.
    Field,
    /// More than [`MAX_HEAD`] bytes, or too many fields: answered 431.
    TooLarge,
    /// Lengths that contradict each other or are no numbers.
    Length,
    /// A chunk without a proper size, or without its end.
    Chunk,
}

impl HeadError {
    /// The status code with which a server answers.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::StartLine | Self::Field | Self::Length | Self::Chunk => 400,
            Self::Method => 501,
            Self::Version => 505,
            Self::TooLarge => 431,
        }
    }
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StartLine => "no start line of HTTP/1",
            Self::Method => "unknown method",
            Self::Version => "unknown version of HTTP",
            Self::Field => "a malformed header field",
            Self::TooLarge => "a head that is too large",
            Self::Length => "lengths that contradict each other",
            Self::Chunk => "a malformed chunk",
        })
    }
}

impl std::error::Error for HeadError {}

/// Header fields in their order on the wire; names are compared without case.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Fields(Vec<(Bytes, Bytes)>);

impl Fields {
    /// Appends a field.
    ///
    /// # Panics
    /// If the name is no token or the value holds a control character: such a head would be read as another.
    pub fn push(&mut self, name: impl Into<Bytes>, value: impl Into<Bytes>) {
        let (name, value) = (name.into(), value.into());
        assert!(
            is_token(&name) && value.iter().all(|&byte| is_value_byte(byte)),
            "malformed field {name:?}: {value:?}"
        );
        self.0.push((name, value));
    }

    /// Puts a field in the place of the one with this name, or appends it. Panics as [`Fields::push`].
    pub fn set(&mut self, name: &str, value: &str) {
        let place = self.0.iter().position(|(have, _)| have.eq_ignore_ascii_case(name.as_bytes()));
        self.push(name.to_owned(), value.to_owned());
        if let Some(place) = place {
            self.0.swap_remove(place);
        }
    }

    /// The value of the first field with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        let mut fields = self.0.iter();
        fields.find(|(have, _)| have.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| &value[..])
    }

    /// The values of all fields with this name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.0.iter().filter(move |(have, _)| have.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| &value[..])
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(|(name, value)| (&name[..], &value[..]))
    }

    /// Whether one of the comma-separated values of the fields with this name is `token`.
    #[must_use]
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        self.all(name)
            .flat_map(|value| value.split(|&byte| byte == b','))
            .any(|item| trim(item).eq_ignore_ascii_case(token.as_bytes()))
    }

    /// Whether the connection lives on after this message (RFC 9112 9.3).
    #[must_use]
    pub fn keeps_alive(&self, version: Version) -> bool {
        match version {
            Version::Http11 => !self.has_token("connection", "close"),
            Version::Http10 => self.has_token("connection", "keep-alive"),
        }
    }

    fn put(&self, out: &mut BytesMut) {
        for (name, value) in &self.0 {
            out.put_slice(name);
            out.put_slice(b": ");
            out.put_slice(value);
            out.put_slice(b"\r\n");
        }
        out.put_slice(b"\r\n");
    }

    /// Bytes that these fields take, each with its colon, space and line end.
    fn wire_len(&self) -> usize {
        self.0.iter().map(|(name, value)| name.len() + value.len() + 4).sum()
    }
}

/// A request's head.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// What to do.
    pub method: Method,
    /// With what: path and query, as on the wire.
    pub target: Bytes,
    /// The version.
    pub version: Version,
    /// Header fields.
    pub fields: Fields,
}

/// A response's head.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Response {
    /// The version.
    pub version: Version,
    /// The status code, 100 to 999.
    pub status: u16,
    /// Header fields.
    pub fields: Fields,
}

impl Request {
    /// A request without fields.
    ///
    /// # Panics
    /// If the target is empty or has spaces or control characters in it.
    #[must_use]
    pub fn new(method: Method, target: &str) -> Self {
        assert!(is_target(target.as_bytes()), "malformed target {target:?}");
        Self {
            method,
            target: Bytes::copy_from_slice(target.as_bytes()),
            version: Version::Http11,
            fields: Fields::default(),
        }
    }

    /// Length on the wire in bytes.
    #[must_use]
    pub fn wire_len(&self) -> usize {
        self.method.name().len() + self.target.len() + 12 + self.fields.wire_len() + 2
    }

    /// The head as bytes.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(self.wire_len());
        out.put_slice(self.method.name().as_bytes());
        out.put_u8(b' ');
        out.put_slice(&self.target);
        out.put_u8(b' ');
        out.put_slice(self.version.name().as_bytes());
        out.put_slice(b"\r\n");
        self.fields.put(&mut out);
        out.freeze()
    }

    /// The request in `head`, which ends with its empty line.
    pub fn decode(head: &Bytes) -> Result<Self, HeadError> {
        let (line, fields) = take_apart(head)?;
        let mut words = line.split(|&byte| byte == b' ');
        let (Some(method), Some(target), Some(version), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(HeadError::StartLine);
        };
        if !is_token(method) || !is_target(target) {
            return Err(HeadError::StartLine);
        }
        let method = std::str::from_utf8(method).map_err(|_| HeadError::StartLine)?.parse()?;
        Ok(Self { method, version: version_of(version)?, target: head.slice_ref(target), fields })
    }
}

impl Response {
    /// A response without fields.
    #[must_use]
    pub fn new(status: u16) -> Self {
        Self { version: Version::Http11, status, fields: Fields::default() }
    }

    /// The head as bytes.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let reason = reason(self.status);
        let mut out = BytesMut::with_capacity(15 + reason.len() + self.fields.wire_len() + 2);
        out.put_slice(self.version.name().as_bytes());
        out.put_u8(b' ');
        out.put_slice(&[100, 10, 1].map(|unit| b'0' + u8::try_from(self.status / unit % 10).unwrap_or(0)));
        out.put_u8(b' ');
        out.put_slice(reason.as_bytes());
        out.put_slice(b"\r\n");
        self.fields.put(&mut out);
        out.freeze()
    }

    /// The response in `head`, which ends with its empty line.
    pub fn decode(head: &Bytes) -> Result<Self, HeadError> {
        let (line, fields) = take_apart(head)?;
        let mut words = line.splitn(3, |&byte| byte == b' ');
        let (Some(version), Some(status)) = (words.next(), words.next()) else { return Err(HeadError::StartLine) };
        let version = version_of(version)?;
        let [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9'] = *status else { return Err(HeadError::StartLine) };
        let status = [a, b, c].iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
        Ok(Self { version, status, fields })
    }
}

/// Where the head at the front of `bytes` ends, its empty line included; looks no further back than `from`, the length at
/// which it was last found incomplete.
#[must_use]
pub fn head_end(bytes: &[u8], from: usize) -> Option<usize> {
    let from = from.saturating_sub(3).min(bytes.len());
    bytes[from..].windows(4).position(|window| window == b"\r\n\r\n").map(|at| from + at + 4)
}

/// The start line and the fields of a head.
fn take_apart(head: &Bytes) -> Result<(&[u8], Fields), HeadError> {
    if head.len() > MAX_HEAD {
        return Err(HeadError::TooLarge);
    }
    let text = head.strip_suffix(b"\r\n\r\n").ok_or(HeadError::StartLine)?;
    let mut lines = Lines(Some(text));
    let start = lines.next().filter(|line| !line.is_empty()).ok_or(HeadError::StartLine)?;
    if !start.iter().all(|&byte| is_value_byte(byte)) {
        return Err(HeadError::StartLine);
    }
    let mut fields = Fields::default();
    for line in lines {
        if fields.0.len() == MAX_FIELDS {
            return Err(HeadError::TooLarge);
        }
        let colon = line.iter().position(|&byte| byte == b':').ok_or(HeadError::Field)?;
        let (name, value) = (&line[..colon], trim(&line[colon + 1..]));
        // No space before the colon, no folded lines (RFC 9112 5.1, 5.2): the name must be a token.
        if !is_token(name) || !value.iter().all(|&byte| is_value_byte(byte)) {
            return Err(HeadError::Field);
        }
        fields.0.push((head.slice_ref(name), head.slice_ref(value)));
    }
    Ok((start, fields))
}

/// Without the spaces and tabs at both ends (RFC 9112 5: OWS).
fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// Pieces of text between line ends.
struct Lines<'a>(Option<&'a [u8]>);

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let text = self.0?;
        match text.windows(2).position(|window| window == b"\r\n") {
            Some(at) => {
                self.0 = Some(&text[at + 2..]);
                Some(&text[..at])
            }
            None => self.0.take(),
        }
    }
}

fn version_of(word: &[u8]) -> Result<Version, HeadError> {
    match word {
        b"HTTP/1.1" => Ok(Version::Http11),
        b"HTTP/1.0" => Ok(Version::Http10),
        [b'H', b'T', b'T', b'P', b'/', ..] => Err(HeadError::Version),
        _ => Err(HeadError::StartLine),
    }
}

/// Whether these bytes can be a method or the name of a field or a cookie (RFC 9110 5.6.2).
#[must_use]
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn is_target(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(u8::is_ascii_graphic)
}

/// Whether a field's value may hold this byte: tab, space, visible characters, bytes above ASCII (RFC 9110 5.5).
#[must_use]
pub const fn is_value_byte(byte: u8) -> bool {
    byte == b'\t' || byte >= b' ' && byte != 0x7f
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(text: &str) -> Result<Request, HeadError> {
        Request::decode(&Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn a_head_is_plain_text() {
        let mut request = Request::new(Method::Get, "/item?id=7");
        request.fields.push("Host", "shop.example");
        let bytes = request.encode();
        assert_eq!(bytes, "GET /item?id=7 HTTP/1.1\r\nHost: shop.example\r\n\r\n");
        assert_eq!(bytes.len(), request.wire_len());
        assert_eq!(Request::decode(&bytes), Ok(request));
        let mut response = Response::new(503);
        response.fields.push("Content-Length", "0");
        assert_eq!(response.encode(), "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(Response::decode(&response.encode()), Ok(response));
    }

    #[test]
    fn fields_are_found_without_case_and_tokens_in_lists() {
        let request = decode("GET / HTTP/1.1\r\nCONNECTION: upgrade ,  Close\r\nx:\r\n\r\n").unwrap();
        assert!(request.fields.has_token("Connection", "close"));
        assert!(!request.fields.keeps_alive(Version::Http11));
        assert_eq!(request.fields.get("X"), Some(&b""[..]));
        let old = decode("GET / HTTP/1.0\r\n\r\n").unwrap();
        assert!(!old.fields.keeps_alive(old.version));
    }

    #[test]
    fn what_is_malformed_is_named_and_has_its_status() {
        let error = |text| decode(text).unwrap_err();
        assert_eq!(error("GET /\r\n\r\n"), HeadError::StartLine);
        assert_eq!(error("GET  / HTTP/1.1\r\n\r\n"), HeadError::StartLine);
        assert_eq!(error("\r\n\r\n"), HeadError::StartLine);
        assert_eq!(error("BREW / HTTP/1.1\r\n\r\n"), HeadError::Method);
        assert_eq!(error("GET / HTTP/2.0\r\n\r\n"), HeadError::Version);
        assert_eq!(error("GET / HTTP/1.1\r\nHost : a\r\n\r\n"), HeadError::Field);
        assert_eq!(error("GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n"), HeadError::Field);
        assert_eq!(error("GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n"), HeadError::Field);
        assert_eq!([HeadError::Method, HeadError::Version].map(HeadError::status), [501, 505]);
    }

    #[test]
    fn limits_hold_just_inside_and_just_outside() {
        let head = |n: usize| {
            let line = "GET / HTTP/1.1\r\nA: ";
            format!("{line}{}\r\n\r\n", "x".repeat(n - line.len() - 4))
        };
        assert!(decode(&head(MAX_HEAD)).is_ok());
        assert_eq!(decode(&head(MAX_HEAD + 1)), Err(HeadError::TooLarge));
        let fields = |n| format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(n));
        assert!(decode(&fields(MAX_FIELDS)).is_ok());
        assert_eq!(decode(&fields(MAX_FIELDS + 1)), Err(HeadError::TooLarge));
    }

    #[test]
    fn the_end_of_a_head_is_found_however_it_is_cut() {
        let bytes = b"GET / HTTP/1.1\r\nA: b\r\n\r\nbody";
        let end = bytes.len() - 4;
        for cut in 0..=bytes.len() {
            let first = head_end(&bytes[..cut], 0);
            assert_eq!(first, (cut >= end).then_some(end));
            if first.is_none() {
                assert_eq!(head_end(bytes, cut), Some(end));
            }
        }
    }

    fn any_fields() -> impl Strategy<Value = Fields> {
        proptest::collection::vec(("[a-zA-Z-]{1,12}", "([!-~]([ -~]{0,20}[!-~])?)?"), 0..8).prop_map(|pairs| {
            let mut fields = Fields::default();
            pairs.into_iter().for_each(|(name, value)| fields.push(name, value));
            fields
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            method in 0..Method::ALL.len(), target in "/[!-~]{0,30}", status in 100..=999_u16, fields in any_fields()
        ) {
            let request = Request { fields: fields.clone(), ..Request::new(Method::ALL[method], &target) };
            let bytes = request.encode();
            prop_assert_eq!(head_end(&bytes, 0), Some(bytes.len()));
            prop_assert_eq!(bytes.len(), request.wire_len());
            prop_assert_eq!(Request::decode(&bytes), Ok(request));
            let response = Response { fields, ..Response::new(status) };
            prop_assert_eq!(Response::decode(&response.encode()), Ok(response));
        }

        #[test]
        fn arbitrary_bytes_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Request::decode(&Bytes::from(bytes.clone()));
            bytes.extend(b"\r\n\r\n");
            let _ = Response::decode(&Bytes::from(bytes));
        }

        #[test]
        fn nearly_right_heads_never_panic(at in 0..40_usize, byte in any::<u8>()) {
            let mut bytes = b"GET /a HTTP/1.1\r\nHost: a\r\nB: c\r\n\r\n".to_vec();
            let at = at % bytes.len();
            bytes[at] = byte;
            if let Ok(request) = Request::decode(&Bytes::from(bytes)) {
                prop_assert_eq!(Request::decode(&request.encode()), Ok(request));
            }
        }
    }
}
