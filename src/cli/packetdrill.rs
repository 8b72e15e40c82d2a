//! `packetdrill`: packet scripts against the TCP machine, a verdict each.

use super::args::Packetdrill;
use super::output::{Failure, Status, Terminal};
use crate::drill::{self, Strictness, Verdict};
use crate::report::files;

/// Runs every script; one that cannot be read keeps no other from being run.
pub(crate) fn run(args: &Packetdrill, terminal: &Terminal) -> Result<Status, Failure> {
    let strictness = Strictness {
        exact: args.exact,
        whole_end: args.strict_end,
        any_window: args.no_win,
        extra_acks: args.extra_acks,
        push_and_scale: args.strict,
    };
    let mut status = Status::Fine;
    for path in &args.files {
        let text = match files::read_text(path) {
            Ok(text) => text,
            Err(error) => {
                terminal.failed(&error.into());
                status = graver(status, Status::Broken);
                continue;
            }
        };
        let file = path.display().to_string();
        let verdict = drill::run(&text, strictness);
        if args.json {
            Terminal::print(&(verdict.to_json(&file) + "\n"))?;
        } else {
            Terminal::print(&verdict.to_text(&file))?;
        }
        status = graver(
            status,
            match verdict {
                Verdict::Pass => Status::Fine,
                Verdict::Fail(_) => Status::Unexpected,
                Verdict::Unsupported(_) => Status::Wrong,
            },
        );
    }
    Ok(status)
}

/// What several scripts come to together: a file not read weighs more than a failure, and that more than what is not supported.
fn graver(one: Status, other: Status) -> Status {
    let weight = |status| match status {
        Status::Fine => 0,
        Status::Wrong => 1,
        Status::Unexpected => 2,
        Status::Broken => 3,
    };
    if weight(other) > weight(one) { other } else { one }
}
