//! One scenario per diagnostic code: what it says, where it points and what it advises, as people see it.

#![expect(clippy::disallowed_methods, reason = "a test reads the files it is about")]

use lightlag::scenario::render::{Colour, Source, text};
use lightlag::scenario::{Code, Diagnostic, parse};
use std::fs;
use std::path::Path;

/// The diagnostics of the file that stands for a code.
fn diagnostics(code: &str, source: &str) -> Vec<Diagnostic> {
    match parse(source, code) {
        Ok((_, warnings)) => warnings,
        Err(all) => all,
    }
}

fn source(code: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/diagnostics").join(format!("{code}.ron"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_code_has_a_scenario_that_shows_it() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("diagnostics/snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for code in Code::TABLE {
            let (name, source) = (code.name(), source(code.name()));
            let found = diagnostics(name, &source);
            let shown = text(Source { path: &format!("{name}.ron"), text: &source }, &found, Colour::Never, 110);
            assert!(found.iter().any(|diagnostic| diagnostic.code == *code), "{name}:\n{shown}");
            insta::assert_snapshot!(name, shown);
        }
    });
}

/// A diagnostic that is about nothing else should say nothing else.
#[test]
fn one_fault_gives_one_diagnostic() {
    for code in Code::TABLE {
        let name = code.name();
        let others: Vec<_> = diagnostics(name, &source(name)).into_iter().filter(|other| other.code != *code).collect();
        assert!(others.is_empty(), "{name}: {others:?}");
    }
}

#[test]
fn every_diagnostic_points_into_the_file_and_advises_or_shows_the_other_place() {
    for code in Code::TABLE {
        let source = source(code.name());
        for found in diagnostics(code.name(), &source) {
            assert!(found.span.start <= found.span.end && found.span.end <= source.len(), "{found:?}");
            assert!(source.is_char_boundary(found.span.start) && source.is_char_boundary(found.span.end), "{found:?}");
            assert!(found.help.is_some() || !found.others.is_empty() || !found.label.is_empty(), "{found:?}");
        }
    }
}
