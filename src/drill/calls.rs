//! System calls as a script writes them: `name(arguments) = result [ERRNO (text)]`, and the ones that are known.

use super::cursor::Cursor;
use super::script::Problem;
use crate::transport::tcp::Algorithm;

/// A call and what it is to return.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) what: What,
    pub(super) result: i64,
    /// Name of the error, for a result of -1.
    pub(super) errno: Option<String>,
}

/// The call itself; numbers of files are labels of the script.
#[derive(Clone, Debug)]
pub(super) enum What {
    Socket {
        nonblocking: bool,
    },
    Bind {
        fd: i64,
    },
    Listen {
        fd: i64,
        backlog: i64,
    },
    Accept {
        fd: i64,
        nonblocking: bool,
    },
    /// `connect` to no address: the connection is thrown away.
    Disconnect {
        fd: i64,
    },
    Connect {
        fd: i64,
    },
    Read {
        fd: i64,
        max: u64,
        peek: bool,
        dontwait: bool,
    },
    Write {
        fd: i64,
        len: u64,
        dontwait: bool,
        /// The program will write more soon.
        more: bool,
    },
    Shutdown {
        fd: i64,
        read: bool,
        write: bool,
    },
    Close {
        fd: i64,
    },
    SetNonblocking {
        fd: i64,
        on: bool,
    },
    GetFlags {
        fd: i64,
    },
    Set {
        fd: i64,
        option: Setting,
    },
    /// How many bytes can be read.
    Waiting {
        fd: i64,
        value: Option<i64>,
    },
    Get {
        fd: i64,
        option: Getting,
        value: Option<i64>,
    },
}

/// A socket option that can be set.
#[derive(Clone, Debug)]
pub(super) enum Setting {
    /// Changes nothing that a segment shows.
    Ignored,
    ReceiveBuffer(u64),
    SendBuffer(u64),
    NoDelay(bool),
    Cork(bool),
    MaxSegment(u32),
    Congestion(Algorithm),
    /// In milliseconds; zero for none.
    UserTimeout(u64),
    /// Whether closing resets.
    Linger(bool),
    /// How many connections that were opened fast may wait for the end of their handshakes.
    FastOpen(u64),
}

/// A socket option that can be read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Getting {
    Error,
    MaxSegment,
    ReceiveBuffer,
    SendBuffer,
    NoDelay,
}

/// An argument.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Arg {
    /// `...`: anything.
    Any,
    Number(i64),
    /// A name, or several joined by `|`.
    Names(Vec<String>),
    Text(String),
    List(Vec<Arg>),
    /// `{name=value, ...}`: each value.
    Struct(Vec<(String, Arg)>),
}

/// The arguments of one call, and where it stands.
struct Args<'a> {
    name: &'a str,
    all: Vec<Arg>,
    start: Cursor<'a>,
}

/// Reads a call.
pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Call, Problem> {
    cursor.at_end();
    let start = *cursor;
    let name = cursor.word();
    if name.is_empty() || !cursor.eat("(") {
        return Err(start.expected("a packet, a call, a command or an assertion"));
    }
    let all = list(cursor, ")")?;
    cursor.need("=")?;
    let result = signed(cursor)?;
    let mut errno = None;
    cursor.at_end();
    if cursor.rest().starts_with('E') {
        let name = cursor.word();
        errno = Some(if name == "EWOULDBLOCK" { "EAGAIN" } else { name }.to_owned());
    }
    if cursor.eat("(") {
        cursor.take_until(")")?;
    }
    let what = Args { name, all, start }.call()?;
    Ok(Call { what, result, errno })
}

fn signed(cursor: &mut Cursor<'_>) -> Result<i64, Problem> {
    let negative = cursor.eat("-");
    let number = cursor.number()?;
    Ok(if negative { -number } else { number })
}

fn list(cursor: &mut Cursor<'_>, end: &str) -> Result<Vec<Arg>, Problem> {
    let mut all = Vec::new();
    if cursor.eat(end) {
        return Ok(all);
    }
    loop {
        all.push(arg(cursor)?);
        if !cursor.eat(",") {
            cursor.need(end)?;
            return Ok(all);
        }
    }
}

