//! Every scenario in the repository is sound, and the reference of the language says everything about it.

#![expect(clippy::disallowed_methods, reason = "a test reads the files it is about")]

use lightlag::observe::Phase;
use lightlag::scenario::ast::Span;
use lightlag::scenario::plan::TrafficKind;
use lightlag::scenario::render::{Colour, Source, text};
use lightlag::scenario::schema::{FORMS, PROFILES, phases};
use lightlag::scenario::{Plan, parse};
use lightlag::service::bulk::Amount;
use std::fs;
use std::path::{Path, PathBuf};

fn scenarios() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut found = Vec::new();
    let mut open = vec![root];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|ending| ending == "ron") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The plan of a file, which must have neither errors nor warnings.
fn plan(path: &Path) -> Plan {
    let source = fs::read_to_string(path).unwrap();
    let name = path.file_stem().unwrap().to_str().unwrap();
    let shown = |diagnostics: &[_]| {
        text(Source { path: path.to_str().unwrap(), text: &source }, diagnostics, Colour::Never, 120)
    };
    match parse(&source, name) {
        Ok((plan, warnings)) if warnings.is_empty() => plan,
        Ok((_, warnings)) => panic!("{}", shown(&warnings)),
        Err(errors) => panic!("{}", shown(&errors)),
    }
}

#[test]
fn every_scenario_is_sound_and_named_after_its_file() {
    let all = scenarios();
    assert!(all.len() >= 4);
    for path in all {
        let plan = plan(&path);
        assert_eq!(Some(plan.name.as_str()), path.file_stem().unwrap().to_str());
        assert!(!plan.expect.is_empty(), "{}: a scenario states its law", path.display());
    }
}

#[test]
fn every_scenario_opens_with_its_question_and_its_answer() {
    for path in scenarios() {
        let source = fs::read_to_string(&path).unwrap();
        let opening: String = source.lines().take_while(|line| line.starts_with("//")).collect();
        assert!(opening.contains('?') && opening.contains("Answer:"), "{}", path.display());
    }
}

/// Each heading with the names in backquotes that begin the rows of the tables below it.
fn reference() -> Vec<(String, Vec<String>)> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/README.md")).unwrap();
    let mut sections: Vec<(String, Vec<String>)> = Vec::new();
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("### ") {
            sections.push((heading.trim_matches('`').to_owned(), Vec::new()));
        } else if let (Some(row), Some((_, rows))) = (line.strip_prefix("| `"), sections.last_mut()) {
            rows.extend(row.split('`').next().map(str::to_owned));
        }
    }
    sections
}

#[test]
fn the_reference_documents_every_field_and_nothing_else() {
    let sections = reference();
    for form in FORMS.iter().copied().flatten() {
        let section = sections.iter().find(|(name, _)| name == form.name);
        let (_, rows) = section.unwrap_or_else(|| panic!("scenarios/README.md has no section `{}`", form.name));
        assert_eq!(rows, form.fields, "the fields of `{}`", form.name);
    }
    let known = FORMS.iter().copied().flatten().count();
    assert_eq!(sections.len(), known + 1, "a section for each form, and one for the access profiles");
}

#[test]
fn the_example_of_the_reference_is_sound() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/README.md")).unwrap();
    let example = text.split("```ron").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let (plan, warnings) = parse(example, "example").unwrap();
    assert_eq!(warnings, []);
    assert_eq!(plan.name, "example");
}

#[test]
fn the_reference_documents_every_access_profile() {
    let sections = reference();
    let (_, rows) = sections.iter().find(|(name, _)| name == "Access profiles").unwrap();
    let names: Vec<&str> = PROFILES.iter().map(|profile| profile.name).collect();
    assert_eq!(*rows, names);
}

/// Results and expectations must call phases alike.
#[test]
fn phases_are_called_as_in_results() {
    for path in scenarios() {
        for traffic in plan(&path).traffic {
            let observed = match &traffic.kind {
                TrafficKind::Http(_) | TrafficKind::Objects(_) | TrafficKind::Lookups(_) => Phase::REQUEST,
                TrafficKind::Bulk(bulk) if matches!(bulk.amount, Amount::Bytes(_)) => Phase::REQUEST,
                TrafficKind::Bulk(_) => Phase::BULK,
                TrafficKind::Messages(_) => Phase::MESSAGE,
                TrafficKind::Ping(_) | TrafficKind::Traceroute(_) => Phase::ECHO,
            };
            let names: Vec<&str> = observed.iter().map(|phase| phase.name()).collect();
            assert_eq!(phases(&traffic.kind), names);
        }
    }
}

/// The order of nodes, links, zones and traffic in a file has no meaning.
#[test]
fn the_order_of_a_file_changes_nothing_but_the_order_of_display() {
    let forwards = r#"Scenario(name: "x",
        nodes: { "a": Host(count: 12), "r": Router(), "b": Host(count: 12) },
        links: [(between: ("a", "r"), delay: "1ms"), (between: ("b", "r"), delay: "2ms")],
        traffic: { "ping": Ping(from: "a", to: "b"), "bulk": Bulk(from: "a", to: "b", pairing: Permutation) })"#;
    let backwards = r#"Scenario(name: "x",
        traffic: { "bulk": Bulk(from: "a", to: "b", pairing: Permutation), "ping": Ping(from: "a", to: "b") },
        links: [(between: ("b", "r"), delay: "2ms"), (between: ("a", "r"), delay: "1ms")],
        nodes: { "b": Host(count: 12), "r": Router(), "a": Host(count: 12) })"#;
    let bare = |source: &str| {
        let (mut plan, warnings) = parse(source, "x").unwrap();
        assert!(warnings.is_empty());
        let written = std::mem::take(&mut plan.written);
        plan.nodes.iter_mut().for_each(|node| node.declared = Span::default());
        plan.links.iter_mut().for_each(|link| link.declared = Span::default());
        plan.traffic.iter_mut().for_each(|traffic| traffic.declared = Span::default());
        (plan, written)
    };
    let ((one, first), (other, second)) = (bare(forwards), bare(backwards));
    assert_eq!(one, other);
    assert_ne!(first, second);
    let names: Vec<&str> = one.nodes.iter().map(|node| &*node.name).collect();
    assert_eq!(names[..3], ["a/1", "a/2", "a/3"]);
    assert_eq!(names[9], "a/10", "members count as people do");
}

/// Who looks for a scenario finds all of them, each with its question.
#[test]
fn the_story_tells_every_scenario() {
    let story = include_str!("../docs/scenarios.md");
    let told = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        story.contains(&format!("](../scenarios/{name})"))
    };
    let left_out: Vec<PathBuf> = scenarios()
        .into_iter()
        .filter(|path| !path.to_str().unwrap().contains("bench"))
        .filter(|path| !told(path))
        .collect();
    assert!(left_out.is_empty(), "docs/scenarios.md lacks {left_out:?}");
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    for link in story.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        assert!(docs.join(link).exists(), "docs/scenarios.md tells of {link}, which is not there");
    }
}
