//! Commands in backticks: never executed, only understood as settings of the machine, or refused.

use super::calls::controller;
use super::cursor::Cursor;
use super::script::Problem;
use crate::transport::tcp::{Algorithm, Config, EcnMode};

/// What a command changes for connections that open later.
#[derive(Clone, Debug)]
pub(super) enum Setting {
    /// The settings that the public Linux scripts begin with.
    LinuxDefaults,
    Timestamps(bool),
    Scaling(bool),
    Sack(bool),
    Ecn(EcnMode),
    Congestion(Algorithm),
    RestartAfterIdle(bool),
    TailLossProbe(bool),
    /// At first, and how far it may grow, in bytes.
    ReceiveBuffer(u64, u64),
    SendBuffer(u64, u64),
    /// Segments that leave together at least.
    LeastBurst(u32),
    /// The bits of `tcp_fastopen`.
    FastOpen(u64),
    /// So many connections are in a state, with its name in `sockstat` of FreeBSD.
    Count(String, usize),
    /// `fq` lets each flow's segments go at the rate that its socket asks for.
    Pacing(bool),
}

impl Setting {
    /// Changes `config`.
    pub(super) fn apply(&self, config: &mut Config) {
        match *self {
            Self::LinuxDefaults => {
                config.restart_after_idle = Some(false);
                config.ecn = EcnMode::Off;
                config.first_receive_buffer = 540_000;
                config.receive_buffer = 15_728_640;
                config.first_send_buffer = 256 << 10;
                config.send_buffer = 4 << 20;
            }
            Self::Timestamps(on) => config.timestamps = on,
            Self::Scaling(on) => config.window_scaling = on,
            Self::Sack(on) => config.sack = on,
            Self::Ecn(mode) => config.ecn = mode,
            Self::Congestion(ref algorithm) => config.congestion = algorithm.clone(),
            Self::RestartAfterIdle(on) => config.restart_after_idle = Some(on),
            Self::TailLossProbe(on) => config.tail_loss_probe = on,
            Self::ReceiveBuffer(first, most) => {
                config.first_receive_buffer = first;
                config.receive_buffer = most;
            }
            Self::SendBuffer(first, most) => {
                config.first_send_buffer = first;
                config.send_buffer = most;
            }
            Self::LeastBurst(segments) => config.least_burst = segments,
            Self::Pacing(on) => config.pacing = on,
            Self::Count(..) | Self::FastOpen(_) => {}
        }
    }
}

/// Understands the text between two backticks that begins at `line`.
pub(super) fn parse(text: &str, line: usize) -> Result<Vec<Setting>, Problem> {
    let mut settings = Vec::new();
    let commands = commands(text);
    let mut rest = commands.as_slice();
    while let Some(((number, words), after)) = rest.split_first() {
        let at = Cursor::new("", line + number);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        rest = after;
        if words[0] == "sockstat" {
            let (state, count);
            (state, count, rest) =
                counted(after).ok_or_else(|| at.unsupported("`sockstat` without a state and a count"))?;
            settings.push(Setting::Count(state, count));
            continue;
        }
        command(&words, &at, &mut settings)?;
    }
    Ok(settings)
}

/// A command with its line.
type Line = (usize, Vec<String>);

/// What follows `sockstat` in a pipe: any filter by program, `grep -c STATE`, and `grep COUNT`; and what comes after.
fn counted(pipe: &[Line]) -> Option<(String, usize, &[Line])> {
    let state = pipe.iter().position(|(_, words)| words.len() == 3 && words[0] == "grep" && words[1] == "-c")?;
    let (_, count) = pipe.get(state + 1)?;
    let count = count.last()?.parse().ok()?;
    Some((pipe[state].1[2].clone(), count, &pipe[state + 2..]))
}

/// The words of each command, with its line counted from zero: commands end at `;`, `&&`, `||` and the line's end, words may be
/// quoted, `#` begins a comment and a backslash joins lines.
fn commands(text: &str) -> Vec<Line> {
    let mut all = Vec::new();
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    let (mut line, mut started, mut in_comment) = (0, 0, false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let newline = c == '\n';
        if in_comment && !newline {
            continue;
        }
        in_comment = false;
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => word.push(c),
            (None, '\'' | '"') => quote = Some(c),
            (None, '\\') => {
                if chars.next_if_eq(&'\n').is_some() {
                    line += 1;
                }
            }
            (None, '#') if word.is_empty() => in_comment = true,
            (None, ';' | '\n' | '&' | '|') => {
                words.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
                if !words.is_empty() {
                    all.push((started, std::mem::take(&mut words)));
                }
            }
            (None, _) if c.is_whitespace() => words.extend((!word.is_empty()).then(|| std::mem::take(&mut word))),
            (None, _) => {
                if words.is_empty() && word.is_empty() {
                    started = line;
                }
                word.push(c);
            }
        }
        line += usize::from(newline);
    }
    words.extend((!word.is_empty()).then_some(word));
    if !words.is_empty() {
        all.push((started, words));
    }
    all
}

fn command(words: &[&str], at: &Cursor<'_>, settings: &mut Vec<Setting>) -> Result<(), Problem> {
    let Some((&program, args)) = words.split_first() else { return Ok(()) };
    let refused = || at.unsupported(format!("the command `{}`", words.join(" ")));
    match program.rsplit('/').next().unwrap_or(program) {
        "defaults.sh" => settings.push(Setting::LinuxDefaults),
        "sysctl" | "set_sysctls.py" => {
            for arg in args.iter().filter(|arg| !arg.starts_with('-')) {
                let (key, value) = arg.split_once('=').ok_or_else(refused)?;
                settings.extend(sysctl(key, value, at)?);
            }
        }
        "kldload" if !args.iter().any(|arg| arg.contains("tcp_")) => {}
        restore if restore.starts_with("sysctl_restore") => {}
        "tc" if args.contains(&"pfifo") && !args.ends_with(&["limit", "0"]) => settings.push(Setting::Pacing(false)),
        "tc" if args.ends_with(&["root", "fq"]) => settings.push(Setting::Pacing(true)),
        "ethtool" if args.first() == Some(&"-K") && !args.contains(&"on") => {}
        "ip" if args.first() == Some(&"tcp_metrics") => {}
        "echo" if args.last().is_some_and(|file| file.ends_with("hystart_detect")) => {}
        _ => return Err(refused()),
    }
    Ok(())
}

