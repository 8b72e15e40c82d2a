//! The command as a person meets it: words, streams, exit codes.

#![expect(clippy::disallowed_methods, reason = "tests read and write files")]

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
    lightlag(&["list", "answers"]).success().stdout_eq("answers\nAll [..]\n...\n");
    lightlag(&["list", "policies"]).success().stdout_eq("...\nMaglev [..]\n...\n");
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

const SHOP: &str = "tests/cli/shop.ron";

fn stdout(words: &[&str]) -> String {
    let output = lightlag(words).success().stderr_eq("").get_output().stdout.clone();
    String::from_utf8(output).unwrap()
}

/// A directory that is gone when the test is over.
struct Dir(std::path::PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("lightlag-cli-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn check_shows_what_a_scenario_resolves_to() {
    let text = stdout(&["check", SHOP]);
    assert!(text.lines().all(|line| line == line.trim_end()), "{text}");
    insta::assert_snapshot!("check", text);
}

#[test]
fn run_says_what_users_would_have_felt() {
    let text = stdout(&["run", SHOP]);
    // How long it took differs each time.
    let (before, after) = text.split_once(" simulated in ").unwrap();
    let (_, after) = after.split_once("   ").unwrap();
    insta::assert_snapshot!("run", format!("{before} simulated in WALL   {after}"));
}

#[test]
fn the_same_run_has_the_same_results_in_every_format() {
    let json = |words: &[&str]| {
        let mut value: serde_json::Value = serde_json::from_str(&stdout(words)).unwrap();
        assert!(value["performance"]["wall_ns"].as_u64().unwrap() > 0);
        value.as_object_mut().unwrap().remove("performance");
        value
    };
    let first = json(&["run", SHOP, "--format", "json"]);
    assert_eq!(first, json(&["run", SHOP, "--format", "json", "--seed", "7"]), "the scenario's seed is 7");
    assert!(stdout(&["run", SHOP, "--seed", "8"]).ends_with(" --slowest --seed 8\n"));
    let other = json(&["run", SHOP, "--format", "json", "--seed", "8"]);
    assert_ne!(first["digest"], other["digest"]);
    let ron = lightlag::report::json::from_ron(&stdout(&["run", SHOP, "--format", "ron"])).unwrap();
    assert_eq!(first["digest"], serde_json::json!(ron.digest));
}

#[test]
fn run_writes_results_that_plot_reads() {
    let dir = Dir::new("out");
    let out = dir.0.join("results").display().to_string();
    let text = stdout(&["run", SHOP, "--out", &out]);
    assert!(
        text.ends_with(&format!(
            "next: lightlag explain {SHOP} --traffic pages --slowest\nnext: lightlag plot cdf {out}\n"
        )),
        "{text}"
    );
    stdout(&["plot", "cdf", &out]);
    stdout(&["plot", "time", &out, "--traffic", "pages"]);
}

#[test]
fn a_check_shows_a_few_of_many_and_stays_within_its_columns() {
    let dir = Dir::new("many");
    let many = r#"Scenario(run_for: "1s", nodes: {
        "u": Host(count: 300), "r": Router(), "e": Server(count: 300), "f": Anycast(members: ["e"]),
        "dns": Resolver(), "ns": Authority(),
    }, links: [
        (between: ("u", "r"), delay: "1ms"), (between: ("e", "r"), delay: "1ms"),
        (between: ("dns", "r"), delay: "1ms"), (between: ("ns", "r"), delay: "1ms"),
    ], zones: { "a.example": (A: ["e"]), "b.example": (A: ["f"]) },
    traffic: {
        "a": Http(from: "u", to: "http://a.example/", arrivals: Every("100ms")),
        "b": Http(from: "u", to: "http://b.example/", arrivals: Every("100ms")),
    })"#;
    let file = dir.file("many.ron", many);
    let few = stdout(&["check", "-q", &file]);
    assert!(few.lines().count() < 120 && few.lines().all(|line| line.chars().count() <= 160), "{few}");
    assert!(few.contains("more like these: --all shows them") && few.contains(" and 292 more"), "{few}");
    let all = stdout(&["check", "-q", "--all", &file]);
    assert!(all.lines().count() > 4 * 300 && all.contains("u/300") && all.contains("e/300"), "all of them");
    for entry in std::fs::read_dir("scenarios").unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "ron") {
            let text = stdout(&["check", "-q", path.to_str().unwrap()]);
            assert!(text.lines().all(|line| line.chars().count() <= 160), "{}:\n{text}", path.display());
        }
    }
}

