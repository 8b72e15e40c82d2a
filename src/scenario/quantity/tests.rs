use super::*;
use proptest::prelude::*;

/// Code and help of what is wrong with a quantity.
fn wrong<T: std::fmt::Debug>(result: Result<T, Problem>) -> (Code, String) {
    let problem = result.unwrap_err();
    assert!(!problem.message.is_empty() && !problem.help.is_empty());
    (problem.code, problem.help)
}

#[test]
fn every_unit_is_worth_what_the_world_says() {
    let nanos = |text| span(text).unwrap().as_nanos();
    for (text, worth) in [
        ("1ns", 1),
        ("1us", 1_000),
        ("1\u{b5}s", 1_000),
        ("1\u{3bc}s", 1_000),
        ("1ms", 1_000_000),
        ("1s", 1_000_000_000),
        ("1min", 60_000_000_000),
        ("1h", 3_600_000_000_000),
        ("0.1ms", 100_000),
        ("1.5 s", 1_500_000_000),
        ("1_000.000_1ms", 1_000_000_100),
    ] {
        assert_eq!(nanos(text), worth, "{text}");
    }
    for (text, worth) in [
        ("1B", 1),
        ("1kB", 1_000),
        ("1.5MB", 1_500_000),
        ("2GB", 2_000_000_000),
        ("1KiB", 1024),
        ("0.5MiB", 1 << 19),
        ("1GiB", 1 << 30),
    ] {
        assert_eq!(bytes(text).unwrap(), Bytes(worth), "{text}");
    }
    for (text, worth) in [("1bps", 1), ("1kbps", 1_000), ("2.5Gbps", 2_500_000_000), ("100Tbps", 100_000_000_000_000)] {
        assert_eq!(rate(text).unwrap().as_bps(), worth, "{text}");
    }
    assert_eq!(distance("5600km"), Ok(5_600_000));
    assert_eq!(distance("0.001km"), Ok(1));
}

#[test]
fn a_unit_holds_exactly_its_digits_and_not_one_more() {
    assert_eq!(span("0.000000001s"), Ok(Span::from_nanos(1)));
    assert_eq!(wrong(span("0.0000000001s")).0, Code::BadQuantity);
    assert_eq!(
        span("0.00000000100000000000000000000000000000000000000000s"),
        Ok(Span::from_nanos(1)),
        "zeros are not digits"
    );
    assert_eq!(bytes("0.0009765625KiB"), Ok(Bytes(1)));
    assert_eq!(wrong(bytes("0.0009765624KiB")), (Code::BadQuantity, "the finest step is 1B".into()));
    assert_eq!(wrong(bytes("0.5B")).0, Code::BadQuantity);
    assert_eq!(wrong(distance("0.0001km")).0, Code::BadQuantity);
}

#[test]
fn ranges_hold_at_both_ends() {
    assert_eq!(span("0s"), Ok(Span::ZERO));
    assert!(span("100000h").is_ok());
    assert_eq!(wrong(span("100000.001h")).0, Code::OutOfRange);
    assert_eq!(wrong(span("99999999999999999999999999h")).0, Code::OutOfRange);
    assert_eq!(wrong(span("9999999999999999999999999999999999999999999h")).0, Code::BadQuantity);
    assert_eq!(wrong(rate("0bps")), (Code::OutOfRange, "it lies between 1bps and 100Tbps".into()));
    assert!(rate("100Tbps").is_ok());
    assert_eq!(wrong(rate("100.000000000001Tbps")).0, Code::OutOfRange);
    assert!(bytes("1000TB").is_ok());
    assert_eq!(wrong(bytes("1000.000000000001TB")).0, Code::OutOfRange);
    assert!(distance("1000000km").is_ok());
    assert_eq!(wrong(distance("1000000.001km")).0, Code::OutOfRange);
    assert_eq!(wrong(span("-5ms")), (Code::OutOfRange, "it is at least 0s".into()));
}

#[test]
fn a_share_is_the_float_that_its_decimal_names() {
    for (text, value) in
        [("0%", 0.0), ("1%", 0.01), ("1.5%", 0.015), ("99.9%", 0.999), ("100%", 1.0), ("0.0001%", 1e-6)]
    {
        assert!((ratio(text).unwrap().get() - value).abs() < f64::MIN_POSITIVE, "{text}");
    }
    assert_eq!(wrong(ratio("100.0001%")), (Code::OutOfRange, "it lies between 0% and 100%".into()));
    assert_eq!(wrong(ratio("-1%")).0, Code::OutOfRange);
    assert_eq!(wrong(ratio("33.33333333333333333333333333%")).0, Code::BadQuantity);
}

