//! A discipline in words, for people who check what a scenario means.

use super::{Config, Limit};
use crate::base::Bytes;
use std::fmt;

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{}", Bytes(*bytes)),
            Self::Packets(1) => f.write_str("1 packet"),
            Self::Packets(packets) => write!(f, "{} packets", grouped(*packets)),
        }
    }
}

/// Digits in groups of three.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let marks = |ecn: bool| if ecn { ", marks" } else { "" };
        match self {
            Self::DropTail(limit) => write!(f, "drop-tail {limit}"),
            Self::Threshold { limit, mark_above } => write!(f, "drop-tail {limit}, marks above {mark_above}"),
            Self::Red(red) => {
                let unit = |n| match red.unit {
                    super::red::Unit::Bytes => Limit::Bytes(n),
                    super::red::Unit::Packets => Limit::Packets(n),
                };
                let (min, max, ecn) = (unit(red.min), unit(red.max), marks(red.ecn));
                let gentle = if red.gentle { ", gentle" } else { "" };
                write!(f, "RED {min} to {max}, {} there{gentle}{ecn}, {}", red.probability, red.limit)
            }
            Self::Policer { rate, burst, limit } => {
                write!(f, "policer {rate}, burst {}; drop-tail {limit}", Bytes(*burst))
            }
            Self::Codel(codel) => {
                write!(f, "CoDel {} in {}{}", codel.target, codel.interval, marks(codel.ecn))?;
                if let Some(threshold) = codel.ce_threshold {
                    write!(f, ", marks above {threshold}")?;
                }
                write!(f, ", {}", codel.limit)
            }
            Self::FqCodel(fq) => {
                write!(f, "FQ-")?;
                write!(f, "{}, {} flows", Self::Codel(fq.codel), grouped(u64::from(fq.flows)))
            }
            Self::Priority(priority) => {
                for points in &priority.bands {
                    let names: Vec<String> = points.iter().map(ToString::to_string).collect();
                    write!(f, "{} before ", names.join("+"))?;
                }
                write!(f, "the rest, each {}", priority.each)
            }
            Self::TokenBucket(shaper) => {
                write!(f, "shaper {}, burst {}; {}", shaper.rate, Bytes(shaper.burst), shaper.queue)
            }
        }
    }
}
