//! Assertions about the machine's state between `%{` and `}%`: a small language of integers, with the comparisons of Python.

use super::cursor::Cursor;
use super::script::Problem;
use crate::base::Time;
use crate::transport::congestion::Phase;
use crate::transport::tcp::{Info, State};
use std::collections::{BTreeMap, BTreeSet};

/// A statement.
#[derive(Clone, Debug)]
pub(super) enum Statement {
    /// An expression that must not be zero, and how it is written.
    Assert { line: usize, condition: Expr, text: String },
    /// A variable gets a value, or has it added.
    Let { name: String, add: bool, value: Expr },
}

/// An expression; truth is 1 and falsehood 0.
#[derive(Clone, Debug)]
pub(super) enum Expr {
    Number(i64),
    Name(String),
    Not(Box<Expr>),
    Minus(Box<Expr>),
    Pair(Box<Expr>, Pair, Box<Expr>),
    /// `a <= b < c`: each neighbouring pair holds.
    Chain(Box<Expr>, Vec<(Order, Expr)>),
}

/// How two numbers make one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Pair {
    Add,
    Subtract,
    Multiply,
    BitAnd,
    BitOr,
    And,
    Or,
}

/// How two numbers compare.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Order {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Numbers by name that never change.
const CONSTANTS: &[(&str, i64)] = &[
    ("TCP_CA_Open", 0),
    ("TCP_CA_Disorder", 1),
    ("TCP_CA_CWR", 2),
    ("TCP_CA_Recovery", 3),
    ("TCP_CA_Loss", 4),
    ("TCP_ESTABLISHED", 1),
    ("TCP_SYN_SENT", 2),
    ("TCP_SYN_RECV", 3),
    ("TCP_FIN_WAIT1", 4),
    ("TCP_FIN_WAIT2", 5),
    ("TCP_TIME_WAIT", 6),
    ("TCP_CLOSE", 7),
    ("TCP_CLOSE_WAIT", 8),
    ("TCP_LAST_ACK", 9),
    ("TCP_LISTEN", 10),
    ("TCP_CLOSING", 11),
    // As the FreeBSD suite spells states.
    ("TCPI_ESTABLISHED", 1),
    ("TCPI_SYN_SENT", 2),
    ("TCPI_SYN_RECEIVED", 3),
    ("TCPI_FIN_WAIT_1", 4),
    ("TCPI_FIN_WAIT_2", 5),
    ("TCPI_TIME_WAIT", 6),
    ("TCPI_CLOSED", 7),
    ("TCPI_CLOSE_WAIT", 8),
    ("TCPI_LAST_ACK", 9),
    ("TCPI_LISTEN", 10),
    ("TCPI_CLOSING", 11),
    ("TCP_INFINITE_SSTHRESH", 0x7fff_ffff),
    ("TCPI_OPT_TIMESTAMPS", 1),
    ("TCPI_OPT_SACK", 2),
    ("TCPI_OPT_WSCALE", 4),
    ("TCPI_OPT_ECN", 8),
    ("TCPI_OPT_SYN_DATA", 32),
    ("True", 1),
    ("False", 0),
];

/// A field of a connection's state as a number.
type Field = fn(&Info) -> i64;