#[test]
fn a_frequency_is_a_gap() {
    let gap = |text| frequency(text).unwrap().gap();
    assert_eq!(gap("50/s"), Span::from_millis(20));
    assert_eq!(gap("3/min"), Span::from_secs(20));
    assert_eq!(gap("1/h"), Span::from_secs(3600));
    assert_eq!(gap("0.5/s"), Span::from_secs(2));
    assert_eq!(gap("3/s"), Span::from_nanos(333_333_333));
    assert_eq!(gap("1.5 /s").as_nanos(), 666_666_667);
    assert!((frequency("90/min").unwrap().per_second() - 1.5).abs() < 1e-12);
    assert_eq!(gap("1000000/ms"), Span::from_nanos(1));
    assert_eq!(wrong(frequency("1000001/ms")).0, Code::OutOfRange);
    assert!(frequency("0.00001/h").is_ok());
    assert_eq!(wrong(frequency("0.000009/h")).0, Code::OutOfRange);
    assert_eq!(wrong(frequency("0/s")).0, Code::OutOfRange);
}

#[test]
fn a_bare_number_is_told_which_unit_to_take() {
    let all = "ns, us, ms, s, min or h";
    assert_eq!(wrong(span("56")), (Code::MissingUnit, format!("write `\"56ms\"` (units: {all})")));
    assert_eq!(wrong(rate("100")).1, "write `\"100Mbps\"` (units: bps, kbps, Mbps, Gbps or Tbps)");
    assert_eq!(wrong(frequency("50")).1, "write `\"50/s\"` (units: /ms, /s, /min or /h)");
    assert_eq!(wrong(ratio("0.015")).1, "write `\"1.5%\"`");
    assert_eq!(wrong(ratio("0.01")).1, "write `\"1%\"`");
    assert_eq!(wrong(ratio("0.5")).1, "write `\"50%\"`");
    assert_eq!(wrong(ratio("0.0005")).1, "write `\"0.05%\"`");
    assert_eq!(wrong(ratio("5")).1, "write `\"5%\"`");
}

#[test]
fn a_wrong_unit_gets_the_right_one() {
    for (text, help) in [
        ("5msec", "milliseconds are `ms`"),
        ("5m", "minutes are `min`, milliseconds `ms`"),
        ("5MS", "did you mean `5ms`?"),
        ("5parsec", "units of a duration are ns, us, ms, s, min or h"),
        ("1m30s", "write one number and one unit: `56ms`"),
        ("1e3ms", "write the number out, or choose a larger or smaller unit"),
    ] {
        assert_eq!(wrong(span(text)), (Code::UnknownUnit, help.into()), "{text}");
    }
    assert_eq!(wrong(rate("100MB/s")).1, "rates count bits: 1 MB/s is `8Mbps`");
    assert_eq!(wrong(rate("100mbps")).1, "did you mean `100Mbps`?");
    assert_eq!(wrong(bytes("64KB")).1, "`kB` is 1,000 bytes, `KiB` is 1,024");
    assert_eq!(wrong(bytes("64kib")).1, "did you mean `64KiB`?");
    assert_eq!(wrong(bytes("64Mb")).1, "sizes count bytes, not bits: `MB` is 1,000,000 bytes");
    assert_eq!(wrong(frequency("50 / s")).1, "did you mean `50/s`?");
    assert_eq!(wrong(frequency("50rps")).1, "per second is `/s`");
    assert_eq!(wrong(ratio("5percent")).1, "write `%`");
}

#[test]
fn what_is_no_number_is_not_guessed() {
    for text in
        ["", " ", "fast", "ms", ".5s", "5.s", "1,5s", "1.2.3s", "_5s", "5_s", "+5s", "- s", "NaNs", "infs", ".", "٣s"]
    {
        assert_eq!(wrong(span(text)).0, Code::BadQuantity, "{text:?}");
    }
}

proptest! {
    #[test]
    fn any_text_is_answered(text in "\\PC*") {
        let _ = (span(&text), bytes(&text), rate(&text), ratio(&text), distance(&text), frequency(&text));
    }

    #[test]
    fn any_text_that_looks_like_a_quantity_is_answered(text in "[-+]?[0-9._,]{0,45} ?[a-zA-Z/%\u{b5}]{0,4}[0-9]{0,2}") {
        let _ = (span(&text), bytes(&text), rate(&text), ratio(&text), distance(&text), frequency(&text));
    }

    #[test]
    fn nanoseconds_written_as_decimal_seconds_come_back(nanos in 0_u64..100_000 * 3600 * SECOND) {
        let text = format!("{}.{:09}s", nanos / SECOND, nanos % SECOND);
        prop_assert_eq!(span(&text), Ok(Span::from_nanos(nanos)));
        let finer = format!("{}.{:09}1s", nanos / SECOND, nanos % SECOND);
        prop_assert!(span(&finer).is_err());
    }

    #[test]
    fn a_share_equals_the_literal(digits in 0_u64..=1_000_000_000, scale in 0_u32..10) {
        let percent = format!("{}.{:0width$}%", digits / 10_u64.pow(scale), digits % 10_u64.pow(scale), width = scale as usize);
        let percent = if scale == 0 { format!("{digits}%") } else { percent };
        let literal: f64 = format!("{digits}e-{}", scale + 2).parse().unwrap();
        match ratio(&percent) {
            Ok(share) => prop_assert_eq!(share.get().to_bits(), literal.to_bits()),
            Err(_) => prop_assert!(literal > 1.0),
        }
    }
}
