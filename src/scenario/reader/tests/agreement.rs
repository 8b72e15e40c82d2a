//! What the reader accepts, the `ron` crate accepts as the same values.

use super::super::{Kind, Value, value};
use proptest::prelude::*;
use ron::extensions::Extensions;
use std::collections::BTreeMap;

/// A value as both sides can say it: `ron::Value` knows neither the names of structs nor bare names.
#[derive(Clone, Debug, PartialEq)]
enum Common {
    Nothing,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Common>),
    /// By key, the last of equal ones.
    Map(BTreeMap<String, Common>),
}

fn key(key: &Common) -> String {
    match key {
        Common::Text(text) => text.clone(),
        other => format!("{other:?}"),
    }
}

fn ours(value: &Value) -> Common {
    let list = |items: &[Value]| Common::List(items.iter().map(ours).collect());
    match &value.kind {
        Kind::Struct { fields, .. } => {
            Common::Map(fields.iter().map(|field| (field.name.text.clone(), ours(&field.value))).collect())
        }
        Kind::Tuple { items, .. } | Kind::List(items) if items.is_empty() => Common::Nothing,
        Kind::Tuple { items, .. } | Kind::List(items) => list(items),
        Kind::Map(entries) => Common::Map(entries.iter().map(|(k, v)| (key(&ours(k)), ours(v))).collect()),
        Kind::Text(text) => Common::Text(text.clone()),
        Kind::Number(written) => Common::Number(number(written)),
        Kind::Bool(bool) => Common::Bool(*bool),
        Kind::Name(name) if name.starts_with("inf") => Common::Number(f64::INFINITY),
        Kind::Name(_) => Common::Nothing,
    }
}

fn number(written: &str) -> f64 {
    let plain = written.replace('_', "");
    let unsigned = plain.trim_start_matches(['+', '-']);
    let value = [("0x", 16), ("0o", 8), ("0b", 2)]
        .iter()
        .find_map(|(prefix, radix)| u64::from_str_radix(unsigned.strip_prefix(prefix)?, *radix).ok())
        .map_or_else(|| unsigned.parse().unwrap(), |integer| integer as f64);
    if plain.starts_with('-') { -value } else { value }
}

fn theirs(value: &ron::Value) -> Common {
    match value {
        ron::Value::Bool(bool) => Common::Bool(*bool),
        ron::Value::Char(c) => Common::Text(c.to_string()),
        ron::Value::Map(map) => Common::Map(map.iter().map(|(k, v)| (key(&theirs(k)), theirs(v))).collect()),
        ron::Value::Number(number) => Common::Number(number.into_f64()),
        ron::Value::Option(None) | ron::Value::Unit => Common::Nothing,
        ron::Value::Option(Some(inner)) => theirs(inner),
        ron::Value::String(text) => Common::Text(text.clone()),
        ron::Value::Seq(items) if items.is_empty() => Common::Nothing,
        ron::Value::Seq(items) => Common::List(items.iter().map(theirs).collect()),
        ron::Value::Bytes(_) => panic!("byte strings are not read"),
    }
}

/// `ron` keeps floats in 32 bits where it believes that to suffice.
fn same(a: &Common, b: &Common) -> bool {
    match (a, b) {
        (Common::Number(a), Common::Number(b)) => {
            a.total_cmp(b).is_eq()
                || (a - b).abs() <= 1e-6 * a.abs()
                || (a.is_nan() && b.is_nan())
                || (a.abs() > 3e38 && b.is_infinite())
        }
        (Common::List(a), Common::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Common::Map(a), Common::Map(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((k, a), (l, b))| k == l && same(a, b))
        }
        (a, b) => a == b,
    }
}

fn by_ron(source: &str) -> Result<ron::Value, String> {
    let comforts = Extensions::IMPLICIT_SOME | Extensions::UNWRAP_NEWTYPES | Extensions::UNWRAP_VARIANT_NEWTYPES;
    let options = ron::Options::default().with_default_extension(comforts);
    options.from_str(source).map_err(|error| error.to_string())
}

fn agree(source: &str) {
    let Ok(value) = value(source) else { return };
    let read = by_ron(source).unwrap_or_else(|error| panic!("{source:?}: {error}\n{value:#?}"));
    let (ours, theirs) = (ours(&value), theirs(&read));
    assert!(same(&ours, &theirs), "{source:?}\nours   {ours:?}\ntheirs {theirs:?}");
}