/// Fields of a connection's state by their names in Linux `tcp_info`; times in microseconds.
const FIELDS: &[(&str, Field)] = &[
    ("tcpi_state", |info| state(info.state)),
    ("tcpi_ca_state", |info| match info.phase {
        Phase::Open => 0,
        Phase::Disorder => 1,
        Phase::Reducing => 2,
        Phase::Recovery => 3,
        Phase::Loss => 4,
    }),
    ("tcpi_snd_cwnd", |info| info.cwnd.into()),
    ("tcpi_snd_ssthresh", |info| info.ssthresh.into()),
    ("tcpi_unacked", |info| info.unacked.into()),
    ("tcpi_sacked", |info| info.sacked.into()),
    ("tcpi_lost", |info| info.lost.into()),
    ("tcpi_retrans", |info| info.retrans.into()),
    ("tcpi_total_retrans", |info| info.total_retrans.cast_signed()),
    ("tcpi_delivered", |info| info.delivered.cast_signed()),
    ("tcpi_rtt", |info| info.srtt.as_micros().cast_signed()),
    ("tcpi_rttvar", |info| info.rttvar.as_micros().cast_signed()),
    ("tcpi_min_rtt", |info| info.min_rtt.as_micros().cast_signed()),
    ("tcpi_rto", |info| info.rto.as_micros().cast_signed()),
    ("tcpi_backoff", |info| info.backoff.into()),
    ("tcpi_probes", |info| info.probes.into()),
    ("tcpi_snd_mss", |info| info.snd_mss.into()),
    ("tcpi_advmss", |info| info.advmss.into()),
    ("tcpi_rcv_mss", |info| info.rcv_mss.into()),
    ("tcpi_reord_seen", |info| info.reorderings.into()),
    ("tcpi_bytes_acked", |info| info.bytes_acked.cast_signed()),
    ("tcpi_bytes_received", |info| info.bytes_received.cast_signed()),
    ("tcpi_reordering", |info| info.reordering.into()),
    ("tcpi_options", |info| {
        let (timestamps, sack, scaling) = info.options;
        i64::from(timestamps) | i64::from(sack) << 1 | i64::from(scaling) << 2 | i64::from(info.syn_data) << 5
    }),
];

/// What a field in milliseconds counts from.
type Since = fn(&Info) -> Time;

/// Fields that say how long ago something was, in milliseconds.
const AGES: &[(&str, Since)] = &[("tcpi_last_data_recv", |info| info.last_received)];

const fn state(state: State) -> i64 {
    match state {
        State::Established => 1,
        State::SynSent => 2,
        State::SynReceived => 3,
        State::FinWait1 => 4,
        State::FinWait2 => 5,
        State::TimeWait => 6,
        State::Closed => 7,
        State::CloseWait => 8,
        State::LastAck => 9,
        State::Closing => 11,
    }
}

/// Reads the statements of a block that begins at `line`; `variables` are those that earlier blocks set.
pub(super) fn parse(text: &str, line: usize, variables: &mut BTreeSet<String>) -> Result<Vec<Statement>, Problem> {
    let mut statements = Vec::new();
    // A backslash at the end of a line is seen behind whole statements only.
    let text = text.replace("\\\n", " \n");
    for (number, text) in split(&text) {
        let mut cursor = Cursor::new(text, line + number);
        if text.split(['"', '\'']).next().is_some_and(|code| code.contains("//")) {
            return Err(cursor.unsupported("division between %{ and }%"));
        }
        if cursor.at_end() || cursor.eat_word("print") || cursor.eat_word("pass") {
            continue;
        }
        let line = cursor.line();
        if cursor.eat_word("assert") {
            let condition = or(&mut cursor, variables)?;
            if !cursor.at_end() && !cursor.eat(",") {
                return Err(cursor.expected("`,` or the end of the assertion"));
            }
            statements.push(Statement::Assert { line, condition, text: text.trim().into() });
            continue;
        }
        let start = cursor;
        let name = cursor.word();
        let add = cursor.eat("+=");
        if name.is_empty() || !(add || cursor.eat("=")) {
            return Err(start.unsupported(format!("`{}` between %{{ and }}%", text.trim())));
        }
        let value = or(&mut cursor, variables)?;
        if !cursor.at_end() {
            return Err(cursor.expected("the end of the statement"));
        }
        variables.insert(name.into());
        statements.push(Statement::Let { name: name.into(), add, value });
    }
    Ok(statements)
}

/// Cuts at ends of lines and semicolons outside brackets and quotes; comments become nothing.
fn split(text: &str) -> Vec<(usize, &str)> {
    let mut parts = Vec::new();
    let (mut depth, mut quote, mut start, mut line, mut began) = (0i32, None, 0, 0, 0);
    let mut comment = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            _ if comment.is_some() && c != '\n' => continue,
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) if c != '\n' => {}
            (_, '\'' | '"') => quote = Some(c),
            (_, '(' | '[') => depth += 1,
            (_, ')' | ']') => depth -= 1,
            (_, '#') => comment = Some(at),
            (_, ';' | '\n') if depth <= 0 => {
                parts.push((began, &text[start..comment.take().unwrap_or(at)]));
                start = at + 1;
                began = line + usize::from(c == '\n');
                quote = None;
            }
            (_, '\n') => comment = None,
            _ => {}
        }
        line += usize::from(c == '\n');
    }
    parts.push((began, &text[start..comment.unwrap_or(text.len())]));
    parts
}

