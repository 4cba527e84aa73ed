//! Deliberate mistakes, each at the place where the right thing is done. The simulation makes them,
//! one at a time, to show that its checks notice; without the feature `mutations`, which no build
//! for use has, asking for one is `false` at compile time.

macro_rules! mutations {
    ($($(#[$doc:meta])* $name:ident $word:literal,)*) => {
        /// A mistake that can be made.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Mutation { $($(#[$doc])* $name),* }

        impl Mutation {
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The name to ask for it by.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $(Self::$name => $word),* }
            }
        }
    };
}

mutations! {
    /// The gate opens without a lease.
    LeaseUnchecked "lease-unchecked",
    /// A lease is believed to last half as long again.
    LeaseTooLong "lease-too-long",
    /// A lease counts from the moment a voter's answer came, not from the asking.
    LeaseFromAnswer "lease-from-answer",
    /// A voter acknowledges leases of terms below the one it promised.
    PromiseIgnored "promise-ignored",
    /// A promise is told before it is on the disk.
    PromiseNotDurable "promise-not-durable",
    /// One voter less elects.
    QuorumTooSmall "quorum-too-small",
    /// A promise is taken back when the primary of an earlier term is heard again.
    PromiseTakenBack "promise-taken-back",
    /// One voter less renews the lease.
    LeaseQuorumTooSmall "lease-quorum-too-small",
    /// The least advanced replica is promoted.
    CandidateNotMostAdvanced "candidate-not-most-advanced",
    /// A restarted primary serves before enough voters hold what it holds.
    GateBeforeSync "gate-before-sync",
    /// A primary that only the server cannot hear is replaced.
    SilenceElects "silence-elects",
    /// A new term begins without waiting for the end of the former primary's lease.
    FenceSkipped "fence-skipped",
    /// A machine that was off before the voters promised counts as fenced.
    MachineStoppedBefore "machine-stopped-before",
    /// A server that has just started believes that nobody holds a lease, and judges at once.
    RestartForgetsLease "restart-forgets-lease",
    /// A server whose store is an older copy takes over nothing of what its agents know.
    RestoredKnowsAll "restored-knows-all",
    /// A term that was given up is served again.
    SurrenderForgotten "surrender-forgotten",
    /// A promise is reported although replication is not cut.
    ReplicationNotCut "replication-not-cut",
    /// A new configuration is in force without the old one being satisfied too.
    ConfigNotJoint "config-not-joint",
    /// A primary that needs no lease, or does not know yet that it does, is replaced all the same.
    SoloElected "solo-elected",
    /// The former quorums do not count after a change of primary.
    PastForgotten "past-forgotten",
    /// A new configuration counts as active before its voters have caught up.
    NotArmed "not-armed",
    /// Two promotions may take the same timeline.
    TimelineReused "timeline-reused",
    /// A switchover promotes a replica that lacks the end of the log.
    SwitchoverWithoutEnd "switchover-without-end",
    /// What a dead engine had not sent is left on its disk where nobody had to confirm it.
    TailNotRescued "tail-not-rescued",
    /// A replica's data is removed before the new copy is there although too few others hold it.
    LastCopyErased "last-copy-erased",
    /// A failover waits for its candidate for ever.
    StepWithoutDeadline "step-without-deadline",
}

#[cfg(feature = "mutations")]
mod active {
    use super::Mutation;
    use std::cell::Cell;

    std::thread_local! {
        static ACTIVE: Cell<Option<Mutation>> = const { Cell::new(None) };
    }

    /// Makes that mistake, and no other, on this thread from now on.
    pub fn mutate(mutation: Option<Mutation>) {
        ACTIVE.set(mutation);
    }

    /// Whether that mistake is to be made.
    #[must_use]
    pub fn mutated(mutation: Mutation) -> bool {
        ACTIVE.get() == Some(mutation)
    }
}

#[cfg(feature = "mutations")]
pub use active::{mutate, mutated};

/// Whether that mistake is to be made: never.
#[cfg(not(feature = "mutations"))]
#[inline(always)]
#[must_use]
pub const fn mutated(_: Mutation) -> bool {
    false
}