/// What a user waited for is drawn: the connection that died under him, and what was asked behind the machine that answered.
#[test]
fn explain_draws_dead_connections_purges_and_registries() {
    let anycast = "scenarios/anycast.ron";
    let text = stdout(&["explain", anycast, "--traffic", "paris", "--slowest", "--packets", "--width", "180"]);
    assert!(
        text.contains("on a dead connection") && text.contains("failed: reset, after 3 retransmission timeouts"),
        "{text}"
    );
    let again = text.lines().filter(|line| line.contains("GET /") && line.contains("(again)")).count();
    assert_eq!(again, 4, "three of a timer, one to the new machine:\n{text}");
    assert!(text.contains("RST") && text.contains("SYN seq 0"), "{text}");
    let text = stdout(&["explain", "scenarios/purge.ron", "--traffic", "purge", "--packets", "--width", "160"]);
    assert_eq!(text.lines().filter(|line| line.contains("PURGE /price")).count(), 1 + 5, "{text}");
    let first = ["explain", "scenarios/client-side-balancing.ron", "--traffic", "asked", "--request", "0", "--packets"];
    let text = stdout(&first);
    assert!(text.contains("waited for the registry's first list") && text.contains("GET /services/"), "{text}");
}

#[test]
fn explain_tells_where_the_time_of_one_request_went() {
    insta::assert_snapshot!(
        "explain-slowest",
        stdout(&["explain", SHOP, "--traffic", "pages", "--slowest", "--packets"])
    );
    insta::assert_snapshot!(
        "explain-ping",
        stdout(&["explain", SHOP, "--traffic", "ping", "--request", "3", "--packets", "--ascii"])
    );
    let failed = |words: &[&str], said: &str| {
        lightlag(words).code(2).stdout_eq("").stderr_eq(format!("error: {said}\n"));
    };
    failed(&["explain", SHOP], "explain which traffic? choose with --traffic among pages, ping");
    failed(&["explain", SHOP, "--traffic", "page"], "no traffic is called `page`; there is pages, ping");
    let missing = ["explain", SHOP, "--traffic", "ping", "--request", "10"];
    // How many had depends on which packets the line lost.
    failed(&missing, "`ping` has no number 10 that had ended when the run did; [..] had");
}

#[test]
fn each_kind_of_failure_has_its_exit_code() {
    let dir = Dir::new("codes");
    let shop = std::fs::read_to_string(SHOP).unwrap();
    // 1: a valid run that disappoints.
    let strict = dir.file("strict.ron", &shop.replace("\"55ms\", at_most: \"150ms\"", "\"55ms\", at_most: \"60ms\""));
    let output = lightlag(&["run", &strict]).code(1).stderr_eq("").get_output().stdout.clone();
    let text = String::from_utf8(output).unwrap();
    assert!(text.starts_with("shop FAILED 1 of 2 expectations\n"), "{text}");
    assert!(text.contains("\nFAILED  pages p50 between 55.0 ms and 60.0 ms  117 ms\n"), "{text}");
    // 2: a wrong scenario; nothing on stdout, nothing written.
    let wrong = dir.file("wrong.ron", &shop.replace("loss: \"1%\"", "loss: \"120%\""));
    let out = dir.0.join("results");
    for words in [vec!["check", &wrong], vec!["run", &wrong, "--out", out.to_str().unwrap()], vec!["explain", &wrong]] {
        let output = lightlag(&words).code(2).stdout_eq("").get_output().stderr.clone();
        let text = String::from_utf8(output).unwrap();
        assert!(text.starts_with("error[") && text.contains("120%"), "{text}");
    }
    assert!(!out.exists());
    // 3: a file that is not there, and a place where nothing can be written.
    let missing = dir.0.join("missing.ron").display().to_string();
    lightlag(&["run", &missing]).code(3).stdout_eq("").stderr_eq("error: cannot read `[..]missing.ron`: [..]\n");
    lightlag(&["run", SHOP, "--out", &wrong]).code(3).stdout_eq("").stderr_eq("error: cannot make `[..]`: [..]\n");
}
