//! Quoted quantities with units, read exactly: decimal digits become integers of the smallest unit, never a float on the way.

use super::ast;
use super::diagnostic::{Code, Diagnostic};
use super::suggest;
use crate::base::{BitRate, Bytes, Ratio, Span};

/// Why a text is not the quantity that was needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The kind of fault.
    pub code: Code,
    /// The fault in one sentence.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

impl Problem {
    fn new(code: Code, message: String, help: impl Into<String>) -> Self {
        Self { code, message, help: help.into() }
    }

    /// The same as a diagnostic about the text at `span`.
    #[must_use]
    pub fn at(self, span: ast::Span) -> Diagnostic {
        Diagnostic::error(self.code, span, self.message).help(self.help)
    }
}

/// So many events in so long, such as requests per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frequency {
    events: u64,
    per_nanos: u128,
}

impl Frequency {
    /// Mean time from one event to the next, rounded to a nanosecond.
    #[must_use]
    pub fn gap(self) -> Span {
        let events = u128::from(self.events);
        Span::from_nanos(u64::try_from((self.per_nanos + events / 2) / events).unwrap_or(u64::MAX))
    }

    /// Events per second.
    #[must_use]
    pub fn per_second(self) -> f64 {
        self.events as f64 * 1e9 / self.per_nanos as f64
    }
}

/// One kind of quantity: its units and what to say about them.
struct Kind {
    /// With its article: `a duration`.
    what: &'static str,
    /// A good example, used where the text gives no number.
    example: &'static str,
    /// Each unit and how many of the smallest it is worth, the smallest first.
    units: &'static [(&'static str, u64)],
    /// Other spellings of units that are accepted and not advertised.
    also: &'static [(&'static str, u64)],
    /// The unit to propose for a bare number.
    usual: &'static str,
    /// Units from elsewhere, and what to say about them.
    foreign: &'static [(&'static str, &'static str)],
    /// Smallest and largest value in the smallest unit.
    range: (u64, u64),
    /// The same for people.
    range_shown: (&'static str, &'static str),
}

const SECOND: u64 = 1_000_000_000;

const SPAN: Kind = Kind {
    what: "a duration",
    example: "56ms",
    units: &[("ns", 1), ("us", 1_000), ("ms", 1_000_000), ("s", SECOND), ("min", 60 * SECOND), ("h", 3600 * SECOND)],
    // The micro sign and the Greek letter look the same.
    also: &[("\u{b5}s", 1_000), ("\u{3bc}s", 1_000)],
    usual: "ms",
    foreign: &[
        ("m", "minutes are `min`, milliseconds `ms`"),
        ("sec", "seconds are `s`"),
        ("secs", "seconds are `s`"),
        ("second", "seconds are `s`"),
        ("seconds", "seconds are `s`"),
        ("msec", "milliseconds are `ms`"),
        ("usec", "microseconds are `us`"),
        ("minutes", "minutes are `min`"),
        ("hours", "hours are `h`"),
        ("d", "durations go up to hours: a day is `24h`"),
    ],
    range: (0, 100_000 * 3600 * SECOND),
    range_shown: ("0s", "100000h"),
};

