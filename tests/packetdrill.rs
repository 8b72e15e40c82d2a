//! Packet scripts: every one passes, every number in them matters, and what is not supported is named.

#![expect(clippy::disallowed_methods, reason = "scripts are files")]

#[path = "packetdrill/generate.rs"]
mod generate;
#[path = "packetdrill/states.rs"]
mod states;

use lightlag::base::Rng;
use lightlag::drill::{Strictness, Verdict, run};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// As strict as it goes where scripts name exact times.
const EXACT: Strictness =
    Strictness { exact: true, whole_end: true, any_window: false, extra_acks: false, push_and_scale: false };

/// As scripts recorded on real machines are judged.
const TOLERANT: Strictness = Strictness { exact: false, ..EXACT };

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/packetdrill")
}

/// Every script, by its path below the directory of scripts.
fn scripts() -> Vec<(String, String)> {
    fn walk(dir: &Path, into: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, into);
            } else if path.extension().is_some_and(|ext| ext == "pkt") {
                into.push(path);
            }
        }
    }
    let mut paths = Vec::new();
    walk(&directory(), &mut paths);
    paths.sort();
    let name = |path: &Path| path.strip_prefix(directory()).unwrap().display().to_string();
    paths.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn every_script_passes() {
    let scripts = scripts();
    assert!(scripts.len() > 130, "the scripts are where this test looks for them");
    let verdicts = scripts.iter().map(|(name, text)| (name, run(text, TOLERANT)));
    let bad: String = verdicts.filter(|(_, v)| *v != Verdict::Pass).map(|(name, v)| v.to_text(name)).collect();
    assert!(bad.is_empty(), "\n{bad}");
}

#[test]
fn generated_scripts_are_what_the_generator_says() {
    for (name, text) in generate::all() {
        let path = directory().join(&name);
        assert!(fs::read_to_string(path).is_ok_and(|held| held == text), "{name} differs: write it anew");
    }
}

#[test]
#[ignore = "writes files: run it after a change to the generator"]
fn write_generated_scripts() {
    for (name, text) in generate::all() {
        let path = directory().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// The digits from `at` on.
fn digits(line: &str, at: usize) -> &str {
    let rest = &line[at..];
    &rest[..rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())]
}

/// The line with the number at `at` made larger by `more`.
fn raised(line: &str, at: usize, more: u64) -> String {
    let old = digits(line, at);
    format!("{}{}{}", &line[..at], old.parse::<u64>().unwrap() + more, &line[at + old.len()..])
}

/// The place of `SEQ:END(LEN)` in a packet line: where each of its three numbers begins.
fn range(line: &str) -> Option<[usize; 3]> {
    let open = line.char_indices().find(|&(at, c)| c == '(' && !digits(line, at + 1).is_empty()).map(|(at, _)| at)?;
    let end = line[..open].rfind(':')? + 1;
    let seq = line[..end - 1].rfind(|c: char| !c.is_ascii_digit())? + 1;
    Some([seq, end, open + 1])
}

/// Each way to change one number of an event that its outcome depends on.
fn mutants(line: &str) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    let code = line.split("//").next().unwrap_or_default();
    if !code.starts_with([' ', '+']) && !code.trim_start().starts_with("assert") {
        return all;
    }
    let (inbound, outbound) = (code.contains(" < "), code.contains(" > ") && range(code).is_some());
    if let (true, Some([seq, end, len])) = (inbound || outbound, range(code)) {
        let longer = raised(&raised(code, len, 1), end, 1);
        let has_data = digits(code, len) != "0";
        if outbound || has_data {
            all.push(("the length", longer));
            all.push(("the sequence number", raised(&raised(code, end, 300), seq, 300)));
        }
        if let Some(ack) = code.find(" ack ").filter(|_| outbound) {
            all.push(("the acknowledgment", raised(code, ack + 5, 1)));
        }
    }
    if let Some(sack) = code.find("sack ").filter(|_| outbound) {
        let edges = (sack + 5..code.len())
            .filter(|&at| !digits(code, at).is_empty() && !code[..at].ends_with(|c: char| c.is_ascii_digit()));
        all.extend(edges.map(|at| ("an edge of a SACK block", raised(code, at, 1))));
    }
    if outbound && let Some(rest) = code.trim_start().strip_prefix("+0 ") {
        all.push(("the time", format!("+.013 {rest}")));
    }
    if let Some(rest) = code.strip_prefix("+.3~+.33 ") {
        all.push(("the times", format!("+.4~+.43 {rest}")));
    }
    if let Some(result) = code.rfind(") = ").filter(|_| code.contains("read(") || code.contains("write("))
        && !digits(code, result + 4).is_empty()
    {
        all.push(("the result", raised(code, result + 4, 1)));
    }
    if let Some(at) = code.find(" == ").filter(|&at| !digits(code, at + 4).is_empty()) {
        all.push(("the value", raised(code, at + 4, 1)));
    }
    all
}

