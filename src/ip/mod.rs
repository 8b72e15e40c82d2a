//! Which way next: addresses from prefixes, longest-prefix match with equal-cost paths, and what a node does with a packet.

mod anycast;
mod fib;
mod flow;
mod icmp;
mod plan;
mod prefix;
mod router;
mod routes;
mod uplinks;

pub use anycast::{Announced, Anycast};
pub use fib::{Fib, FibBuilder, Group};
pub use flow::{flow_hash, pick};
pub use icmp::{DEFAULT_TTL, error_about, port_unreachable, reply_to_echo};
pub use plan::{AddressError, AddressPlan, Wishes};
pub use prefix::{Prefix, PrefixError};
pub use router::{Router, Verdict};
pub use routes::{follow, route, route_announced};
pub use uplinks::{Multihomed, Uplink};
