//! The play: events in their order, the clock between them, and calls that wait.

use super::Strictness;
use super::calls::{Call, Getting, Setting, What};
use super::commands::Setting as Command;
use super::expression::{Scope, Statement};
use super::mapping::Mapping;
use super::matcher::{Matcher, Progress};
use super::packets::Packet;
use super::report::{Failure, Verdict, instant, live, words};
use super::script::{Action, Event, Problem, Script, When};
use super::stack::{Errno, Handle, Now, PATIENCE, Stack};
use crate::base::{Span, Time};
use crate::transport::tcp::Config;
use crate::wire::{Ecn, Flags};
use std::collections::BTreeMap;

/// More wakes than this at one event mean that the machine asks for them in vain.
const MOST_WAKES: u32 = 100_000;

/// What ends a play early.
enum Stop {
    /// The machine did something else: where, if not at the event itself, and in which words.
    Fail(Option<usize>, String),
    /// The script does something that cannot be done.
    Unsupported(String),
}

fn fail<T>(reason: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Fail(None, reason.into()))
}

/// A call that waits.
struct Waiting {
    line: usize,
    call: Call,
    handle: Handle,
    /// Bytes written so far.
    written: u64,
    /// A write has found no room: it waits to be told that there is some.
    tried: bool,
    /// When it is to return; a script that counts from the event before may mean the start of the script.
    until: [Time; 2],
    tolerance: Span,
}

struct Play<'a> {
    script: &'a Script,
    strictness: Strictness,
    stack: Stack,
    mapping: Mapping,
    now: Time,
    /// When the event before happened.
    previous: Time,
    files: BTreeMap<i64, Handle>,
    /// The socket that assertions are about.
    subject: Option<Handle>,
    variables: BTreeMap<String, i64>,
    waiting: Option<Waiting>,
    /// The last acknowledgment that was expected, as scripted.
    acked: Option<u32>,
}

/// Plays a script.
pub(super) fn play(script: &Script, strictness: Strictness) -> Verdict {
    let config = Config {
        mtu: script.mtu,
        // As in a fresh network namespace of Linux: `tcp_rmem` up to 6 MiB.
        receive_buffer: 6 << 20,
        // Scripts name the times that are meant; kernels are late by their ticks, each by its own, which tolerances allow for.
        ticks: Some(false),
        ..Config::default()
    };
    let packets = script.events.iter().filter_map(|event| match &event.action {
        Action::Inject(packet) => Some((true, packet)),
        Action::Expect(packet) => Some((false, packet)),
        _ => None,
    });
    let mut play = Play {
        script,
        strictness,
        stack: Stack::new(config),
        mapping: Mapping::of(packets),
        now: Time::ZERO,
        previous: Time::ZERO,
        files: BTreeMap::new(),
        subject: None,
        variables: BTreeMap::new(),
        waiting: None,
        acked: None,
    };
    for event in &script.events {
        match play.event(event) {
            Ok(()) => {}
            Err(Stop::Fail(line, reason)) => {
                return Verdict::Fail(Failure { line: line.unwrap_or(event.line), reason });
            }
            Err(Stop::Unsupported(construct)) => {
                return Verdict::Unsupported(Problem { line: event.line, construct });
            }
        }
    }
    let line = script.events.last().map_or(1, |event| event.line);
    match play.finish() {
        Ok(()) => Verdict::Pass,
        Err(Stop::Fail(at, reason)) => Verdict::Fail(Failure { line: at.unwrap_or(line), reason }),
        Err(Stop::Unsupported(construct)) => Verdict::Unsupported(Problem { line, construct }),
    }
}

