//! The command as a person meets it: words, streams, exit codes.

use snapbox::cmd::{Command, OutputAssert};
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

const LIGHTLAG: &str = env!("CARGO_BIN_EXE_lightlag");

fn lightlag(words: &[&str]) -> OutputAssert {
    Command::new(LIGHTLAG).args(words).assert()
}

#[test]
fn help_is_no_error_and_a_wrong_word_is_the_users() {
    lightlag(&["--help"]).success().stderr_eq("");
    lightlag(&["run", "--help"]).success().stderr_eq("");
    lightlag(&["--version"]).success().stdout_eq("lightlag [..]\n").stderr_eq("");
    lightlag(&[]).code(2).stdout_eq("");
    lightlag(&["fly"]).code(2).stdout_eq("").stderr_eq("error: unrecognized subcommand 'fly'\n...\n");
    lightlag(&["list", "dragons"]).code(2).stdout_eq("");
}

#[test]
fn lists_name_what_scenarios_can_use() {
    let places = lightlag(&["list", "places"]).success().stderr_eq("").get_output().stdout.clone();
    let places = String::from_utf8(places).unwrap();
    for place in ["New York", "London", "São Paulo", "aws:us-east-1"] {
        assert!(places.lines().any(|line| line.starts_with(place)), "{place} in {places}");
    }
    lightlag(&["list", "controllers"]).success().stdout_eq("controller\nreno[..]\n...\n");
    lightlag(&["list", "queues"]).success().stdout_eq("queue\nDropTail[..]\n...\n");
    lightlag(&["list", "losses"]).success();
}

#[test]
fn colour_comes_only_when_asked_for_or_shown_to_a_person() {
    let escapes = |words: &[&str]| lightlag(words).success().get_output().stdout.contains(&0x1b);
    assert!(!escapes(&["list", "queues"]));
    assert!(!escapes(&["--color", "never", "list", "queues"]));
    assert!(escapes(&["--color", "always", "list", "queues"]));
}

#[test]
fn nobody_reading_to_the_end_is_no_failure() {
    // More than a pipe holds, of which one line is read.
    let mut child = std::process::Command::new("sh")
        .args(["-c", "for i in 1 2 3 4 5 6 7 8; do \"$0\" list places || exit 9; done", LIGHTLAG])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.starts_with("place"), "{first}");
    let mut words = String::new();
    child.stderr.take().unwrap().read_to_string(&mut words).unwrap();
    assert_eq!((child.wait().unwrap().code(), words.as_str()), (Some(0), ""));
}
