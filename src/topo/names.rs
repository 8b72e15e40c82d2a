//! The order in which people count names.

use std::cmp::Ordering;

/// Names in the order of people: runs of digits by their value, `host/2` before `host/10`. A total order of distinct names.
#[must_use]
pub fn natural_order(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a.as_bytes(), b.as_bytes());
    while let (Some(&x), Some(&y)) = (left.first(), right.first()) {
        if x.is_ascii_digit() && y.is_ascii_digit() {
            let (m, n) = (number(&mut left), number(&mut right));
            match m.len().cmp(&n.len()).then(m.cmp(n)) {
                Ordering::Equal => {}
                decided => return decided,
            }
        } else if x == y {
            (left, right) = (&left[1..], &right[1..]);
        } else {
            return x.cmp(&y);
        }
    }
    left.len().cmp(&right.len()).then(a.cmp(b))
}

/// Takes the digits at the front, without leading zeros.
fn number<'a>(text: &mut &'a [u8]) -> &'a [u8] {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = text.split_at(digits);
    *text = rest;
    let zeros = number.iter().take_while(|&&digit| digit == b'0').count();
    &number[zeros..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_count_r2_before_r10() {
        let mut names = ["r10", "r2", "r02", "r1a", "r1", "r", "a/2/10", "a/2/9", "r2"];
        names.sort_by(|a, b| natural_order(a, b));
        assert_eq!(names, ["a/2/9", "a/2/10", "r", "r1", "r1a", "r02", "r2", "r2", "r10"]);
    }
}