type Parsed = Result<Expr, Problem>;

fn or(cursor: &mut Cursor<'_>, variables: &BTreeSet<String>) -> Parsed {
    let mut left = and(cursor, variables)?;
    while cursor.eat_word("or") {
        left = pair(left, Pair::Or, and(cursor, variables)?);
    }
    Ok(left)
}

fn and(cursor: &mut Cursor<'_>, variables: &BTreeSet<String>) -> Parsed {
    let mut left = not(cursor, variables)?;
    while cursor.eat_word("and") {
        left = pair(left, Pair::And, not(cursor, variables)?);
    }
    Ok(left)
}

fn not(cursor: &mut Cursor<'_>, variables: &BTreeSet<String>) -> Parsed {
    if cursor.eat_word("not") {
        return Ok(Expr::Not(Box::new(not(cursor, variables)?)));
    }
    let first = bits(cursor, variables)?;
    let mut chain = Vec::new();
    while let Some(order) = order(cursor) {
        chain.push((order, bits(cursor, variables)?));
    }
    Ok(if chain.is_empty() { first } else { Expr::Chain(Box::new(first), chain) })
}

fn order(cursor: &mut Cursor<'_>) -> Option<Order> {
    let orders = [
        ("==", Order::Equal),
        ("!=", Order::Unequal),
        ("<=", Order::LessOrEqual),
        (">=", Order::GreaterOrEqual),
        ("<", Order::Less),
        (">", Order::Greater),
    ];
    orders.into_iter().find(|(sign, _)| cursor.eat(sign)).map(|(_, order)| order)
}

fn bits(cursor: &mut Cursor<'_>, variables: &BTreeSet<String>) -> Parsed {
    let mut left = sum(cursor, variables)?;
    loop {
        let sign = match () {
            () if cursor.eat("&") => Pair::BitAnd,
            () if cursor.eat("|") => Pair::BitOr,
            () => return Ok(left),
        };
        left = pair(left, sign, sum(cursor, variables)?);
    }
}

fn sum(cursor: &mut Cursor<'_>, variables: &BTreeSet<String>) -> Parsed {
    let mut left = product(cursor, variables)?;
    loop {
        let sign = match () {
            () if cursor.eat("+") => Pair::Add,
            () if cursor.eat("-") => Pair::Subtract,
            () => return Ok(left),
        };
        left = pair(left, sign, product(cursor, variables)?);
    }
}

fn product(cursor: &mut Cursor<'_>, variables: &BTreeSet<String>) -> Parsed {
    let mut left = atom(cursor, variables)?;
    while cursor.eat("*") {
        left = pair(left, Pair::Multiply, atom(cursor, variables)?);
    }
    Ok(left)
}

fn atom(cursor: &mut Cursor<'_>, variables: &BTreeSet<String>) -> Parsed {
    if cursor.eat("(") {
        let inner = or(cursor, variables)?;
        cursor.need(")")?;
        return Ok(inner);
    }
    if cursor.eat("-") {
        return Ok(Expr::Minus(Box::new(atom(cursor, variables)?)));
    }
    if cursor.rest().starts_with(|c: char| c.is_ascii_digit()) {
        return Ok(Expr::Number(cursor.number()?));
    }
    let start = *cursor;
    let name = cursor.word();
    if let Some(&(_, value)) = CONSTANTS.iter().find(|(known, _)| *known == name) {
        return Ok(Expr::Number(value));
    }
    let field = FIELDS.iter().any(|(known, _)| *known == name) || AGES.iter().any(|(known, _)| *known == name);
    if field || variables.contains(name) {
        return Ok(Expr::Name(name.into()));
    }
    Err(if name.is_empty() { start.expected("a number or a name") } else { start.unsupported(format!("`{name}`")) })
}

fn pair(left: Expr, sign: Pair, right: Expr) -> Expr {
    Expr::Pair(Box::new(left), sign, Box::new(right))
}

/// What names stand for at one instant.
pub(super) struct Scope<'a> {
    /// The state of the connection, or `None` for a socket that listens or has none.
    pub(super) info: Option<Info>,
    /// Whether the socket listens.
    pub(super) listening: bool,
    pub(super) now: Time,
    pub(super) variables: &'a BTreeMap<String, i64>,
}

