//! Every state against SYN, FIN, RST and ACK, inside and outside the window: a table of what comes in, what answers, and what is
//! left (RFC 9293 3.10.7, RFC 5961, and Linux where they leave a choice).

use super::generate::{Script, USUAL, opened};
use std::fmt::Write;

/// A case: its name, what comes in, what answers (empty: nothing), and what holds after it.
type Case = (&'static str, &'static str, &'static str, &'static str);

/// A state: its name, the lines that lead to it, and its cases.
type State = (&'static str, &'static str, &'static [Case]);

const ALIVE: &str = "assert tcpi_state == TCP_ESTABLISHED";

const STATES: &[State] = &[
    (
        "syn-sent",
        "",
        &[
            (
                "syn-ack",
                "S. 0:0(0) ack 1 win 60000 <mss 1000>",
                "> . 1:1(0) ack 1",
                "assert tcpi_state == TCP_ESTABLISHED",
            ),
            (
                "syn-ack-of-what-was-not-sent",
                "S. 0:0(0) ack 2 win 60000 <mss 1000>",
                "> R 2:2(0)",
                "assert tcpi_state == TCP_SYN_SENT",
            ),
            ("syn", "S 0:0(0) win 60000 <mss 1000>", "> S. 0:0(0) ack 1 <...>", "assert tcpi_state == TCP_SYN_RECV"),
            ("rst-ack", "R. 0:0(0) ack 1 win 0", "", "assert tcpi_state == TCP_CLOSE"),
            ("rst-ack-of-what-was-not-sent", "R. 0:0(0) ack 2 win 0", "", "assert tcpi_state == TCP_SYN_SENT"),
            ("rst-without-ack", "R 0:0(0) win 0", "", "assert tcpi_state == TCP_SYN_SENT"),
            ("ack", ". 1:1(0) ack 1 win 400", "", "assert tcpi_state == TCP_SYN_SENT"),
            ("fin", "F 0:0(0) win 400", "", "assert tcpi_state == TCP_SYN_SENT"),
        ],
    ),
    (
        "syn-received",
        "",
        &[
            ("syn-again", "S 0:0(0) win 60000 <mss 1000,nop,nop,sackOK,nop,wscale 9>", "> S. 0:0(0) ack 1 <...>", ""),
            ("syn-outside", "S 900000:900000(0) win 400", "> . 1:1(0) ack 1", ""),
            ("ack-of-what-was-not-sent", ". 1:1(0) ack 2 win 400", "> R 2:2(0)", ""),
            ("ack-outside", ". 900000:900000(0) ack 1 win 400", "> . 1:1(0) ack 1", ""),
            ("rst-outside", "R 900000:900000(0) win 0", "", ""),
            ("fin", "F. 1:1(0) ack 1 win 400", "~ > . 1:1(0) ack 2", ""),
        ],
    ),
    (
        "established",
        "",
        &[
            ("syn-inside", "S 1:1(0) win 400", "> . 1:1(0) ack 1", ALIVE),
            ("syn-outside", "S 900000:900000(0) win 400", "> . 1:1(0) ack 1", ALIVE),
            ("syn-ack", "S. 0:0(0) ack 1 win 400", "> . 1:1(0) ack 1", ALIVE),
            ("rst-exact", "R 1:1(0) win 0", "", "assert tcpi_state == TCP_CLOSE"),
            ("rst-inside", "R 2:2(0) win 0", "> . 1:1(0) ack 1", ALIVE),
            ("rst-before", "R 0:0(0) win 0", "", ALIVE),
            ("rst-outside", "R 900000:900000(0) win 0", "", ALIVE),
            ("fin", "F. 1:1(0) ack 1 win 400", "~ > . 1:1(0) ack 2", "assert tcpi_state == TCP_CLOSE_WAIT"),
            ("fin-above-a-hole", "F. 1001:1001(0) ack 1 win 400", "> . 1:1(0) ack 1 <nop,nop,sack 1001:1002>", ALIVE),
            ("fin-outside", "F. 900000:900000(0) ack 1 win 400", "> . 1:1(0) ack 1", ALIVE),
            ("ack-of-what-was-not-sent", ". 1:1(0) ack 1000 win 400", "> . 1:1(0) ack 1", ALIVE),
            ("ack-outside", ". 900000:900000(0) ack 1 win 400", "> . 1:1(0) ack 1", ALIVE),
            ("data-without-ack", "P 1:101(100) win 400", "", ALIVE),
        ],
    ),
    (
        "fin-wait-1",
        "+0 shutdown(4, SHUT_WR) = 0\n  +0 > F. 1:1(0) ack 1",
        &[
            ("syn-inside", "S 1:1(0) win 400", "> . 2:2(0) ack 1", "assert tcpi_state == TCP_FIN_WAIT1"),
            ("syn-outside", "S 900000:900000(0) win 400", "> . 2:2(0) ack 1", "assert tcpi_state == TCP_FIN_WAIT1"),
            ("rst-exact", "R 1:1(0) win 0", "", "assert tcpi_state == TCP_CLOSE"),
            ("rst-inside", "R 2:2(0) win 0", "> . 2:2(0) ack 1", "assert tcpi_state == TCP_FIN_WAIT1"),
            ("rst-outside", "R 900000:900000(0) win 0", "", "assert tcpi_state == TCP_FIN_WAIT1"),
            ("ack", ". 1:1(0) ack 2 win 400", "", "assert tcpi_state == TCP_FIN_WAIT2"),
            (
                "ack-of-what-was-not-sent",
                ". 1:1(0) ack 3 win 400",
                "> . 2:2(0) ack 1",
                "assert tcpi_state == TCP_FIN_WAIT1",
            ),
            ("fin", "F. 1:1(0) ack 1 win 400", "~ > . 2:2(0) ack 2", "assert tcpi_state == TCP_CLOSING"),
            ("fin-and-ack", "F. 1:1(0) ack 2 win 400", "~ > . 2:2(0) ack 2", ""),
            ("data", "P. 1:101(100) ack 1 win 400", "~ > . 2:2(0) ack 101", "assert tcpi_state == TCP_FIN_WAIT1"),
        ],
    ),
    (
        "fin-wait-2",
        "+0 shutdown(4, SHUT_WR) = 0\n  +0 > F. 1:1(0) ack 1\n+.05 < . 1:1(0) ack 2 win 400",
        &[
            ("syn-inside", "S 1:1(0) win 400", "> . 2:2(0) ack 1", "assert tcpi_state == TCP_FIN_WAIT2"),
            ("rst-exact", "R 1:1(0) win 0", "", "assert tcpi_state == TCP_CLOSE"),
            ("rst-inside", "R 2:2(0) win 0", "> . 2:2(0) ack 1", "assert tcpi_state == TCP_FIN_WAIT2"),
            ("rst-outside", "R 900000:900000(0) win 0", "", "assert tcpi_state == TCP_FIN_WAIT2"),
            (
                "ack-of-what-was-not-sent",
                ". 1:1(0) ack 3 win 400",
                "> . 2:2(0) ack 1",
                "assert tcpi_state == TCP_FIN_WAIT2",
            ),
            ("fin", "F. 1:1(0) ack 2 win 400", "~ > . 2:2(0) ack 2", ""),
            (
                "fin-above-a-hole",
                "F. 1001:1001(0) ack 2 win 400",
                "> . 2:2(0) ack 1 <nop,nop,sack 1001:1002>",
                "assert tcpi_state == TCP_FIN_WAIT2",
            ),
        ],
    ),
    (
        "close-wait",
        "+.05 < F. 1:1(0) ack 1 win 400\n+.0~+.2 > . 1:1(0) ack 2",
        &[
            ("syn-inside", "S 2:2(0) win 400", "> . 1:1(0) ack 2", "assert tcpi_state == TCP_CLOSE_WAIT"),
            ("rst-exact", "R 2:2(0) win 0", "", "assert tcpi_state == TCP_CLOSE"),
            ("rst-inside", "R 3:3(0) win 0", "> . 1:1(0) ack 2", "assert tcpi_state == TCP_CLOSE_WAIT"),
            ("rst-outside", "R 900000:900000(0) win 0", "", "assert tcpi_state == TCP_CLOSE_WAIT"),
            (
                "fin-again",
                "F. 1:1(0) ack 1 win 400",
                "> . 1:1(0) ack 2 <nop,nop,sack 1:2>",
                "assert tcpi_state == TCP_CLOSE_WAIT",
            ),
            ("data-behind-the-fin", "P. 2:102(100) ack 1 win 400", "", "assert tcpi_state == TCP_CLOSE_WAIT"),
            (
                "ack-of-what-was-not-sent",
                ". 2:2(0) ack 2 win 400",
                "> . 1:1(0) ack 2",
                "assert tcpi_state == TCP_CLOSE_WAIT",
            ),
        ],
    ),
    (
        "closing",
        "+0 shutdown(4, SHUT_WR) = 0\n  +0 > F. 1:1(0) ack 1\n+.05 < F. 1:1(0) ack 1 win 400\n+.0~+.2 > . 2:2(0) ack 2",
        &[
            ("syn-inside", "S 2:2(0) win 400", "> . 2:2(0) ack 2", "assert tcpi_state == TCP_CLOSING"),
            ("rst-exact", "R 2:2(0) win 0", "", "assert tcpi_state == TCP_CLOSE"),
            ("rst-inside", "R 3:3(0) win 0", "> . 2:2(0) ack 2", "assert tcpi_state == TCP_CLOSING"),
            (
                "fin-again",
                "F. 1:1(0) ack 1 win 400",
                "> . 2:2(0) ack 2 <nop,nop,sack 1:2>",
                "assert tcpi_state == TCP_CLOSING",
            ),
            ("ack", ". 2:2(0) ack 2 win 400", "", ""),
        ],
    ),
    (
        "last-ack",
        "+.05 < F. 1:1(0) ack 1 win 400\n+.0~+.2 > . 1:1(0) ack 2\n  +0 shutdown(4, SHUT_WR) = 0\n  +0 > F. 1:1(0) ack 2",
        &[
            ("syn-inside", "S 2:2(0) win 400", "> . 2:2(0) ack 2", "assert tcpi_state == TCP_LAST_ACK"),
            ("rst-exact", "R 2:2(0) win 0", "", "assert tcpi_state == TCP_CLOSE"),
            ("rst-inside", "R 3:3(0) win 0", "> . 2:2(0) ack 2", "assert tcpi_state == TCP_LAST_ACK"),
            (
                "fin-again",
                "F. 1:1(0) ack 1 win 400",
                "> . 2:2(0) ack 2 <nop,nop,sack 1:2>",
                "assert tcpi_state == TCP_LAST_ACK",
            ),
            ("ack", ". 2:2(0) ack 2 win 400", "", "assert tcpi_state == TCP_CLOSE"),
        ],
    ),
    (
        "time-wait",
        "+0 close(4) = 0\n  +0 > F. 1:1(0) ack 1\n+.05 < F. 1:1(0) ack 2 win 400\n  +0 > . 2:2(0) ack 2",
        &[
            ("fin-again", "F. 1:1(0) ack 2 win 400", "> . 2:2(0) ack 2", ""),
            ("ack", ". 2:2(0) ack 2 win 400", "", ""),
            ("ack-outside", ". 900000:900000(0) ack 2 win 400", "> . 2:2(0) ack 2", ""),
            ("data", "P. 2:102(100) ack 2 win 400", "> . 2:2(0) ack 2", ""),
            ("old-syn", "S 1:1(0) win 400", "> . 2:2(0) ack 2", ""),
            ("rst-outside", "R 3:3(0) win 0", "", ""),
        ],
    ),
];

/// A script for each case of each state.
pub(crate) fn all() -> Vec<Script> {
    let mut scripts = Vec::new();
    for (state, way, cases) in STATES {
        for (name, inbound, answer, after) in *cases {
            let title = format!("// In {} comes: {inbound}\n", state.to_uppercase());
            let mut script = match *state {
                "syn-sent" => connecting(&title),
                "syn-received" => half_open(&title),
                _ => opened(&title, USUAL),
            };
            if !way.is_empty() {
                let _ = writeln!(script, "  {way}");
            }
            let _ = writeln!(script, "+.05 < {inbound}");
            match answer.strip_prefix("~ ") {
                Some(answer) => {
                    let _ = writeln!(script, "+.0~+.2 {answer}");
                }
                None if !answer.is_empty() => {
                    let _ = writeln!(script, "  +0 {answer}");
                }
                None => {}
            }
            if !after.is_empty() {
                let _ = writeln!(script, "  +0 %{{ {after} }}%");
            }
            script.push_str(epilogue(state, name));
            scripts.push((format!("state/{state}-{name}.pkt"), script));
        }
    }
    scripts
}

/// What proves afterwards that nothing else was sent, and that the connection is what it should be.
fn epilogue(state: &str, name: &str) -> &'static str {
    match (state, name) {
        ("syn-sent", "syn-ack") => "  +0 write(3, ..., 100) = 100\n  +0 > P. 1:101(100) ack 1\n",
        ("syn-sent", "rst-ack") => "  +0 read(3, ..., 100) = -1 ECONNREFUSED (Connection refused)\n",
        ("syn-sent", "syn") => {
            "+.05 < . 1:1(0) ack 1 win 400\n  +0 %{ assert tcpi_state == TCP_ESTABLISHED }%\n  \
             +0 write(3, ..., 100) = 100\n  +0 > P. 1:101(100) ack 1\n"
        }
        ("syn-sent", "syn-ack-of-what-was-not-sent" | "rst-ack-of-what-was-not-sent") => {
            "// Linux sends its SYN again soon, in case the answer was to an older one.\n\
             +.0~+.01 > S 0:0(0) <...>\n"
        }
        ("syn-sent", _) => {
            "+.05 < S. 0:0(0) ack 1 win 60000 <mss 1000>\n  +0 > . 1:1(0) ack 1\n  \
             +0 %{ assert tcpi_state == TCP_ESTABLISHED }%\n"
        }
        ("syn-received", "fin") => "  +0 accept(3, ..., ...) = 4\n  +0 read(4, ..., 100) = 0\n",
        ("syn-received", _) => {
            "+.05 < . 1:1(0) ack 1 win 400\n  +0 accept(3, ..., ...) = 4\n  \
             +0 write(4, ..., 100) = 100\n  +0 > P. 1:101(100) ack 1\n"
        }
        ("established", "rst-exact") => {
            "  +0 read(4, ..., 100) = -1 ECONNRESET (Connection reset by peer)\n  +0 read(4, ..., 100) = 0\n  \
             +0 write(4, ..., 100) = -1 EPIPE (Broken pipe)\n+.05 < . 1:1(0) ack 1 win 400\n  +0 > R 1:1(0)\n"
        }
        ("established", "fin") => {
            "  +0 read(4, ..., 100) = 0\n  +0 write(4, ..., 100) = 100\n  +0 > P. 1:101(100) ack 2\n"
        }
        ("established", "fin-above-a-hole") => {
            "+.05 < . 1:1001(1000) ack 1 win 400\n  +0 > . 1:1(0) ack 1002\n  \
             +0 %{ assert tcpi_state == TCP_CLOSE_WAIT }%\n  +0 read(4, ..., 2000) = 1000\n  +0 read(4, ..., 2000) = 0\n"
        }
        ("established", _) => {
            "+.05 < P. 1:101(100) ack 1 win 400\n+.0~+.2 > . 1:1(0) ack 101\n  +0 read(4, ..., 1000) = 100\n  \
             +0 write(4, ..., 100) = 100\n  +0 > P. 1:101(100) ack 101\n"
        }
        ("fin-wait-1" | "fin-wait-2", "rst-exact") => {
            "  +0 read(4, ..., 100) = -1 ECONNRESET (Connection reset by peer)\n"
        }
        ("fin-wait-1", "fin") => "+.05 < . 2:2(0) ack 2 win 400\n  +0 read(4, ..., 100) = 0\n",
        ("fin-wait-1", "data") => "  +0 read(4, ..., 1000) = 100\n",
        ("fin-wait-1" | "fin-wait-2", "fin-and-ack" | "fin") => {
            "// TIME-WAIT acknowledges a repeated FIN.\n+.05 < F. 1:1(0) ack 2 win 400\n  +0 > . 2:2(0) ack 2\n"
        }
        ("fin-wait-1" | "fin-wait-2", "fin-above-a-hole") => {
            "+.05 < . 1:1001(1000) ack 2 win 400\n  +0 > . 2:2(0) ack 1002\n  +0 read(4, ..., 2000) = 1000\n"
        }
        ("fin-wait-1" | "fin-wait-2", _) => {
            "+.05 < F. 1:1(0) ack 2 win 400\n+.0~+.2 > . 2:2(0) ack 2\n  +0 read(4, ..., 100) = 0\n"
        }
        ("close-wait", "rst-exact") => "  +0 read(4, ..., 100) = 0\n  +0 write(4, ..., 100) = -1 EPIPE (Broken pipe)\n",
        ("close-wait", _) => {
            "  +0 write(4, ..., 100) = 100\n  +0 > P. 1:101(100) ack 2\n+.05 < . 2:2(0) ack 101 win 400\n  \
             +0 close(4) = 0\n  +0 > F. 101:101(0) ack 2\n"
        }
        ("closing" | "last-ack", "rst-exact") | ("last-ack", "ack") => {
            "+.05 < . 2:2(0) ack 2 win 400\n  +0 > R 2:2(0)\n"
        }
        ("closing", "ack") => "// TIME-WAIT.\n+.05 < F. 1:1(0) ack 2 win 400\n  +0 > . 2:2(0) ack 2\n",
        ("last-ack", _) => "+.05 < . 2:2(0) ack 2 win 400\n  +0 %{ assert tcpi_state == TCP_CLOSE }%\n",
        ("time-wait", _) => "+.6 < F. 1:1(0) ack 2 win 400\n  +0 > . 2:2(0) ack 2\n",
        _ => "",
    }
}

/// An active open whose SYN has left; the program's socket is 3.
fn connecting(title: &str) -> String {
    format!(
        "{title}`sysctl -q net.ipv4.tcp_timestamps=0`\n\n   0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n  \
         +0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0\n  \
         +0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)\n  +0 > S 0:0(0) <...>\n\n"
    )
}

/// A passive open whose SYN-ACK has left; the listening socket is 3.
fn half_open(title: &str) -> String {
    format!(
        "{title}`sysctl -q net.ipv4.tcp_timestamps=0`\n\n   0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n  \
         +0 bind(3, ..., ...) = 0\n  +0 listen(3, 1) = 0\n +.1 < S 0:0(0) win 60000 <mss 1000{USUAL}>\n  \
         +0 > S. 0:0(0) ack 1 <...>\n\n"
    )
}
