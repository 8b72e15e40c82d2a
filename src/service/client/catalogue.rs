//! Which of many objects a request is for: drawn by popularity, or one after the other.

use crate::base::Zipf;
use crate::host::Host;
use std::fmt;

/// The objects below a path, called by numbers from 0, the most popular first.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Catalogue {
    /// How many there are.
    pub count: u32,
    /// How often each is asked for.
    pub popularity: Popularity,
}

/// How often each object is asked for.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Popularity {
    /// By Zipf's law with this exponent; 0: all alike.
    Zipf(f64),
    /// One after the other, each as often as every other: a crawler or a backup.
    Scan,
}

impl fmt::Display for Catalogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.count;
        match self.popularity {
            Popularity::Zipf(exponent) if exponent > 0.0 => write!(f, "{count} objects by Zipf({exponent})"),
            Popularity::Zipf(_) => write!(f, "{count} objects alike"),
            Popularity::Scan => write!(f, "{count} objects one after the other"),
        }
    }
}

/// A catalogue in use.
pub(super) struct Objects {
    catalogue: Catalogue,
    law: Option<Zipf>,
}

impl Objects {
    pub(super) fn new(catalogue: Catalogue) -> Self {
        let law = match catalogue.popularity {
            Popularity::Zipf(exponent) => Some(Zipf::new(catalogue.count, exponent)),
            Popularity::Scan => None,
        };
        Self { catalogue, law }
    }

    /// The object of request `number` of a traffic: the same in all its tries, and in every design that is compared.
    pub(super) fn of(&self, host: &Host, traffic: &str, number: u64) -> u64 {
        match &self.law {
            Some(law) => law.sample(&mut host.rng(&format!("traffic/{traffic}/object/{number}"))) as u64,
            None => number % u64::from(self.catalogue.count),
        }
    }
}