impl Scope<'_> {
    fn name(&self, name: &str) -> i64 {
        if let Some(&value) = self.variables.get(name) {
            return value;
        }
        if let (Some(info), Some((_, since))) = (&self.info, AGES.iter().find(|(known, _)| *known == name)) {
            return self.now.since(since(info)).as_millis().cast_signed();
        }
        let field = FIELDS.iter().find(|(known, _)| *known == name).map(|(_, field)| field);
        match (&self.info, field) {
            (Some(info), Some(field)) => field(info),
            _ if name == "tcpi_state" => {
                if self.listening {
                    10
                } else {
                    7
                }
            }
            _ => 0,
        }
    }

    /// The value of an expression; nothing overflows into another value.
    pub(super) fn value(&self, expr: &Expr) -> i64 {
        match expr {
            Expr::Number(number) => *number,
            Expr::Name(name) => self.name(name),
            Expr::Not(inner) => i64::from(self.value(inner) == 0),
            Expr::Minus(inner) => self.value(inner).saturating_neg(),
            Expr::Pair(left, sign, right) => {
                let (left, right) = (self.value(left), self.value(right));
                match sign {
                    Pair::Add => left.saturating_add(right),
                    Pair::Subtract => left.saturating_sub(right),
                    Pair::Multiply => left.saturating_mul(right),
                    Pair::BitAnd => left & right,
                    Pair::BitOr => left | right,
                    Pair::And => i64::from(left != 0 && right != 0),
                    Pair::Or => i64::from(left != 0 || right != 0),
                }
            }
            Expr::Chain(first, rest) => {
                let mut left = self.value(first);
                for (order, right) in rest {
                    let right = self.value(right);
                    let holds = match order {
                        Order::Equal => left == right,
                        Order::Unequal => left != right,
                        Order::Less => left < right,
                        Order::LessOrEqual => left <= right,
                        Order::Greater => left > right,
                        Order::GreaterOrEqual => left >= right,
                    };
                    if !holds {
                        return 0;
                    }
                    left = right;
                }
                1
            }
        }
    }

    /// The values of the names in an expression, for a person who wonders why it does not hold.
    pub(super) fn explain(&self, expr: &Expr, into: &mut Vec<String>) {
        match expr {
            Expr::Number(_) => {}
            Expr::Name(name) => {
                let text = format!("{name} is {}", self.name(name));
                if !into.contains(&text) {
                    into.push(text);
                }
            }
            Expr::Not(inner) | Expr::Minus(inner) => self.explain(inner, into),
            Expr::Pair(left, _, right) => {
                self.explain(left, into);
                self.explain(right, into);
            }
            Expr::Chain(first, rest) => {
                self.explain(first, into);
                for (_, right) in rest {
                    self.explain(right, into);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> i64 {
        let statements = parse(&format!("assert {text}, 'why'"), 1, &mut BTreeSet::new()).unwrap();
        let [Statement::Assert { condition, .. }] = statements.as_slice() else { panic!("one assertion") };
        Scope { info: None, listening: true, now: Time::ZERO, variables: &BTreeMap::new() }.value(condition)
    }

    #[test]
    fn expressions_have_the_values_of_python() {
        assert_eq!(value("2 + 3 * 4 - 1"), 13);
        assert_eq!(value("(2 + 3) * 4 == 20 and not 0"), 1);
        assert_eq!(value("1 <= 2 <= 2 < 3"), 1);
        assert_eq!(value("1 <= 3 <= 2"), 0);
        assert_eq!(value("6 & 3 | 8"), 10);
        assert_eq!(value("0x10 == 16 or 0"), 1);
        assert_eq!(value("tcpi_state == TCP_LISTEN"), 1);
    }

    #[test]
    fn statements_end_at_lines_and_semicolons() {
        let mut names = BTreeSet::new();
        let text = "x = 2; x += 3 # five\nassert (x ==\n 5), 'a; b'\nprint(x)";
        assert_eq!(parse(text, 1, &mut names).unwrap().len(), 3);
        assert!(parse("assert nonsense == 1", 1, &mut names).is_err());
        assert!(parse("import os", 1, &mut names).is_err());
    }
}