#[test]
fn a_corpus_of_corners_is_read_alike() {
    for source in [
        "(a: 1, b: -2.5, c: 1_000, d: 0x1F, e: 0b11, f: 0o17, g: 1e3, h: 2.5E-3, i: +4, j: 1_0.2_5)",
        "18446744073709551615",
        "-9223372036854775808",
        "Scenario(name: \"x\", nodes: {\"a\": Host(at: \"Paris\"), \"b\": Router}, list: [1, 2, 3,], t: (1, \"two\"))",
        "Name(a: 1)",
        "Name ( a : 1 , )",
        "Name /* c */ (1)",
        "[Some(1), None, Some(Some(2))]",
        "{ 1: 2, true: false, 'c': \"d\", (1, 2): [3] }",
        "\"\\\"\\'\\\\\\n\\r\\t\\0\\x41\\u{1F600}\"",
        "\"over\nlines \\\n    and on\"",
        "\"\\\r\n  x\"",
        "r\"a\\b\"",
        "r##\"a\"#b\"##",
        "'\\''",
        "'\"'",
        "// only a line\n(a: 1)// end",
        "/* /* */ */ [] /**/",
        "#![enable(implicit_some)]\n(a: 5)",
        "#![ enable ( implicit_some , unwrap_newtypes , ) ] (a: 5)",
        "\u{2028}(a:\u{85}1)",
        "[inf, a, _b, c1]",
        "()",
        "Name()",
        "[(), {}, []]",
    ] {
        assert!(value(source).is_ok(), "{source:?}: {:?}", value(source));
        agree(source);
    }
}

/// Documents as text, from their smallest pieces.
fn documents() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        any::<u64>().prop_map(|n| n.to_string()),
        (any::<i32>(), 0_u32..1000).prop_map(|(n, fraction)| format!("{n}.{fraction:03}")),
        any::<u16>().prop_map(|n| format!("0x{n:x}")),
        any::<bool>().prop_map(|b| b.to_string()),
        any::<String>().prop_map(|text| format!("\"{}\"", text.escape_default())),
        "[a-z \\n]{0,9}".prop_map(|text| format!("r#\"{text}\"#")),
        any::<char>().prop_map(|c| format!("'{}'", c.escape_default())),
        "[A-Z][a-z_0-9]{1,6}",
        Just("None".to_owned()),
    ];
    let gap = prop_oneof![
        4 => Just(String::new()),
        2 => Just(" ".to_owned()),
        1 => Just("\n\t".to_owned()),
        1 => Just(" // note \"( \n".to_owned()),
        1 => Just("/* a /* b */ ' */".to_owned()),
    ];
    leaf.prop_recursive(4, 40, 5, move |inner| {
        let spaced =
            (gap.clone(), inner, gap.clone()).prop_map(|(before, value, after)| format!("{before}{value}{after}"));
        let comma = prop_oneof![Just(""), Just(",")];
        let name = prop_oneof![Just(String::new()), "[A-Z][a-z_]{1,5}", Just("Some".to_owned())];
        let field = ("[a-z][a-z_0-9]{0,4}", gap.clone(), spaced.clone())
            .prop_map(|(name, gap, value)| format!("{gap}{name}{gap}:{value}"));
        let list = prop::collection::vec(spaced.clone(), 1..5);
        let fields = prop::collection::vec(field, 1..5);
        let entries = prop::collection::vec((gap.clone(), spaced, any::<bool>()), 1..4);
        prop_oneof![
            (list.clone(), comma.clone()).prop_map(|(items, comma)| format!("[{}{comma}]", items.join(","))),
            (name.clone(), gap.clone(), list, comma.clone())
                .prop_map(|(name, gap, items, comma)| format!("{name}{gap}({}{comma})", items.join(","))),
            (name, gap.clone(), fields, comma.clone())
                .prop_map(|(name, gap, fields, comma)| format!("{name}{gap}({}{comma})", fields.join(","))),
            (entries, comma).prop_map(|(entries, comma)| {
                // Equal keys would be told apart here and not there.
                let entry = |(index, (gap, value, quoted)): (usize, (String, String, bool))| {
                    let key = if quoted { format!("\"k{index}\"") } else { index.to_string() };
                    format!("{gap}{key}{gap}:{value}")
                };
                let entries: Vec<String> = entries.into_iter().enumerate().map(entry).collect();
                format!("{{{}{comma}}}", entries.join(","))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn generated_documents_are_read_alike(source in documents()) {
        agree(&source);
    }

    #[test]
    fn whatever_is_accepted_by_chance_is_accepted_by_ron(source in "[\\[\\](){}:,\"'a-c0-2x. \\\\\n/*_+erS-]{0,9}") {
        agree(&source);
    }
}