fn arg(cursor: &mut Cursor<'_>) -> Result<Arg, Problem> {
    if cursor.eat("...") {
        return Ok(Arg::Any);
    }
    if cursor.eat("[") {
        return Ok(Arg::List(list(cursor, "]")?));
    }
    if cursor.eat("{") {
        return fields(cursor);
    }
    if cursor.eat("\"") {
        return Ok(Arg::Text(cursor.take_until("\"")?.into()));
    }
    if cursor.rest().starts_with(|c: char| c.is_ascii_digit() || c == '-') {
        let mut number = signed(cursor)?;
        while cursor.eat("*") {
            number = number.saturating_mul(signed(cursor)?);
        }
        return Ok(Arg::Number(number));
    }
    let mut names = Vec::new();
    loop {
        let name = cursor.word();
        if name.is_empty() {
            return Err(cursor.expected("an argument"));
        }
        names.push(name.to_owned());
        // `htons(8080)`, `inet_addr("...")`: what an address holds is not looked at.
        if cursor.eat("(") {
            list(cursor, ")")?;
        }
        if !cursor.eat("|") {
            return Ok(Arg::Names(names));
        }
    }
}

fn fields(cursor: &mut Cursor<'_>) -> Result<Arg, Problem> {
    let mut fields = Vec::new();
    while !cursor.eat("}") {
        if cursor.eat("...") {
            fields.push((String::new(), Arg::Any));
            cursor.eat(",");
            continue;
        }
        if cursor.rest().starts_with(|c: char| c.is_ascii_digit()) {
            fields.push((String::new(), Arg::Number(cursor.number()?)));
            cursor.eat(",");
            continue;
        }
        cursor.eat(".");
        let name = cursor.word().to_owned();
        // The size of an array or a buffer.
        if cursor.eat("(") {
            list(cursor, ")")?;
        }
        cursor.need("=")?;
        fields.push((name, arg(cursor)?));
        cursor.eat(",");
    }
    Ok(Arg::Struct(fields))
}

