//! What breaks, and when: faults as data, with their timetables and named chance. `world` makes them happen.
//!
//! A fault is a name, a timetable and what it does: a few effects on link directions and machines. Each kind that a scenario
//! can name is a file in `scenario/schema/faults/`, which says of which effects it consists.

mod schedule;

pub use schedule::{Schedule, Timetable};

use crate::base::Ratio;
use crate::link::Trouble;

/// Something that breaks.
#[derive(Clone, PartialEq, Debug)]
pub struct Fault {
    /// Its name: `cut a-b`. Names its streams of chance: unique.
    pub name: String,
    /// When it strikes and heals.
    pub schedule: Schedule,
    /// What it does while it lasts.
    pub effects: Vec<Effect>,
}

/// One thing that a fault does while it lasts. Nodes and directions are numbered as in the plan.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
    /// To a direction of a link.
    Link {
        /// Which direction.
        direction: u32,
        /// What.
        trouble: Trouble,
    },
    /// A direction carries no packet from some nodes to some others.
    Block {
        /// Which direction.
        direction: u32,
        /// Whose packets, in ascending order; everybody's if there are none.
        from: Vec<u32>,
        /// For whom, in ascending order; for everybody if there are none.
        to: Vec<u32>,
    },
    /// A machine loses everything that it was doing; when it is over, it starts again.
    Crash {
        /// Which machine.
        node: u32,
        /// How the others find out.
        manner: Manner,
    },
    /// Work on a machine takes longer.
    Slow {
        /// Which machine.
        node: u32,
        /// So many times as long, in hundredths.
        hundredths: u32,
    },
    /// A name server does not do its duty.
    Dns {
        /// Which machine.
        node: u32,
        /// In which way.
        trouble: DnsTrouble,
    },
}

/// How a crash shows itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Manner {
    /// The machine loses its power: it says nothing more, and packets for it vanish.
    Silence,
    /// Its programs die, the kernel lives: connections are reset at once and new ones refused.
    Reset,
}

/// What a name server does wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DnsTrouble {
    /// It answers nothing.
    Silent,
    /// It answers that it cannot answer (SERVFAIL).
    ServFail,
    /// It says this TTL, in seconds, instead of the true one, and remembers for so long itself.
    Ttl(u32),
    /// It answers from what it remembers, however old.
    Stale,
}

/// The whole of a way and its ends, as places of a break.
pub const AT_SENDER: Ratio = Ratio::ZERO;
/// The far end.
pub const AT_RECEIVER: Ratio = Ratio::ONE;