impl Play<'_> {
    fn event(&mut self, event: &Event) -> Result<(), Stop> {
        if let Action::Expect(packet) = &event.action {
            self.expect(event, packet)?;
        } else {
            self.reach(event)?;
            match &event.action {
                Action::Inject(packet) => {
                    let segment = self.mapping.inbound(packet);
                    self.stack.inject(segment, packet.ecn.unwrap_or(Ecn::NotCapable), self.now);
                }
                Action::Call(call) => self.call(event, call)?,
                Action::Set(settings) => settings.iter().try_for_each(|setting| self.apply(setting))?,
                Action::Assert(statements) => self.assert(statements)?,
                Action::Expect(_) => {}
            }
        }
        self.settle()?;
        self.previous = self.now;
        Ok(())
    }

    /// By how much the time `at` may be missed, as the event before was at `self.previous`.
    fn tolerance(&self, at: Time) -> Span {
        if self.strictness.exact {
            return Span::ZERO;
        }
        let share = (at.since(self.previous).as_nanos() / 100_000).saturating_mul(self.script.tolerance_share);
        self.script.tolerance.max(Span::from_nanos(share))
    }

    /// Moves the clock to an event that the script causes.
    fn reach(&mut self, event: &Event) -> Result<(), Stop> {
        let at = match event.when {
            When::At(at) => at,
            When::After(span) => self.previous.saturating_add(span),
            When::Any | When::Between(..) | When::Within(..) => self.now,
        };
        if self.now > at.saturating_add(self.tolerance(at)) {
            return fail(format!("`{}` is due at {}, and it is {}", event.text, instant(at), instant(self.now)));
        }
        self.advance(at)
    }

    /// Lets time pass until `to`, everything due by then included.
    fn advance(&mut self, to: Time) -> Result<(), Stop> {
        if to <= self.now {
            return Ok(());
        }
        for _ in 0..MOST_WAKES {
            let wake = self.stack.next_wake();
            if wake > to {
                self.now = to;
                return self.settle();
            }
            self.wake(wake)?;
        }
        fail("the machine asks to be woken again and again")
    }

    fn wake(&mut self, at: Time) -> Result<(), Stop> {
        self.now = self.now.max(at);
        self.stack.wake(self.now);
        self.settle()
    }

    /// Lets time pass until the machine has sent something; false if it has not by `latest`.
    fn await_output(&mut self, latest: Time) -> Result<bool, Stop> {
        for _ in 0..MOST_WAKES {
            if !self.stack.out.is_empty() {
                return Ok(true);
            }
            let wake = self.stack.next_wake();
            if wake > latest {
                return Ok(false);
            }
            self.wake(wake)?;
        }
        fail("the machine asks to be woken again and again")
    }

    /// The earliest and latest instants of an expected packet, and in words when it is due.
    fn window(&self, when: When) -> (Time, Time, String) {
        let around = |first: Time, last: Time, tolerance: Span| {
            let earliest = Time::ZERO + first.since(Time::ZERO + tolerance);
            (earliest, last.saturating_add(tolerance))
        };
        let least = if self.strictness.exact { Span::ZERO } else { self.script.tolerance };
        let (first, last) = match when {
            When::Any => return (Time::ZERO, self.now.saturating_add(PATIENCE), "at any time".into()),
            When::At(at) => (at, at),
            When::After(span) => (self.previous.saturating_add(span), self.previous.saturating_add(span)),
            When::Between(first, last) => (first, last),
            When::Within(first, last) => (self.previous.saturating_add(first), self.previous.saturating_add(last)),
        };
        if first == last {
            let (earliest, latest) = around(first, last, self.tolerance(first));
            return (earliest, latest, format!("at {}", instant(first)));
        }
        let (earliest, latest) = around(first, last, least);
        (earliest, latest, format!("between {} and {}", instant(first), instant(last)))
    }

    fn expect(&mut self, event: &Event, packet: &Packet) -> Result<(), Stop> {
        let (earliest, latest, due) = self.window(event.when);
        let mut gathered = 0;
        loop {
            if !self.await_output(latest)? {
                return fail(format!("`{}` never came; it was due {due}", words(packet)));
            }
            let Some(emitted) = self.stack.out.pop_front() else { continue };
            if packet.flags.has(Flags::SYN) && emitted.segment.flags.has(Flags::SYN) {
                self.mapping.learn(packet.seq, emitted.segment.seq);
            }
            let matcher = Matcher {
                mapping: &self.mapping,
                strictness: self.strictness,
                stamps: self.stamp_tolerance(),
                whole_segments: self.script.strict_segments,
            };
            let progress = match matcher.judge(packet, &emitted, gathered) {
                Ok(progress) => progress,
                Err(_) if gathered == 0 && matcher.is_extra_ack(&emitted, self.acked) => {
                    self.acked = self.mapping.outbound(&emitted.segment).ack;
                    continue;
                }
                Err(difference) => {
                    return fail(format!(
                        "{difference}\n  expected  > {}, {due}\n  sent      > {}, at {}",
                        words(packet),
                        live(&emitted.segment, &self.mapping),
                        instant(emitted.at)
                    ));
                }
            };
            if emitted.at < earliest || emitted.at > latest {
                let early = if emitted.at < earliest { "early" } else { "late" };
                return fail(format!(
                    "`{}` came too {early}: at {}, due {due}",
                    live(&emitted.segment, &self.mapping),
                    instant(emitted.at)
                ));
            }
            self.learn(packet, &emitted.segment);
            match progress {
                Progress::Complete => return Ok(()),
                Progress::Partly(bytes) => gathered = bytes,
            }
        }
    }

    /// Timestamps may differ by the tick that the script names, where it names one.
    fn stamp_tolerance(&self) -> Option<u32> {
        let tick = self.script.tick;
        if tick.is_zero() && !self.strictness.exact {
            return None;
        }
        let tolerated = if self.strictness.exact { Span::ZERO } else { self.script.tolerance };
        u32::try_from(tolerated.as_millis() + tick.as_millis()).ok()
    }

    /// An expected segment has come: its timestamp and its acknowledgment are known.
    fn learn(&mut self, packet: &Packet, segment: &crate::wire::Segment) {
        self.acked = packet.ack.or(self.acked);
        let scripted = packet.options.as_ref().and_then(|options| options.timestamps);
        if let (Some((scripted, _)), Some((live, _))) = (scripted, segment.options.timestamps) {
            self.mapping.learn_stamp(scripted, live);
        }
    }

    fn finish(&mut self) -> Result<(), Stop> {
        self.await_call()?;
        if self.strictness.whole_end
            && let Some(emitted) = self.stack.out.front()
        {
            let text = live(&emitted.segment, &self.mapping);
            return fail(format!("nobody expected `{text}`, sent at {}", instant(emitted.at)));
        }
        Ok(())
    }

    /// A command changes settings of connections to come, or counts those that are there.
    fn apply(&mut self, setting: &Command) -> Result<(), Stop> {
        if let Command::Count(state, wanted) = setting {
            let count = self.stack.count(state);
            if count != *wanted {
                return fail(format!("{count} connections are in {state}, not {wanted}"));
            }
        }
        match setting {
            Command::FastOpen(bits) => self.stack.fast_open = *bits,
            Command::LinuxDefaults => self.stack.fast_open = 3,
            _ => {}
        }
        setting.apply(&mut self.stack.config);
        Ok(())
    }

    fn assert(&mut self, statements: &[Statement]) -> Result<(), Stop> {
        for statement in statements {
            let (info, listening) = match self.subject {
                Some(handle) => (self.stack.info(handle), self.stack.is_listening(handle)),
                None => (None, false),
            };
            let scope = Scope { info, listening, now: self.now, variables: &self.variables };
            match statement {
                Statement::Assert { line, condition, text } => {
                    if scope.value(condition) == 0 {
                        let mut values = Vec::new();
                        scope.explain(condition, &mut values);
                        let reason = format!("`{text}` does not hold: {}", values.join(", "));
                        return Err(Stop::Fail(Some(*line), reason));
                    }
                }
                Statement::Let { name, add, value } => {
                    let value = scope.value(value);
                    let slot = self.variables.entry(name.clone()).or_insert(0);
                    *slot = if *add { slot.saturating_add(value) } else { value };
                }
            }
        }
        Ok(())
    }

    /// Waits for the call that waits, if there is one, for as long as it may.
    fn await_call(&mut self) -> Result<(), Stop> {
        for _ in 0..MOST_WAKES {
            self.settle()?;
            let Some(waiting) = &self.waiting else { return Ok(()) };
            let latest = waiting.until[0].max(waiting.until[1]).saturating_add(waiting.tolerance);
            let wake = self.stack.next_wake();
            if wake > latest {
                return self.advance(latest.saturating_add(Span::from_nanos(1)));
            }
            self.wake(wake)?;
        }
        fail("the machine asks to be woken again and again")
    }

    /// Lets the call that waits go on if it can now.
    fn settle(&mut self) -> Result<(), Stop> {
        let Some(mut waiting) = self.waiting.take() else { return Ok(()) };
        let line = Some(waiting.line);
        let full = std::mem::replace(&mut waiting.tried, true) && self.stack.is_full(waiting.handle);
        let outcome = if full {
            Now::Waits
        } else {
            self.attempt(&waiting.call.what, waiting.handle, &mut waiting.written, true)
        };
        match outcome {
            Now::Waits => {
                let latest = waiting.until[0].max(waiting.until[1]).saturating_add(waiting.tolerance);
                if self.now > latest {
                    return Err(Stop::Fail(line, format!("the call has not returned by {}", instant(latest))));
                }
                self.waiting = Some(waiting);
                Ok(())
            }
            outcome => {
                let (tolerance, now) = (waiting.tolerance, self.now);
                let near = |at: Time| now.since(at).max(at.since(now)) <= tolerance;
                if !waiting.until.into_iter().any(near) {
                    let [due, _] = waiting.until;
                    let reason = format!("the call returned at {}, due at {}", instant(now), instant(due));
                    return Err(Stop::Fail(line, reason));
                }
                self.compare(outcome, &waiting.call).map_err(|stop| match stop {
                    Stop::Fail(None, reason) => Stop::Fail(line, reason),
                    other => other,
                })
            }
        }
    }

    fn call(&mut self, event: &Event, call: &Call) -> Result<(), Stop> {
        self.await_call()?;
        let outcome = match call.what.clone() {
            What::Socket { nonblocking } => {
                let handle = self.stack.socket(nonblocking);
                return self.opened(handle, call);
            }
            What::Bind { fd } => self.file(fd).map(|_| Now::Done(0)),
            What::Listen { fd, backlog } => self.file(fd).map(|handle| self.stack.listen(handle, backlog)),
            What::Disconnect { fd } => self.file(fd).map(|handle| self.stack.disconnect(handle, self.now)),
            What::Shutdown { fd, read, write } => {
                self.file(fd).map(|handle| self.stack.shutdown(handle, read, write, self.now))
            }
            What::Close { fd } => match self.files.remove(&fd) {
                Some(handle) => Ok(self.stack.close(handle, self.now)),
                None => Ok(Now::Failed(Errno::BadFile)),
            },
            What::SetNonblocking { fd, on } => self.file(fd).map(|handle| {
                self.stack.set_nonblocking(handle, on);
                Now::Done(0)
            }),
            What::GetFlags { fd } => {
                // O_RDWR and O_NONBLOCK.
                self.file(fd).map(|handle| Now::Done(if self.stack.is_nonblocking(handle) { 0x802 } else { 2 }))
            }
            What::Set { fd, option } => match self.file(fd) {
                Ok(handle) => self.set(handle, option).map(Ok)?,
                Err(errno) => Err(errno),
            },
            What::Waiting { fd, value } => match self.file(fd) {
                Ok(handle) => {
                    let readable = self.stack.machine(handle).map_or(0, |machine| machine.readable().cast_signed());
                    if value.is_some_and(|wanted| wanted != readable) {
                        return fail(format!("{readable} bytes can be read"));
                    }
                    Ok(Now::Done(0))
                }
                Err(errno) => Err(errno),
            },
            What::Get { fd, option, value } => match self.file(fd) {
                Ok(handle) => self.get(handle, option, value).map(Ok)?,
                Err(errno) => Err(errno),
            },
            What::Accept { fd, .. } | What::Connect { fd } | What::Read { fd, .. } | What::Write { fd, .. } => {
                return match self.file(fd) {
                    Ok(handle) => self.may_wait(event, call, handle),
                    Err(errno) => self.compare(Now::Failed(errno), call),
                };
            }
        };
        self.compare(outcome.unwrap_or_else(Now::Failed), call)
    }

    fn file(&self, fd: i64) -> Result<Handle, Errno> {
        self.files.get(&fd).copied().ok_or(Errno::BadFile)
    }

    /// A call that waits, or fails because it would.
    fn may_wait(&mut self, event: &Event, call: &Call, handle: Handle) -> Result<(), Stop> {
        if matches!(call.what, What::Connect { .. }) {
            self.subject = Some(handle);
        }
        if let Some(until) = event.until {
            let relative = matches!(event.when, When::After(_));
            let base = if relative { self.previous } else { Time::ZERO };
            let until = [base.saturating_add(until), Time::ZERO + until];
            let tolerance = self.tolerance(until[0]);
            self.waiting = Some(Waiting {
                line: event.line,
                call: call.clone(),
                handle,
                written: 0,
                tried: false,
                until,
                tolerance,
            });
            return self.settle();
        }
        let begun = self.stack.has_connection(handle);
        let mut written = 0;
        let nonblocking = self.stack.is_nonblocking(handle)
            || matches!(call.what, What::Read { dontwait: true, .. } | What::Write { dontwait: true, .. });
        let outcome = match self.attempt(&call.what, handle, &mut written, !nonblocking) {
            Now::Waits if nonblocking => Now::Failed(match call.what {
                What::Connect { .. } if begun => Errno::Already,
                What::Connect { .. } => Errno::InProgress,
                _ => Errno::Again,
            }),
            Now::Waits => return fail(format!("`{}` would wait", event.text)),
            outcome => outcome,
        };
        self.compare(outcome, call)
    }

    /// Does what can be done of a call now.
    fn attempt(&mut self, what: &What, handle: Handle, written: &mut u64, whole: bool) -> Now {
        match *what {
            What::Accept { nonblocking, .. } => match self.stack.accept(handle, nonblocking) {
                Ok(child) => Now::Done(i64::try_from(child).unwrap_or(i64::MAX)),
                Err(outcome) => outcome,
            },
            What::Connect { .. } => {
                if !self.stack.has_connection(handle) {
                    self.mapping.forget_stamps();
                }
                self.stack.connect(handle, self.now)
            }
            What::Read { max, peek, .. } => self.stack.read(handle, max, peek, self.now),
            What::Write { len, more, .. } => match self.stack.write(handle, len - *written, more, self.now) {
                Now::Done(count) => {
                    *written += count.unsigned_abs();
                    if *written < len && whole { Now::Waits } else { Now::Done(written.cast_signed()) }
                }
                _ if *written > 0 && !whole => Now::Done(written.cast_signed()),
                outcome => outcome,
            },
            _ => Now::Failed(Errno::Invalid),
        }
    }

    /// A call has given a new socket: the script's number for it is known from now on.
    fn opened(&mut self, handle: Handle, call: &Call) -> Result<(), Stop> {
        if call.result < 0 {
            return fail("the call succeeded");
        }
        self.files.insert(call.result, handle);
        self.subject = Some(handle);
        Ok(())
    }

    fn compare(&mut self, outcome: Now, call: &Call) -> Result<(), Stop> {
        match outcome {
            Now::Done(value) => {
                if matches!(call.what, What::Accept { .. }) {
                    return self.opened(usize::try_from(value).unwrap_or(0), call);
                }
                if value == call.result {
                    Ok(())
                } else {
                    fail(format!("the call returned {value}, not {}", call.result))
                }
            }
            Now::Failed(errno) => {
                let (name, _) = errno.name();
                if call.result == -1 && call.errno.as_deref().is_none_or(|wanted| wanted == name) {
                    return Ok(());
                }
                let wanted = call.errno.as_deref().unwrap_or("");
                fail(format!("the call returned -1 {name}, not {} {wanted}", call.result).trim_end().to_owned())
            }
            Now::Waits => fail("the call would wait"),
        }
    }

    fn set(&mut self, handle: Handle, option: Setting) -> Result<Now, Stop> {
        let begun = self.stack.has_connection(handle);
        let now = self.now;
        let config = self.stack.settings(handle);
        match option {
            Setting::Ignored => {}
            Setting::SendBuffer(bytes) => {
                config.send_buffer = bytes.saturating_mul(2);
                config.first_send_buffer = config.send_buffer;
                self.stack.with_machine(handle, now, |machine| machine.set_send_buffer(bytes.saturating_mul(2)));
            }
            Setting::NoDelay(on) => {
                config.nagle = !on;
                self.stack.with_machine(handle, now, |machine| machine.set_nagle(!on));
            }
            Setting::Cork(on) => self.stack.with_machine(handle, now, |machine| machine.set_cork(on)),
            Setting::UserTimeout(millis) => {
                let timeout = (millis > 0).then(|| Span::from_millis(millis));
                config.user_timeout = timeout;
                self.stack.with_machine(handle, now, |machine| machine.set_user_timeout(timeout));
            }
            Setting::Linger(on) => self.stack.set_resets(handle, on),
            Setting::FastOpen(most) => self.stack.set_fast_open(handle, most),
            _ if begun => return Err(Stop::Unsupported("this socket option on a connection that has begun".into())),
            Setting::ReceiveBuffer(bytes) => {
                config.first_receive_buffer = bytes.saturating_mul(2);
                config.receive_buffer = bytes;
            }
            Setting::MaxSegment(mss) => config.mtu = config.mtu.min(mss + 40),
            Setting::Congestion(algorithm) => config.congestion = algorithm,
        }
        Ok(Now::Done(0))
    }

    fn get(&mut self, handle: Handle, option: Getting, wanted: Option<i64>) -> Result<Now, Stop> {
        let config = self.stack.settings(handle).clone();
        let bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        let value = match option {
            Getting::Error => self.stack.take_error(handle).map_or(0, |errno| errno.name().1),
            Getting::MaxSegment => self.stack.info(handle).map_or(i64::from(config.mss()), |info| info.snd_mss.into()),
            // The size of a buffer that the script has not set is the system's own.
            Getting::ReceiveBuffer if config.receive_buffer == self.stack.config.receive_buffer => {
                return Ok(Now::Done(0));
            }
            Getting::SendBuffer if config.send_buffer == self.stack.config.send_buffer => return Ok(Now::Done(0)),
            Getting::ReceiveBuffer => bytes(config.receive_buffer.saturating_mul(2)),
            Getting::SendBuffer => bytes(config.send_buffer),
            Getting::NoDelay => i64::from(!config.nagle),
        };
        match wanted {
            Some(wanted) if wanted != value => fail(format!("the option is {value}, not {wanted}")),
            _ => Ok(Now::Done(0)),
        }
    }
}
