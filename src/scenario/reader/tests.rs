use super::super::render::{Colour, Source, lines, text};
use super::*;
use proptest::prelude::*;

mod agreement;

/// The faults of a fragment, one line each, without the path.
fn faults(source: &str) -> Vec<String> {
    let faults = value(source).expect_err(source);
    let all = lines(Source { path: "", text: source }, &faults);
    all.lines().map(|line| line.trim_start_matches(':').to_owned()).collect()
}

/// The only fault of a fragment.
fn fault(source: &str) -> String {
    let mut all = faults(source);
    assert_eq!(all.len(), 1, "{source}\n{all:#?}");
    all.remove(0)
}

#[test]
fn every_value_knows_its_place() {
    let source = "Scenario( name: \"é\", nodes: { \"a\": Host(at: \"Paris\") } )";
    let Kind::Struct { name: Some(name), fields } = read(source).unwrap().kind else { panic!("a struct") };
    assert_eq!((name.text.as_str(), &source[name.span.range()]), ("Scenario", "Scenario"));
    assert_eq!(&source[fields[0].name.span.range()], "name");
    assert_eq!(&source[fields[0].value.span.range()], "\"é\"");
    let Kind::Map(entries) = &fields[1].value.kind else { panic!("a map") };
    assert_eq!(&source[entries[0].0.span.range()], "\"a\"");
    assert_eq!(&source[entries[0].1.span.range()], "Host(at: \"Paris\")");
    assert_eq!(&source[fields[1].value.span.range()], "{ \"a\": Host(at: \"Paris\") }");
}

#[test]
fn some_is_what_it_holds_and_a_character_is_a_text() {
    let kind = |source| value(source).unwrap().kind;
    assert_eq!(kind("Some(Some(5))"), Kind::Number("5".into()));
    assert_eq!(value("Some( 5 )").unwrap().span, Span::new(6, 7));
    assert_eq!(kind("None"), Kind::Name("None".into()));
    assert_eq!(kind("'\\u{e9}'"), Kind::Text("é".into()));
    assert_eq!(kind("r#\"a\"\\b\"#"), Kind::Text("a\"\\b".into()));
    assert_eq!(kind("\"a\\\n   b\""), Kind::Text("ab".into()));
    assert!(matches!(kind("Some(a: 1)"), Kind::Struct { name: None, .. }));
    assert!(matches!(kind("Some(1, 2)"), Kind::Tuple { name: None, .. }));
    assert_eq!(fault("Some()"), "1:1: error[syntax]: `Some` of nothing (write the value, or `None`)");
}

#[test]
fn a_file_may_begin_with_extensions_comments_and_a_byte_order_mark() {
    for source in [
        "#![enable(implicit_some)]\n#![enable(unwrap_newtypes, unwrap_variant_newtypes)]\n// x\n(a: 1)",
        "\u{feff}(a: 1)",
        "/* a /* nested */ comment */ (a: 1) // the end",
    ] {
        assert!(read(source).is_ok(), "{source}");
    }
    assert!(fault("#![enable(magic)] (a: 1)").starts_with("1:1: error[syntax]: no such extension of RON"));
    assert!(fault("# a comment\n(a: 1)").contains("comments begin with `//`"));
}

#[test]
fn a_bracket_that_is_never_closed_is_found_where_it_opens() {
    let missing = "(\n a: { \"x\": 1,\n b: [2, 3],\n)";
    let shown = text(Source { path: "a.ron", text: missing }, &value(missing).unwrap_err(), Colour::Never, 100);
    assert!(shown.contains("error[unclosed]: this `{` is never closed\n --> a.ron:2:5"), "{shown}");
    assert!(shown.contains("a `}` is missing before this field"), "{shown}");
    assert_eq!(shown.matches("error[").count(), 1, "{shown}");
}

#[test]
fn a_wrong_bracket_a_stray_one_and_a_missing_one_are_told_apart() {
    assert_eq!(fault("(a: [1, 2), b: 3)"), "1:10: error[unclosed]: `[` is closed by `)`");
    assert_eq!(fault("(a: [1, 2}, b: 3)"), "1:10: error[unclosed]: `[` is closed by `}`");
    assert_eq!(fault("(a: [1, 2]], b: 3)"), "1:11: error[unclosed]: `]` closes nothing (remove it)");
    assert_eq!(fault("(a: [1, 2, b: 3)").split(" (").next().unwrap(), "1:5: error[unclosed]: this `[` is never closed");
    assert!(fault("(a: { \"x\": (1, 2), )").starts_with("1:5: error[unclosed]: this `{` is never closed"));
    assert_eq!(
        fault("(a: [1, {"),
        "1:9: error[unclosed]: this `{` is never closed (close it with `}`; 2 brackets around it are open, too)"
    );
    assert!(fault("(a: 1))").contains("`)` closes nothing"));
}