const BYTES: Kind = Kind {
    what: "a size",
    example: "256KiB",
    units: &[
        ("B", 1),
        ("kB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("TB", 1_000_000_000_000),
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("TiB", 1 << 40),
    ],
    also: &[],
    usual: "B",
    foreign: &[
        ("KB", "`kB` is 1,000 bytes, `KiB` is 1,024"),
        ("K", "`kB` is 1,000 bytes, `KiB` is 1,024"),
        ("k", "`kB` is 1,000 bytes, `KiB` is 1,024"),
        ("M", "`MB` is 1,000,000 bytes, `MiB` is 1,048,576"),
        ("G", "`GB` is 1,000,000,000 bytes, `GiB` is 1,073,741,824"),
        ("kb", "sizes count bytes, not bits: `kB` is 1,000 bytes"),
        ("Mb", "sizes count bytes, not bits: `MB` is 1,000,000 bytes"),
        ("Gb", "sizes count bytes, not bits: `GB` is 1,000,000,000 bytes"),
        ("bytes", "bytes are `B`"),
    ],
    range: (0, 1_000_000_000_000_000),
    range_shown: ("0B", "1000TB"),
};

const RATE: Kind = Kind {
    what: "a rate",
    example: "100Mbps",
    units: &[("bps", 1), ("kbps", 1_000), ("Mbps", 1_000_000), ("Gbps", 1_000_000_000), ("Tbps", 1_000_000_000_000)],
    also: &[],
    usual: "Mbps",
    foreign: &[
        ("Mb/s", "write `Mbps`"),
        ("Mbit/s", "write `Mbps`"),
        ("Mbit", "write `Mbps`"),
        ("Mb", "write `Mbps`"),
        ("Gb/s", "write `Gbps`"),
        ("Gbit/s", "write `Gbps`"),
        ("Gbit", "write `Gbps`"),
        ("Gb", "write `Gbps`"),
        ("kB/s", "rates count bits: 1 kB/s is `8kbps`"),
        ("MB/s", "rates count bits: 1 MB/s is `8Mbps`"),
        ("MBps", "rates count bits: 1 MB/s is `8Mbps`"),
        ("GB/s", "rates count bits: 1 GB/s is `8Gbps`"),
        ("MB", "rates count bits per second: 1 MB/s is `8Mbps`"),
    ],
    range: (1, BitRate::MAX.as_bps()),
    range_shown: ("1bps", "100Tbps"),
};

const DISTANCE: Kind = Kind {
    what: "a distance",
    example: "5600km",
    units: &[("m", 1), ("km", 1_000)],
    also: &[],
    usual: "km",
    foreign: &[
        ("mi", "a mile is `1.609km`"),
        ("miles", "a mile is `1.609km`"),
        ("cm", "the smallest distance is `1m`: 5 ns of fibre"),
        ("ft", "a foot is less than the smallest distance, `1m`"),
    ],
    range: (0, 1_000_000_000),
    range_shown: ("0m", "1000000km"),
};

const FREQUENCY: Kind = Kind {
    what: "a frequency",
    example: "50/s",
    units: &[("/ms", 1_000_000), ("/s", SECOND), ("/min", 60 * SECOND), ("/h", 3600 * SECOND)],
    also: &[],
    usual: "/s",
    foreign: &[
        ("rps", "per second is `/s`"),
        ("qps", "per second is `/s`"),
        ("Hz", "per second is `/s`"),
        ("/sec", "per second is `/s`"),
        ("/second", "per second is `/s`"),
        ("/m", "per minute is `/min`"),
        ("/minute", "per minute is `/min`"),
        ("/hour", "per hour is `/h`"),
        ("s", "a frequency is so many per time: `50/s`"),
        ("ms", "a frequency is so many per time: `50/s`"),
    ],
    range: (0, 0),
    range_shown: ("1/h", "1000000/ms"),
};

const RATIO: Kind = Kind {
    what: "a share",
    example: "1.5%",
    units: &[("%", 1)],
    also: &[],
    usual: "%",
    foreign: &[("percent", "write `%`"), ("pct", "write `%`"), ("ppm", "10,000 ppm are `1%`")],
    range: (0, 100),
    range_shown: ("0%", "100%"),
};

/// A duration in whole nanoseconds: `"56ms"`. Units: ns us (or µs) ms s min h; up to 100,000 hours.
pub fn span(text: &str) -> Result<Span, Problem> {
    SPAN.whole(text).map(Span::from_nanos)
}

/// A size in bytes: `"256KiB"`. Units: B kB MB GB TB (powers of 1,000), KiB MiB GiB TiB (powers of 1,024); up to 1000 TB.
pub fn bytes(text: &str) -> Result<Bytes, Problem> {
    BYTES.whole(text).map(Bytes)
}

/// A rate in bits per second: `"100Mbps"`. Units: bps kbps Mbps Gbps Tbps (powers of 1,000); 1 bps to 100 Tbps.
pub fn rate(text: &str) -> Result<BitRate, Problem> {
    let bps = RATE.whole(text)?;
    BitRate::from_bps(bps).ok_or_else(|| RATE.out_of_range(text))
}

/// A distance in metres: `"5600km"`. Units: m km; up to 1,000,000 km.
pub fn distance(text: &str) -> Result<u64, Problem> {
    DISTANCE.whole(text)
}

/// How often something happens: `"50/s"`. Units: /ms /s /min /h; from one in 100,000 hours to one a nanosecond.
pub fn frequency(text: &str) -> Result<Frequency, Problem> {
    let (number, unit) = FREQUENCY.parts(text)?;
    let too_precise = || FREQUENCY.too_precise(text, "fifteen digits are enough");
    let per_nanos = 10_u128.checked_pow(number.scale).and_then(|scale| scale.checked_mul(u128::from(unit)));
    let per_nanos = per_nanos.filter(|_| number.scale <= 15).ok_or_else(too_precise)?;
    let events = u64::try_from(number.digits).map_err(|_| FREQUENCY.out_of_range(text))?;
    let slowest = u128::from(events) * u128::from(SPAN.range.1);
    if events == 0 || slowest < per_nanos || u128::from(events) > per_nanos {
        return Err(FREQUENCY.out_of_range(text));
    }
    Ok(Frequency { events, per_nanos })
}

/// A share between nothing and all: `"1.5%"`. The nearest `f64`, as if the decimal had been written in the source.
pub fn ratio(text: &str) -> Result<Ratio, Problem> {
    let (number, _) = RATIO.parts(text)?;
    let too_precise = || RATIO.too_precise(text, "fifteen digits are enough");
    // Both sides of the division are exact in an f64, and IEEE division rounds once.
    let digits = u64::try_from(number.digits).ok().filter(|digits| *digits < 1 << 53);
    let Some(whole) = 10_u128.checked_pow(number.scale + 2) else { return Err(too_precise()) };
    if number.digits > whole {
        return Err(RATIO.out_of_range(text));
    }
    let digits = digits.filter(|_| number.scale <= 20).ok_or_else(too_precise)?;
    Ratio::new(digits as f64 / whole as f64).ok_or_else(|| RATIO.out_of_range(text))
}

/// A decimal as written: `digits / 10^scale`, with no zero at the end of the fraction.
#[derive(Clone, Copy)]
struct Decimal {
    digits: u128,
    scale: u32,
}

impl Decimal {
    /// The decimal times `unit`: exact, or why not.
    fn times(self, unit: u64) -> Result<u64, Misfit> {
        let divisor = 10_u128.checked_pow(self.scale);
        let whole = divisor.map_or(0, |divisor| self.digits / divisor);
        if whole.checked_mul(u128::from(unit)).is_none_or(|n| n > u128::from(u64::MAX)) {
            return Err(Misfit::TooLarge);
        }
        let divisor = divisor.ok_or(Misfit::TooPrecise)?;
        let product = self.digits.checked_mul(u128::from(unit)).ok_or(Misfit::TooPrecise)?;
        if product % divisor != 0 {
            return Err(Misfit::TooPrecise);
        }
        u64::try_from(product / divisor).map_err(|_| Misfit::TooLarge)
    }
}

enum Misfit {
    TooLarge,
    TooPrecise,
}

impl Kind {
    /// The value in the smallest unit, exact and within the range.
    fn whole(&self, text: &str) -> Result<u64, Problem> {
        let (number, unit) = self.parts(text)?;
        match number.times(unit) {
            Ok(value) if (self.range.0..=self.range.1).contains(&value) => Ok(value),
            Ok(_) | Err(Misfit::TooLarge) => Err(self.out_of_range(text)),
            Err(Misfit::TooPrecise) => {
                let smallest = self.units[0].0;
                Err(self.too_precise(text, &format!("the finest step is 1{smallest}")))
            }
        }
    }

    /// The number and what its unit is worth.
    fn parts(&self, text: &str) -> Result<(Decimal, u64), Problem> {
        let text = text.trim();
        let (sign, rest) = match text.strip_prefix(['-', '+', '\u{2212}']) {
            Some(rest) => (text.chars().next(), rest.trim_start()),
            None => (None, text),
        };
        let end = rest.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | '_' | ',')).unwrap_or(rest.len());
        let (number, unit) = (&rest[..end], rest[end..].trim_start());
        if !number.bytes().any(|b| b.is_ascii_digit()) {
            return Err(self.not_a_number(text));
        }
        match sign {
            Some('+') => return Err(self.bad(text, format!("write `{}`", clip(rest)))),
            Some(_) => {
                let help = format!("it is at least {}", self.range_shown.0);
                return Err(Problem::new(Code::OutOfRange, format!("{} cannot be negative", self.what), help));
            }
            None => {}
        }
        let decimal = self.decimal(text, number)?;
        if unit.is_empty() {
            return Err(self.missing_unit(number, decimal));
        }
        let known = self.units.iter().chain(self.also).find(|(name, _)| *name == unit);
        known.map(|(_, worth)| (decimal, *worth)).ok_or_else(|| self.unknown_unit(number, unit))
    }

    /// The number itself: digits, `_` between digits, at most one point with digits on both sides.
    fn decimal(&self, text: &str, number: &str) -> Result<Decimal, Problem> {
        if number.contains(',') {
            let help = "the decimal point is a full stop, and thousands may be set apart with `_`: `1_500.5`";
            return Err(self.bad(text, help.to_owned()));
        }
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let plain = |digits: &str| {
            let ends = digits.starts_with('_') || digits.ends_with('_');
            !digits.is_empty() && !ends && digits.bytes().all(|b| b.is_ascii_digit() || b == b'_')
        };
        if !plain(whole) || !plain(fraction) {
            return Err(self.bad(text, format!("a number has digits on both sides of its point: `{}`", self.example)));
        }
        let fraction: String = fraction.replace('_', "");
        let fraction = fraction.trim_end_matches('0');
        let mut digits: u128 = 0;
        for digit in whole.bytes().chain(fraction.bytes()).filter(u8::is_ascii_digit) {
            let next = digits.checked_mul(10).and_then(|n| n.checked_add(u128::from(digit - b'0')));
            digits = next.ok_or_else(|| self.bad(text, "that is more digits than anything here has".to_owned()))?;
        }
        let scale = u32::try_from(fraction.len()).unwrap_or(u32::MAX);
        Ok(Decimal { digits, scale })
    }

    /// `ns, us, ms, s, min or h`.
    fn unit_list(&self) -> String {
        let names: Vec<&str> = self.units.iter().map(|(name, _)| *name).collect();
        match names.as_slice() {
            [most @ .., last] if !most.is_empty() => format!("{} or {last}", most.join(", ")),
            names => names.concat(),
        }
    }

    fn missing_unit(&self, number: &str, decimal: Decimal) -> Problem {
        let message = format!("{} needs a unit", self.what);
        let below_one =
            self.usual == "%" && decimal.scale > 0 && decimal.digits < 10_u128.saturating_pow(decimal.scale);
        let proposal = match decimal {
            // A share of 0.015 is almost surely meant as 1.5%.
            Decimal { digits, scale } if below_one && scale < 20 => {
                let scale = scale as usize;
                let padded = format!("{digits:0>width$}00", width = scale + 1);
                let (whole, fraction) = padded.split_at(padded.len() - scale);
                let whole = whole.trim_start_matches('0');
                let fraction = fraction.trim_end_matches('0');
                let whole = if whole.is_empty() { "0" } else { whole };
                if fraction.is_empty() { format!("{whole}%") } else { format!("{whole}.{fraction}%") }
            }
            _ => format!("{}{}", clip(number), self.usual),
        };
        let choices = if self.units.len() > 1 { format!(" (units: {})", self.unit_list()) } else { String::new() };
        Problem::new(Code::MissingUnit, message, format!("write `\"{proposal}\"`{choices}"))
    }

    fn unknown_unit(&self, number: &str, unit: &str) -> Problem {
        let unit = clip(unit);
        let message = format!("`{unit}` is not a unit of {}", self.what);
        let foreign = self.foreign.iter().find(|(name, _)| *name == unit);
        let names = || self.units.iter().map(|(name, _)| *name);
        let exponent = unit
            .strip_prefix(['e', 'E'])
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit() || c == '-'));
        let help = if let Some((_, advice)) = foreign {
            (*advice).to_owned()
        } else if exponent {
            "write the number out, or choose a larger or smaller unit".to_owned()
        } else if unit.contains(|c: char| c.is_ascii_digit()) {
            format!("write one number and one unit: `{}`", self.example)
        } else if let Some(name) = suggest::closest(&unit.replace(' ', ""), names()) {
            format!("did you mean `{}{name}`?", clip(number))
        } else {
            format!("units of {} are {}", self.what, self.unit_list())
        };
        Problem::new(Code::UnknownUnit, message, help)
    }

    fn out_of_range(&self, text: &str) -> Problem {
        let (least, most) = self.range_shown;
        let message = format!("`{}` is outside the range of {}", clip(text), self.what);
        Problem::new(Code::OutOfRange, message, format!("it lies between {least} and {most}"))
    }

    fn too_precise(&self, text: &str, help: &str) -> Problem {
        let message = format!("`{}` has more digits than {} can hold", clip(text), self.what);
        Problem::new(Code::BadQuantity, message, help)
    }

    fn not_a_number(&self, text: &str) -> Problem {
        let message = if text.is_empty() {
            format!("{} cannot be empty", self.what)
        } else {
            format!("`{}` is not {}: it does not begin with a number", clip(text), self.what)
        };
        Problem::new(Code::BadQuantity, message, format!("write a number and a unit: `{}`", self.example))
    }

    fn bad(&self, text: &str, help: String) -> Problem {
        Problem::new(Code::BadQuantity, format!("`{}` is not {}", clip(text), self.what), help)
    }
}

/// The first few characters of a text that may be a whole file.
fn clip(text: &str) -> String {
    const SHOWN: usize = 24;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}..", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
