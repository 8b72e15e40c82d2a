//! A script as data, and the reader of its frame: options, times, and which kind of event follows.

use super::calls::{self, Call};
use super::commands::{self, Setting};
use super::cursor::Cursor;
use super::expression::{self, Statement};
use super::packets::{self, Packet};
use crate::base::{Span, Time};
use std::collections::BTreeSet;

/// Why a script cannot be run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// Where, counted from one.
    pub line: usize,
    /// What the interpreter does not know.
    pub construct: String,
}

/// When an event is due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum When {
    /// At any time.
    Any,
    /// At an instant of the script.
    At(Time),
    /// So long after the event before.
    After(Span),
    /// Between two instants.
    Between(Time, Time),
    /// Between so long and so long after the event before.
    Within(Span, Span),
}

/// What happens.
#[derive(Clone, Debug)]
pub(super) enum Action {
    /// The peer sends a packet.
    Inject(Packet),
    /// The machine is to send a packet.
    Expect(Packet),
    /// The program calls.
    Call(Call),
    /// Settings change.
    Set(Vec<Setting>),
    /// The machine's state is asserted.
    Assert(Vec<Statement>),
}

/// One event.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) line: usize,
    pub(super) when: When,
    /// When the call is to return, for one that blocks: as written, counted as the start is.
    pub(super) until: Option<Span>,
    pub(super) action: Action,
    /// The event as written.
    pub(super) text: String,
}

/// A script.
#[derive(Clone, Debug)]
pub(super) struct Script {
    /// By how much a time may be missed, at least.
    pub(super) tolerance: Span,
    /// The same as a share of the time since the event before, in thousandths of a percent.
    pub(super) tolerance_share: u64,
    /// MTU of the interface in bytes.
    pub(super) mtu: u32,
    pub(super) ipv6: bool,
    /// Length of a tick of the timestamp clock; zero where timestamps are not compared.
    pub(super) tick: Span,
    /// Each packet expected is one segment.
    pub(super) strict_segments: bool,
    pub(super) events: Vec<Event>,
}

const DEFAULT_MTU: u32 = 1500;

/// What an IPv4 packet has room for beside the two headers without options.
const LARGEST_PAYLOAD: u32 = 65_495;

/// Reads a script.
pub(super) fn parse(text: &str) -> Result<Script, Problem> {
    let mut script = Script {
        tolerance: Span::from_millis(4),
        tolerance_share: 12_500,
        mtu: DEFAULT_MTU,
        ipv6: false,
        tick: Span::ZERO,
        strict_segments: false,
        events: Vec::new(),
    };
    let mut cursor = Cursor::new(text, 1);
    while cursor.eat("--") {
        option(&mut cursor, &mut script)?;
    }
    // The machine's headers are those of IPv4: under IPv6 as much less is left of the MTU (but a size given counts as IPv4's).
    if script.ipv6 && script.mtu == DEFAULT_MTU {
        script.mtu -= 20;
    }
    let mut names = BTreeSet::new();
    while !cursor.at_end() {
        let event = event(&mut cursor, &mut names)?;
        script.events.push(event);
    }
    Ok(script)
}

fn option(cursor: &mut Cursor<'_>, script: &mut Script) -> Result<(), Problem> {
    let start = *cursor;
    let name = cursor.take_while(|c| c.is_alphanumeric() || c == '_');
    let value = if cursor.eat_here("=") { cursor.take_while(|c| !c.is_whitespace()) } else { "" };
    let number = || value.parse::<u32>().map_err(|_| start.expected("an option with a number"));
    match name {
        "tolerance_usecs" => script.tolerance = Span::from_micros(number()?.into()),
        "tolerance_percent" => {
            let mut value = Cursor::new(value, start.line());
            // As seconds have nine decimals, so here a percent has: three are kept.
            script.tolerance_share = value.seconds()?.as_nanos() / 1_000_000;
        }
        "mtu" => script.mtu = number()?,
        "tcp_ts_tick_usecs" => script.tick = Span::from_micros(number()?.into()),
        "strict_segments" => script.strict_segments = true,
        "ip_version" if value == "ipv4" => {}
        "ip_version" if value == "ipv6" => script.ipv6 = true,
        // The size of the segments that a large injected packet counts as (GSO): here it arrives whole.
        "mss" => drop(number()?),
        "local_ip" | "remote_ip" | "gateway_ip" | "netmask_ip" | "non_fatal" | "define" | "D" | "wire_client_dev" => {}
        _ => return Err(start.unsupported(format!("the option --{name}={value}"))),
    }
    if !(128..=65_535).contains(&script.mtu) {
        return Err(start.unsupported("an MTU outside 128..=65535"));
    }
    Ok(())
}

fn event(cursor: &mut Cursor<'_>, names: &mut BTreeSet<String>) -> Result<Event, Problem> {
    cursor.at_end();
    let start = *cursor;
    let line = cursor.line();
    let (mut when, mut until) = (When::After(Span::ZERO), None);
    if !cursor.rest().starts_with('`') {
        (when, until) = time(cursor)?;
    }
    cursor.at_end();
    let action = if cursor.eat_here("`") {
        let at = cursor.line();
        Action::Set(commands::parse(cursor.take_until("`")?, at)?)
    } else if cursor.eat_here("%{") {
        let at = cursor.line();
        Action::Assert(expression::parse(cursor.take_until("}%")?, at, names)?)
    } else if cursor.eat_here("<") {
        let packet = packets::parse(cursor)?;
        if packet.len > LARGEST_PAYLOAD {
            return Err(start.unsupported("a packet larger than IP carries"));
        }
        Action::Inject(packet)
    } else if cursor.eat_here(">") {
        Action::Expect(packets::parse(cursor)?)
    } else {
        Action::Call(calls::parse(cursor)?)
    };
    let ranged = matches!(when, When::Any | When::Between(..) | When::Within(..));
    if ranged && !matches!(action, Action::Expect(_)) {
        return Err(start.unsupported("a range of times for an event that the script itself causes"));
    }
    if until.is_some() && !matches!(action, Action::Call(_)) {
        return Err(start.unsupported("`...` in the time of what is no call"));
    }
    let len = start.rest().len() - cursor.rest().len();
    Ok(Event { line, when, until, action, text: start.rest()[..len].trim().into() })
}

fn time(cursor: &mut Cursor<'_>) -> Result<(When, Option<Span>), Problem> {
    if cursor.eat("*") {
        return Ok((When::Any, None));
    }
    let relative = cursor.eat("+");
    let first = cursor.seconds()?;
    if cursor.eat("~") {
        if cursor.eat("+") != relative {
            return Err(cursor.expected("the end of a range like its start"));
        }
        let last = cursor.seconds()?;
        let when =
            if relative { When::Within(first, last) } else { When::Between(Time::ZERO + first, Time::ZERO + last) };
        return Ok((when, None));
    }
    let until = if cursor.eat("...") {
        cursor.eat("+");
        Some(cursor.seconds()?)
    } else {
        None
    };
    Ok((if relative { When::After(first) } else { When::At(Time::ZERO + first) }, until))
}
