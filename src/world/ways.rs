//! The way on from the end of a link, kept beside the link: a packet whose destination has come this way before needs no look at the
//! router's table.

use crate::topo::Egress;
use std::net::Ipv4Addr;

/// Addresses remembered at a link's end, by the last bits of the address.
const PLACES: u8 = 8;

/// The ways out that the router at a link's end has for some addresses. Only ways that do not depend on the flow may be kept, and none of them
/// when the router's table changes.
#[derive(Clone, Debug)]
pub(super) struct Ways([(Ipv4Addr, Egress); PLACES as usize]);

/// No way: no world has so many directions.
pub(super) const NOWHERE: Egress = Egress::from_number(u32::MAX);

impl Ways {
    pub(super) const NONE: Self = Self([(Ipv4Addr::UNSPECIFIED, NOWHERE); PLACES as usize]);

    /// The way to an address, if it is known; for no address at all, [`NOWHERE`].
    #[inline]
    pub(super) fn to(&self, address: Ipv4Addr) -> Option<Egress> {
        let (known, egress) = self.0[place(address)];
        (known == address).then_some(egress)
    }

    /// Keeps a way, in the place of another if need be.
    #[inline]
    pub(super) fn keep(&mut self, address: Ipv4Addr, egress: Egress) {
        self.0[place(address)] = (address, egress);
    }
}

#[inline]
fn place(address: Ipv4Addr) -> usize {
    usize::from(address.octets()[3] % PLACES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_is_known_until_another_takes_its_place() {
        let address = |last| Ipv4Addr::new(10, 0, 0, last);
        let way = |number| Some(Egress::from_number(number));
        let mut ways = Ways::NONE;
        assert_eq!((ways.to(address(1)), ways.to(Ipv4Addr::UNSPECIFIED)), (None, Some(NOWHERE)));
        ways.keep(address(1), Egress::from_number(4));
        ways.keep(address(2), Egress::from_number(6));
        assert_eq!((ways.to(address(1)), ways.to(address(2))), (way(4), way(6)));
        ways.keep(address(9), Egress::from_number(8));
        assert_eq!((ways.to(address(1)), ways.to(address(9))), (None, way(8)));
    }
}