impl Args<'_> {
    fn call(&self) -> Result<What, Problem> {
        let what = match self.name {
            "socket" => self.socket()?,
            "bind" => What::Bind { fd: self.number(0)? },
            "listen" => What::Listen { fd: self.number(0)?, backlog: self.number(1)? },
            "accept" => What::Accept { fd: self.number(0)?, nonblocking: false },
            "accept4" => What::Accept { fd: self.number(0)?, nonblocking: self.has(3, "SOCK_NONBLOCK") },
            "connect" if self.has(1, "AF_UNSPEC") => What::Disconnect { fd: self.number(0)? },
            "connect" => What::Connect { fd: self.number(0)? },
            "read" | "recv" => {
                self.only_flags(3, &["MSG_PEEK", "MSG_DONTWAIT"])?;
                let (peek, dontwait) = (self.has(3, "MSG_PEEK"), self.has(3, "MSG_DONTWAIT"));
                What::Read { fd: self.number(0)?, max: self.count(2)?, peek, dontwait }
            }
            "write" | "send" => {
                let len = self.count(2)?;
                self.write(3, len)?
            }
            "sendto" if self.all.get(4).is_none_or(|to| *to == Arg::Any) => {
                let len = self.count(2)?;
                self.write(3, len)?
            }
            "sendmsg" => {
                let len = self.gathered()?;
                self.write(2, len)?
            }
            "shutdown" => {
                self.only_flags(1, &["SHUT_RD", "SHUT_WR", "SHUT_RDWR"])?;
                let both = self.has(1, "SHUT_RDWR");
                let (read, write) = (both || self.has(1, "SHUT_RD"), both || self.has(1, "SHUT_WR"));
                What::Shutdown { fd: self.number(0)?, read, write }
            }
            "close" => What::Close { fd: self.number(0)? },
            "fcntl" if self.has(1, "F_SETFL") => {
                What::SetNonblocking { fd: self.number(0)?, on: self.has(2, "O_NONBLOCK") }
            }
            "fcntl" if self.has(1, "F_GETFL") => What::GetFlags { fd: self.number(0)? },
            "ioctl" if self.has(1, "SIOCINQ") || self.has(1, "FIONREAD") => {
                What::Waiting { fd: self.number(0)?, value: self.value(2) }
            }
            "setsockopt" => What::Set { fd: self.number(0)?, option: self.setting()? },
            "getsockopt" => What::Get { fd: self.number(0)?, option: self.getting()?, value: self.value(3) },
            other => return Err(self.start.unsupported(format!("the call {other}()"))),
        };
        Ok(what)
    }

    fn socket(&self) -> Result<What, Problem> {
        if self.has(0, "AF_INET6") && !self.has(1, "SOCK_STREAM") {
            return Err(self.start.unsupported("a socket that is not TCP"));
        }
        let tcp =
            self.has(1, "SOCK_STREAM") && (self.has(2, "IPPROTO_TCP") || self.all.get(2) == Some(&Arg::Number(0)));
        if !tcp {
            return Err(self.start.unsupported("a socket that is not TCP"));
        }
        Ok(What::Socket { nonblocking: self.has(1, "SOCK_NONBLOCK") })
    }

    /// Writes `len` bytes with the flags that argument `flags` names.
    fn write(&self, flags: usize, len: u64) -> Result<What, Problem> {
        self.only_flags(flags, &["MSG_NOSIGNAL", "MSG_DONTWAIT", "MSG_MORE"])?;
        let (dontwait, more) = (self.has(flags, "MSG_DONTWAIT"), self.has(flags, "MSG_MORE"));
        Ok(What::Write { fd: self.number(0)?, len, dontwait, more })
    }

    /// Bytes in all buffers of a message: `msg_iov(2)=[{..., 10}, {..., 20}]`.
    fn gathered(&self) -> Result<u64, Problem> {
        let refused = || self.start.unsupported(format!("{}() without buffers and their sizes", self.name));
        let Some(Arg::Struct(fields)) = self.all.get(1) else { return Err(refused()) };
        if fields.iter().any(|(name, value)| name == "msg_control" && *value != Arg::List(Vec::new())) {
            return Err(self.start.unsupported(format!("{}() with control messages", self.name)));
        }
        let Some((_, Arg::List(buffers))) = fields.iter().find(|(name, _)| name == "msg_iov") else {
            return Err(refused());
        };
        let size = |buffer: &Arg| match buffer {
            Arg::Struct(parts) => match parts.last() {
                Some((_, Arg::Number(size))) => u64::try_from(*size).ok(),
                _ => None,
            },
            _ => None,
        };
        buffers.iter().map(|buffer| size(buffer).ok_or_else(refused)).sum()
    }

    /// Whether an argument names `flag`.
    fn has(&self, index: usize, flag: &str) -> bool {
        matches!(self.all.get(index), Some(Arg::Names(names)) if names.iter().any(|name| name == flag))
    }

    /// That an argument, if it is there, names nothing but `known`.
    fn only_flags(&self, index: usize, known: &[&str]) -> Result<(), Problem> {
        match self.all.get(index) {
            Some(Arg::Names(names)) => match names.iter().find(|name| !known.contains(&name.as_str())) {
                Some(other) => Err(self.start.unsupported(format!("{other} for {}()", self.name))),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn number(&self, index: usize) -> Result<i64, Problem> {
        match self.all.get(index) {
            Some(&Arg::Number(number)) => Ok(number),
            _ => Err(self.start.unsupported(format!("{}() without a number as argument {}", self.name, index + 1))),
        }
    }

    fn count(&self, index: usize) -> Result<u64, Problem> {
        u64::try_from(self.number(index)?).map_err(|_| self.start.unsupported("a negative count"))
    }

    /// The number that an argument holds, alone or in a list of one.
    fn value(&self, index: usize) -> Option<i64> {
        let names_error = |name: &str| match name {
            "ECONNRESET" => Some(104),
            "ECONNREFUSED" => Some(111),
            "ETIMEDOUT" => Some(110),
            "EPIPE" => Some(32),
            "EHOSTUNREACH" => Some(113),
            _ => None,
        };
        match self.all.get(index)? {
            &Arg::Number(number) => Some(number),
            Arg::List(list) => match list.as_slice() {
                [Arg::Number(number)] => Some(*number),
                [Arg::Names(names)] => names_error(names.first()?),
                _ => None,
            },
            _ => None,
        }
    }

    fn option_name(&self) -> Result<&str, Problem> {
        match self.all.get(2) {
            Some(Arg::Names(names)) if names.len() == 1 => Ok(&names[0]),
            _ => Err(self.start.unsupported(format!("{}() without the name of an option", self.name))),
        }
    }

    fn setting(&self) -> Result<Setting, Problem> {
        let name = self.option_name()?;
        let number = || self.value(3).ok_or_else(|| self.start.unsupported(format!("{name} without a number")));
        let count =
            || u64::try_from(number()?).map_err(|_| self.start.unsupported(format!("{name} with a negative number")));
        let setting = match name {
            "SO_REUSEADDR" | "SO_REUSEPORT" | "SO_DEBUG" | "SO_PRIORITY" | "IP_MTU_DISCOVER" | "IP_TOS" => {
                Setting::Ignored
            }
            "SO_RCVBUF" => Setting::ReceiveBuffer(count()?),
            "SO_SNDBUF" => Setting::SendBuffer(count()?),
            "TCP_NODELAY" => Setting::NoDelay(number()? != 0),
            "TCP_CORK" | "TCP_NOPUSH" => Setting::Cork(number()? != 0),
            "TCP_MAXSEG" => match u32::try_from(count()?) {
                Ok(mss @ 88..=65_495) => Setting::MaxSegment(mss),
                _ => return Err(self.start.unsupported("TCP_MAXSEG outside 88..=65495")),
            },
            "TCP_USER_TIMEOUT" => Setting::UserTimeout(count()?),
            "TCP_CONGESTION" => match self.all.get(3) {
                Some(Arg::Text(text)) => Setting::Congestion(controller(text, &self.start)?),
                _ => return Err(self.start.unsupported("TCP_CONGESTION without a name")),
            },
            "TCP_FASTOPEN" => Setting::FastOpen(count()?),
            "SO_LINGER" => self.linger()?,
            other => return Err(self.start.unsupported(format!("the socket option {other}"))),
        };
        Ok(setting)
    }

    fn linger(&self) -> Result<Setting, Problem> {
        let fields = match self.all.get(3) {
            Some(Arg::Struct(fields)) => fields,
            Some(Arg::List(list)) => match list.as_slice() {
                [Arg::Struct(fields)] => fields,
                _ => return Err(self.start.unsupported("SO_LINGER without {onoff, linger}")),
            },
            _ => return Err(self.start.unsupported("SO_LINGER without {onoff, linger}")),
        };
        let field = |names: [&str; 2]| {
            fields.iter().find_map(|(name, value)| match value {
                &Arg::Number(number) if names.contains(&name.as_str()) => Some(number),
                _ => None,
            })
        };
        let (on, seconds) = (field(["onoff", "l_onoff"]), field(["linger", "l_linger"]));
        match (on, seconds) {
            (Some(on), Some(seconds)) if on == 0 || seconds == 0 => Ok(Setting::Linger(on != 0)),
            _ => Err(self.start.unsupported("SO_LINGER that waits")),
        }
    }

    fn getting(&self) -> Result<Getting, Problem> {
        match self.option_name()? {
            "SO_ERROR" => Ok(Getting::Error),
            "TCP_MAXSEG" => Ok(Getting::MaxSegment),
            "SO_RCVBUF" => Ok(Getting::ReceiveBuffer),
            "SO_SNDBUF" => Ok(Getting::SendBuffer),
            "TCP_NODELAY" => Ok(Getting::NoDelay),
            other => Err(self.start.unsupported(format!("reading the socket option {other}"))),
        }
    }
}

/// A congestion controller by the name that a kernel gives it.
pub(super) fn controller(name: &str, at: &Cursor<'_>) -> Result<Algorithm, Problem> {
    let own = if name == "newreno" { "reno" } else { name };
    Algorithm::by_name(own).ok_or_else(|| at.unsupported(format!("the congestion controller {name}")))
}
