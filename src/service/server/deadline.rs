//! How long whoever asks will wait: said with the request, so that nobody works for those who have gone.
//!
//! The field is gRPC's (`Grpc-Timeout`, "gRPC over HTTP2"): a number of at most eight digits and a unit, the time that is left when it is
//! written. Clocks need not agree; what the request has been under way is not counted, so a server's deadline is that much later.

use crate::app::http1::Request;
use crate::base::{Span, Time};

/// Name of the field.
pub const DEADLINE: &str = "Grpc-Timeout";

/// Most digits.
const DIGITS: usize = 8;

/// The units of the field and their nanoseconds, the finest first.
const UNITS: [(char, u64); 6] =
    [('n', 1), ('u', 1_000), ('m', 1_000_000), ('S', 1_000_000_000), ('M', 60_000_000_000), ('H', 3_600_000_000_000)];

/// The value of the field for so long: in the finest unit whose number has not too many digits, rounded down.
pub(in crate::service) fn field(left: Span) -> String {
    let nanos = left.as_nanos();
    let fits = |&(_, unit): &(char, u64)| nanos / unit < 10_u64.pow(8);
    let (letter, unit) = UNITS.into_iter().find(fits).unwrap_or(UNITS[5]);
    format!("{}{letter}", (nanos / unit).min(99_999_999))
}

/// Until when a request that came at `at` is waited for, if it says so.
pub(super) fn until(request: &Request, at: Time) -> Option<Time> {
    let text = std::str::from_utf8(request.fields.get(DEADLINE)?).ok()?;
    time_left(text).map(|left| at.saturating_add(left))
}

/// The time that a value of the field stands for; `None` if it is none that anybody reads.
#[must_use]
pub fn time_left(text: &str) -> Option<Span> {
    let (digits, letter) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > DIGITS || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (_, unit) = UNITS.into_iter().find(|(own, _)| letter.starts_with(*own))?;
    Some(Span::from_nanos(digits.parse::<u64>().ok()?.saturating_mul(unit)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::http1::Method;
    use proptest::prelude::*;

    fn read(value: &str) -> Option<Span> {
        let mut request = Request::new(Method::Get, "/");
        request.fields.push(DEADLINE, value.to_owned());
        until(&request, Time::ZERO).map(|time| time - Time::ZERO)
    }

    #[test]
    fn it_is_written_and_read_as_grpc_does() {
        assert_eq!(field(Span::from_millis(450)), "450000u");
        assert_eq!(field(Span::from_nanos(99_999_999)), "99999999n");
        assert_eq!(field(Span::from_secs(30)), "30000000u");
        assert_eq!(field(Span::from_secs(200)), "200000m");
        assert_eq!(read("1S"), Some(Span::from_secs(1)));
        assert_eq!(read("2M"), Some(Span::from_secs(120)));
        for odd in ["", "1", "S", "1s", "-1S", "123456789n", "1.5S"] {
            assert_eq!(read(odd), None, "{odd}");
        }
    }

    proptest! {
        #[test]
        fn nobody_is_given_more_time_than_there_is(nanos in any::<u64>()) {
            let read = read(&field(Span::from_nanos(nanos))).unwrap().as_nanos();
            prop_assert!(read <= nanos);
            // The next finer unit, at most a thousand times finer, would have had nine digits: less than one part in a hundred thousand is
            // lost.
            prop_assert!(nanos - read <= nanos / 100_000);
        }
    }
}
