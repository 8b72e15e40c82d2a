//! tshark as a judge of captures: rows of fields, or nothing where it is not installed.

use std::path::Path;
use std::process::Command;

/// Preferences: every checksum is verified, and what a sender sends again after tshark has put the message together from the
/// first copies (which it saw, and the receiver did not) is no error of the message.
const PREFERENCES: [&str; 8] = [
    "-o",
    "ip.check_checksum:TRUE",
    "-o",
    "tcp.check_checksum:TRUE",
    "-o",
    "udp.check_checksum:TRUE",
    "-o",
    "tcp.reassemble_out_of_order:TRUE",
];

/// Whether tshark can be asked. Where it must be there, its absence is a failure; else a line says what is left out.
pub(crate) fn here() -> bool {
    let found = Command::new("tshark").arg("--version").output().is_ok_and(|output| output.status.success());
    let required = std::env::var("LIGHTLAG_REQUIRE_TSHARK").is_ok_and(|value| !value.is_empty());
    assert!(found || !required, "LIGHTLAG_REQUIRE_TSHARK is set and tshark is not installed");
    if !found {
        println!("SKIPPED: tshark is not installed (Debian: apt-get install tshark)");
    }
    found
}

/// What tshark prints of a file, which must be whole.
fn ask(file: &Path, words: &[&str]) -> String {
    let output = Command::new("tshark").arg("-r").arg(file).args(PREFERENCES).args(words).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", file.display());
    assert!(!said.contains("cut short") && !said.contains("damaged"), "{}: {said}", file.display());
    String::from_utf8(output.stdout).unwrap()
}

/// How many frames each of the filters keeps, in one reading of the file.
pub(crate) fn counts<const N: usize>(file: &Path, filters: [&str; N]) -> [u64; N] {
    let statistics = format!("io,stat,0,{}", filters.join(","));
    let text = ask(file, &["-q", "-z", &statistics]);
    // One row of the table: the interval, then frames and bytes of each filter between bars. A file without frames has no row.
    let row = text.lines().find(|line| line.contains("<>")).unwrap_or_default();
    let cells: Vec<&str> = row.split('|').map(str::trim).collect();
    std::array::from_fn(|place| cells.get(2 + 2 * place).map_or(0, |cell| cell.parse().expect("a count")))
}

/// The frames that a filter keeps, a line each.
pub(crate) fn list(file: &Path, filter: &str) -> String {
    ask(file, &["-Y", filter])
}

/// The comments of all frames, in order.
pub(crate) fn comments(file: &Path) -> Vec<String> {
    let text = ask(file, &["-Y", "frame.comment", "-T", "fields", "-e", "frame.comment", "-E", "aggregator=\n"]);
    text.lines().map(str::to_owned).collect()
}