/// Lines whose segment means the same a little further on or longer: it lies beyond the window, is for nobody, or all that follows
/// counts from it.
const INDIFFERENT: &[(&str, usize)] = &[
    ("close/data-after-close-resets.pkt", 15),
    ("window/beyond-our-window.pkt", 12),
    ("handshake/syn-by-another-number.pkt", 7),
];

#[test]
fn every_number_matters() {
    let mut survivors = Vec::new();
    let mut count = 0;
    for (name, text) in scripts() {
        let chosen =
            ["loss", "close", "send", "handshake", "window", "ack", "order/2", "order/f", "overlap/from-25", "0"];
        if !chosen.iter().any(|start| name.starts_with(start)) || run(&text, EXACT) != Verdict::Pass {
            continue;
        }
        let lines: Vec<&str> = text.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            if INDIFFERENT.contains(&(name.as_str(), number + 1)) {
                continue;
            }
            for (what, mutant) in mutants(line) {
                let mut mutated = lines.clone();
                mutated[number] = &mutant;
                count += 1;
                if run(&(mutated.join("\n") + "\n"), EXACT) == Verdict::Pass {
                    survivors.push(format!("{name}:{}: {what}: {mutant}", number + 1));
                }
            }
        }
    }
    assert!(count > 1000, "{count} mutants");
    assert!(survivors.is_empty(), "{} of {count} mutants pass:\n{}", survivors.len(), survivors.join("\n"));
}

/// A machine without one of its parts does otherwise, and the scripts that say so are those that fail on Linux without it.
#[test]
fn a_broken_machine_fails_the_scripts_about_the_part() {
    let failing = |setting: &str| -> Vec<String> {
        let seven = scripts().into_iter().filter(|(name, _)| name.starts_with('0'));
        let broken = seven.map(|(name, text)| {
            let with = text.replacen("net.ipv4.tcp_timestamps=0", &format!("net.ipv4.tcp_timestamps=0 {setting}"), 1);
            assert_ne!(with, text);
            (name, with)
        });
        broken.filter(|(_, text)| run(text, TOLERANT) != Verdict::Pass).map(|(name, _)| name[..2].to_owned()).collect()
    };
    assert_eq!(failing("net.ipv4.tcp_sack=0"), ["02", "04", "05"]);
    assert_eq!(failing("net.ipv4.tcp_early_retrans=0"), ["04"]);
    assert_eq!(failing("net.ipv4.tcp_recovery=0"), [""; 0]);
}

#[test]
fn no_text_makes_it_panic() {
    let scripts = scripts();
    let mut rng = Rng::stream(1, "test/packetdrill");
    let pieces = [
        "0",
        "9999999999",
        "~",
        "+",
        "...",
        "*",
        "<",
        ">",
        "(",
        "-1",
        ":",
        ".",
        " ",
        "\n",
        "ack",
        "F",
        "=",
        "`",
        "%{",
        "é",
    ];
    let pick = |rng: &mut Rng, most: usize| usize::try_from(rng.below(most as u64)).unwrap();
    for _ in 0..3000 {
        let mut text = scripts[pick(&mut rng, scripts.len())].1.clone();
        text.truncate(4000);
        for _ in 0..=rng.below(3) {
            let at = pick(&mut rng, text.len());
            let end = (at + pick(&mut rng, 5)).min(text.len());
            text.replace_range(at..end, pieces[pick(&mut rng, pieces.len())]);
            // Every script is ASCII; where a piece is not, it stays whole.
            if !text.is_ascii() {
                break;
            }
        }
        let verdict = run(&text, TOLERANT);
        assert!(verdict.status() <= 2 && !verdict.to_text("x").is_empty());
    }
}

/// A script that would pass but for one line.
fn with(line: &str) -> String {
    generate::opened("", generate::USUAL) + line + "\n"
}