#[test]
fn several_faults_are_reported_at_once() {
    let source = "(\n a: 1 b: 2,\n run-for: 3,\n d: 56ms,\n e: \"\\q\",\n f = 4;\n g: ,\n h: 'long',\n)";
    let all = faults(source);
    let starts: Vec<_> = all.iter().map(|line| line.split(['(', '`']).next().unwrap().trim()).collect();
    assert_eq!(
        starts,
        [
            "2:6: error[syntax]: a comma is missing",
            "3:2: error[syntax]:",
            "4:5: error[bad-number]:",
            "5:6: error[bad-escape]:",
            "6:4: error[syntax]:",
            "6:7: error[syntax]:",
            "7:5: error[syntax]: the value of",
            "8:5: error[syntax]: a text in single quotes",
        ],
        "{all:#?}"
    );
}

#[test]
fn a_forgotten_quote_is_found_at_its_line_and_the_rest_still_read() {
    let source = "(\n name: \"shop,\n a: \"x\",\n b: 5ms,\n)";
    let all = faults(source);
    assert_eq!(all.len(), 2, "{all:#?}");
    assert!(all[0].starts_with("2:8: error[unclosed]: this text is never closed"), "{all:#?}");
    assert!(all[1].starts_with("4:5: error[bad-number]"), "{all:#?}");
    // Two forgotten quotes turn the text inside out and back: the fault is behind, the pointer shows the text.
    let even = "(\n name: \"shop,\n a: \"x,\n b: 5,\n)";
    let diagnostics = value(even).unwrap_err();
    assert!(diagnostics[0].others.iter().any(|(_, text)| text.contains("closing quote")), "{diagnostics:#?}");
}

#[test]
fn comments_and_raw_texts_must_end() {
    assert!(fault("(a: 1 /* b /* c */").starts_with("1:7: error[unclosed]: this comment is never closed"));
    assert!(fault("(a: r#\"b\")").starts_with("1:5: error[unclosed]: this raw text is never closed"));
}

#[test]
fn names_and_colons_are_asked_for() {
    assert_eq!(fault("(a 1)"), "1:3: error[syntax]: a colon is missing (write `a: ..`)");
    assert!(fault("(a: 1, 2)").contains("the name of a field is missing"));
    assert!(fault("(1, a: 2)").contains("a named field among values without names"));
    assert!(fault("(a: 1, \"b\": 2)").contains("the name of a field is not in quotes"));
    assert!(fault("{\"a\" 1}").contains("a colon is missing"));
    assert!(fault("[1: 2]").contains("a superfluous colon"));
    assert!(fault("(a: 1,, b: 2)").contains("the name of a field is missing"));
    assert!(fault("(a: 1) (b: 2)").contains("nothing may follow"));
    assert!(fault("(a: \u{201c}x\u{201d})").contains("straight double quotes"));
}

#[test]
fn sixty_four_brackets_may_nest_and_no_more() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(value(&nested(MOST_DEPTH)).is_ok());
    assert!(fault(&nested(MOST_DEPTH + 1)).contains("error[too-deep]"));
    assert!(fault(&nested(100_000)).contains("error[too-deep]"));
    assert!(!faults(&"[".repeat(100_000)).is_empty());
    assert!(faults(&"]".repeat(100_000)).len() <= MOST_FAULTS);
    assert!(faults(&"(]".repeat(10_000)).len() <= MOST_FAULTS);
}

#[test]
fn what_is_not_ron_is_called_by_its_name() {
    for (source, what) in [
        ("", "the file is empty"),
        (" \n\t", "the file is empty"),
        ("// nothing yet\n", "only comments"),
        ("{\"name\": \"x\"}", "JSON"),
        ("[1, 2]", "a list"),
        ("[package]\nname = \"x\"", "TOML"),
        ("name = \"x\"\n", "TOML"),
        ("name: x\nnodes:\n  - a", "YAML"),
        ("<html></html>", "XML or HTML"),
        ("Dear reader, hello", "does not begin"),
        ("\u{7f}ELF\u{0}\u{0}", "control characters"),
        ("42", "a number"),
        ("Scenario", "a bare name"),
        ("(1, 2)", "values in brackets"),
    ] {
        let faults = read(source).expect_err(source);
        assert_eq!(faults.len(), 1, "{source}: {faults:#?}");
        assert_eq!(faults[0].code, Code::NotRon, "{source}");
        assert!(faults[0].message.contains(what), "{source}: {}", faults[0].message);
        assert!(faults[0].help.as_deref().unwrap().contains("Scenario("));
    }
    assert!(read("Scenario()").is_ok(), "what is missing in it is for the schema to say");
    let bytes = b"Scenario(\xff)".to_vec();
    let fault = not_text(String::from_utf8(bytes).unwrap_err().utf8_error());
    assert_eq!(fault.span.start, 9);
}

proptest! {
    #[test]
    fn any_text_is_answered_with_places_inside_it(source in "\\PC*|[\\[\\](){}:,\"'a-c0-9 \\\\\n/*#=.r-]{0,60}") {
        for result in [read(&source), value(&source)] {
            if let Err(faults) = result {
                prop_assert!(!faults.is_empty() && faults.len() <= MOST_FAULTS);
                for fault in &faults {
                    for span in std::iter::once(&fault.span).chain(fault.others.iter().map(|(span, _)| span)) {
                        prop_assert!(source.get(span.range()).is_some(), "{:?} {}", span, fault.message);
                    }
                }
                let _ = text(Source { path: "a.ron", text: &source }, &faults, Colour::Never, 80);
            }
        }
    }
}
