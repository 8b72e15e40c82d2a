//! How much of each part of a summary is shown: four levels, of which the first that fits a screen is taken.

/// The parts of a summary, in their order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Section {
    Verdict,
    Expectations,
    Traffic,
    Failures,
    Budgets,
    Routes,
    Timeline,
    Moves,
    Anycast,
    Registries,
    Judgements,
    Stores,
    Edges,
    Links,
    LeftOut,
    Warnings,
    Next,
}

impl Section {
    /// What goes where nothing else makes room, the least missed first.
    pub(super) const DISPENSABLE: [Self; 11] = [
        Self::Judgements,
        Self::Links,
        Self::Routes,
        Self::Registries,
        Self::Anycast,
        Self::Moves,
        Self::Edges,
        Self::Stores,
        Self::Budgets,
        Self::Failures,
        Self::Timeline,
    ];

    /// What it is called where it is missing.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Verdict => "the verdict",
            Self::Expectations => "expectations",
            Self::Traffic => "traffic",
            Self::Failures => "failures",
            Self::Budgets => "where time goes",
            Self::Routes => "routes",
            Self::Timeline => "faults",
            Self::Moves => "moves of hosts",
            Self::Anycast => "anycast",
            Self::Registries => "registries",
            Self::Judgements => "judgements",
            Self::Stores => "stores",
            Self::Edges => "edges",
            Self::Links => "links",
            Self::LeftOut => "what is left out",
            Self::Warnings => "warnings",
            Self::Next => "what to do next",
        }
    }
}

/// How budgets are shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Budgets {
    /// Each in a table of its own with bars, if there are no more than so many.
    Each(usize),
    /// All in one table.
    Together,
    /// Not at all.
    None,
}

/// How many of each are shown; of more, the rest is counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Detail {
    pub(super) expectations: usize,
    /// Lines of users' traffic.
    pub(super) traffic: usize,
    /// Lines of what servers ask of others.
    pub(super) calls: usize,
    /// Lines about what failed.
    pub(super) failures: usize,
    /// Servers that turned requests away.
    pub(super) servers: usize,
    pub(super) budgets: Budgets,
    pub(super) hops: usize,
    pub(super) strikes: usize,
    pub(super) moves: usize,
    pub(super) withdrawals: usize,
    pub(super) stays: usize,
    pub(super) judgements: usize,
    /// Members of stores.
    pub(super) members: usize,
    pub(super) edges: usize,
    pub(super) purges: usize,
    /// Directions of links.
    pub(super) directions: usize,
    pub(super) warnings: usize,
}

const WIDE: Detail = Detail {
    expectations: 24,
    traffic: 12,
    calls: 6,
    failures: 12,
    servers: 3,
    budgets: Budgets::Each(3),
    hops: 64,
    strikes: 6,
    moves: 6,
    withdrawals: 6,
    stays: 8,
    judgements: 4,
    members: 12,
    edges: 8,
    purges: 4,
    directions: 6,
    warnings: 4,
};

/// From all that helps to what must be.
pub(super) const LEVELS: [Detail; 4] = [
    WIDE,
    Detail { budgets: Budgets::Together, failures: 6, calls: 4, stays: 5, judgements: 2, ..WIDE },
    Detail {
        expectations: 12,
        traffic: 8,
        calls: 2,
        failures: 4,
        servers: 2,
        budgets: Budgets::Together,
        hops: 12,
        strikes: 4,
        moves: 4,
        withdrawals: 4,
        stays: 4,
        judgements: 2,
        members: 6,
        edges: 4,
        purges: 2,
        directions: 4,
        warnings: 2,
    },
    Detail {
        expectations: 6,
        traffic: 6,
        calls: 1,
        failures: 3,
        servers: 1,
        budgets: Budgets::None,
        hops: 6,
        strikes: 3,
        moves: 2,
        withdrawals: 2,
        stays: 2,
        judgements: 1,
        members: 3,
        edges: 3,
        purges: 1,
        directions: 3,
        warnings: 1,
    },
];
