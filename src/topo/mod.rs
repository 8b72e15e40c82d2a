//! Who is where, and what is between them: places on Earth, the fiber between them, and the graph of nodes and links.

mod fiber;
mod geodesic;
mod graph;
mod names;
mod paths;
mod place;

pub use fiber::{NANOS_PER_METRE, SAME_PLACE_METRES, Stretch, cable_metres, fiber_delay};
pub use geodesic::{Coordinates, distance};
pub use graph::{Cost, Egress, Graph, GraphError, LinkId, LinkMark, Neighbour, NodeId, NodeMark, Role};
pub use names::natural_order;
pub use paths::{Core, Distances};
pub use place::{Kind, Place, Provider, Unknown, find, places};