fn sysctl(key: &str, value: &str, at: &Cursor<'_>) -> Result<Option<Setting>, Problem> {
    let refused = || at.unsupported(format!("the setting {key}={value}"));
    let name = key.trim_start_matches("/proc/sys/").replace('/', ".");
    let number = || value.trim().parse::<u64>().map_err(|_| refused());
    // "min default max": what a buffer has at first, and how far it may grow.
    let sizes = || {
        let size = |index| value.split_whitespace().nth(index).and_then(bytes).ok_or_else(refused);
        Ok::<_, Problem>((size(1)?, size(2)?))
    };
    if name.starts_with("kern.ipc.") {
        return Ok(None);
    }
    if let Some(freebsd) = name.strip_prefix("net.inet.") {
        return match freebsd {
            "tcp.insecure_rst" if number()? != 0 => Err(refused()),
            "tcp.rfc1323" if number()? == 0 => Ok(Some(Setting::Scaling(false))),
            "tcp.sack.enable" => Ok(Some(Setting::Sack(number()? != 0))),
            _ => Ok(None),
        };
    }
    let setting = match name.strip_prefix("net.ipv4.").ok_or_else(refused)? {
        "tcp_timestamps" => Setting::Timestamps(number()? != 0),
        "tcp_window_scaling" => Setting::Scaling(number()? != 0),
        "tcp_sack" => Setting::Sack(number()? != 0),
        "tcp_congestion_control" => Setting::Congestion(controller(value, at)?),
        "tcp_slow_start_after_idle" => Setting::RestartAfterIdle(number()? != 0),
        "tcp_early_retrans" => Setting::TailLossProbe(number()? >= 3),
        "tcp_rmem" => sizes().map(|(first, most)| Setting::ReceiveBuffer(first, most))?,
        "tcp_wmem" => sizes().map(|(first, most)| Setting::SendBuffer(first, most))?,
        "tcp_min_tso_segs" => match u32::try_from(number()?) {
            Ok(segments @ 1..) => Setting::LeastBurst(segments),
            _ => return Err(refused()),
        },
        // Client, server, no cookie needed, all listening sockets.
        "tcp_fastopen" => match hexadecimal(value.trim()) {
            Some(bits) if bits & !0x603 == 0 => Setting::FastOpen(bits),
            _ => return Err(refused()),
        },
        // Its first bit, RACK, does nothing any more: Linux has had no other detection of losses by SACK since 6.17.
        "tcp_recovery" if number()? <= 1 => return Ok(None),
        "tcp_ecn" => match number()? {
            0 => Setting::Ecn(EcnMode::Off),
            1 => Setting::Ecn(EcnMode::On),
            2 => Setting::Ecn(EcnMode::Passive),
            // Accurate ECN (RFC 9768).
            _ => return Err(refused()),
        },
        // Challenges are never held back here.
        "tcp_invalid_ratelimit" if number()? == 0 => return Ok(None),
        "tcp_ecn_fallback" if number()? == 1 => return Ok(None),
        "tcp_reordering" if number()? == 3 => return Ok(None),
        "tcp_notsent_lowat" if number()? >= 1 << 31 => return Ok(None),
        "tcp_tso_win_divisor"
        | "tcp_fack"
        | "tcp_frto"
        | "tcp_pacing_ss_ratio"
        | "tcp_pacing_ca_ratio"
        | "tcp_no_metrics_save" => return Ok(None),
        _ => return Err(refused()),
    };
    Ok(Some(setting))
}

/// A number, in hexadecimal digits behind `0x`.
fn hexadecimal(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// A number, or a product of numbers as a shell computes it: `$((15*1024*1024))`.
fn bytes(text: &str) -> Option<u64> {
    let product = text.strip_prefix("$((").and_then(|rest| rest.strip_suffix("))")).unwrap_or(text);
    product.split('*').try_fold(1u64, |so_far, factor| so_far.checked_mul(factor.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_cut_as_a_shell_cuts_them() {
        let text = "sysctl -q a=\"1 2 3\" \\\n b=2 # gone; c=3\ntc qdisc; ip x && ip y";
        let all = commands(text);
        let words: Vec<_> = all.iter().map(|(line, words)| (*line, words.join("|"))).collect();
        let wanted = [(0, "sysctl|-q|a=1 2 3|b=2"), (2, "tc|qdisc"), (2, "ip|x"), (2, "ip|y")];
        assert_eq!(words, wanted.map(|(line, words)| (line, words.to_owned())));
    }

    #[test]
    fn what_is_not_known_is_refused_with_its_line() {
        let problem = parse("sysctl -q net.ipv4.tcp_sack=0\nreboot now", 5).unwrap_err();
        assert_eq!((problem.line, problem.construct.as_str()), (6, "the command `reboot now`"));
        assert!(parse("sysctl -q net.ipv4.tcp_ecn=3", 1).is_err());
        assert!(parse("tc qdisc add dev tun0 root pfifo limit 0", 1).is_err());
        assert!(parse("tc qdisc add dev tun0 root fq limit 10", 1).is_err());
    }
}