#[test]
fn what_is_not_supported_is_named() {
    let cases = [
        ("+0 < icmp unreachable [1:1001(1000)]", "a packet of icmp"),
        ("+0 < PA. 1:1(0) ack 1", "the TCP flags `PA.`"),
        ("+0 < . 1:1(0) ack 1 <md5 0>", "the TCP option `md5`"),
        ("+0 < [tos 0x10] . 1:1(0) ack 1", "`tos` about the IP header"),
        ("+0 poll(4, ..., 1, 0) = 0", "the call poll()"),
        ("+0 setsockopt(4, SOL_TCP, TCP_FASTOPEN_KEY, [1], 4) = 0", "the socket option TCP_FASTOPEN_KEY"),
        ("+0 < S 0:0(0) win 1000 <FO aaaa>", "a cookie that has not eight bytes"),
        ("+0 `nstat -n`", "the command `nstat -n`"),
        ("+0 `sysctl -q net.ipv4.tcp_ecn=3`", "the setting net.ipv4.tcp_ecn=3"),
        ("+0 %{ assert tcpi_busy_time == 0 }%", "`tcpi_busy_time`"),
        ("+0 %{ import sys }%", "`import sys` between %{ and }%"),
        ("+0~+1 < . 1:1(0) ack 1", "a range of times for an event that the script itself causes"),
    ];
    for (line, construct) in cases {
        match run(&with(line), TOLERANT) {
            Verdict::Unsupported(problem) => {
                assert_eq!((problem.construct.as_str(), problem.line), (construct, 11), "{line}");
            }
            other => panic!("{line}: {other:?}"),
        }
    }
}

#[test]
fn a_failure_shows_both_packets_and_both_times() {
    let text = with("  +0 write(4, ..., 1000) = 1000\n  +0 > P. 1:1001(1000) ack 2");
    let Verdict::Fail(failure) = run(&text, TOLERANT) else { panic!("the acknowledgment is wrong") };
    assert_eq!(failure.line, 12);
    for part in ["the acknowledgment is 1, not 2", "> P. 1:1001(1000) ack 2, at 0.200000 s", "win 502, at 0.200000 s"] {
        assert!(failure.reason.contains(part), "{part} in {}", failure.reason);
    }
}

#[test]
fn tolerance_is_what_the_script_says() {
    let late = |options: &str| {
        let text = with("  +0 write(4, ..., 1000) = 1000\n+.01 > P. 1:1001(1000) ack 1");
        run(&(options.to_owned() + &text), TOLERANT)
    };
    assert!(matches!(late(""), Verdict::Fail(_)), "10 ms early, 4 ms allowed");
    assert!(matches!(late("--tolerance_usecs=9999\n"), Verdict::Fail(_)));
    assert_eq!(late("--tolerance_usecs=10000\n"), Verdict::Pass);
}

#[test]
fn extra_acknowledgments_may_be_passed_over() {
    let text =
        with("+.1 < . 1:1001(1000) ack 1 win 400\n+.1 < . 1001:2001(1000) ack 1 win 400\n  * > . 1:1(0) ack 2001");
    assert!(matches!(run(&text, TOLERANT), Verdict::Fail(_)));
    assert_eq!(run(&text, Strictness { extra_acks: true, ..TOLERANT }), Verdict::Pass);
}

#[test]
fn the_command_ends_with_the_status_of_the_worst() {
    let status = |files: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_lightlag"))
            .current_dir(directory())
            .args(["packetdrill", "--json"])
            .args(files)
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let dir = std::env::temp_dir();
    let file = |name: &str, text: &str| {
        let path = dir.join(format!("lightlag-{}-{name}", std::process::id()));
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let good = "02-fast-retransmit-sack.pkt";
    let failing = file("fails.pkt", &with("+0 write(4, ..., 10) = 11"));
    let strange = file("strange.pkt", &with("+0 poll(4, ..., 1, 0) = 0"));
    let (code, text) = status(&[good]);
    assert_eq!(code, Some(0));
    assert_eq!(text, format!("{{\"file\":\"{good}\",\"status\":\"pass\",\"line\":null,\"reason\":null}}\n"));
    let (code, text) = status(&[good, &strange]);
    assert_eq!(code, Some(2));
    assert!(text.contains("\"status\":\"unsupported\",\"line\":11,\"reason\":\"the call poll()\""), "{text}");
    assert_eq!(status(&[&failing, &strange, good]).0, Some(1));
    assert_eq!(status(&[good, "there-is-no-such-file.pkt", &failing]).0, Some(3));
    fs::remove_file(failing).unwrap();
    fs::remove_file(strange).unwrap();
}
