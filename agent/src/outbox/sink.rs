//! Who gets the changes.

/// Where changes are delivered to. The numbers are in the store: they are never given to another sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sink {
    /// The collector.
    Otlp = 0,
    /// Kubernetes events.
    Events = 1,
    /// The node's condition.
    Condition = 2,
}

impl Sink {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Otlp, Self::Events, Self::Condition];

    /// The word, as in `deliveries_total{sink}`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Otlp => "otlp",
            Self::Events => "events",
            Self::Condition => "condition",
        }
    }

    /// Its bit among up to eight.
    pub(super) const fn bit(self) -> u8 {
        1 << (self as u8)
    }
}
