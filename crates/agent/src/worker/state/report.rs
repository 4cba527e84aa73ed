//! What a worker says of its node.

use std::collections::BTreeSet;
use std::time::Duration;

use bellwether_contracts::driver::ProcessState;
use bellwether_model::member::MemberReport;
use bellwether_model::mutation::{Mutation, mutated};
use bellwether_model::replication::Position;
use bellwether_model::{NodeId, Target, Term};
use bellwether_protocol::local::WorkerReport;

use super::{Act, HANG, Worker};

/// Engines that have lost touch for a moment find each other again within this time.
const LOST_AFTER: Duration = Duration::from_secs(5);

impl Worker {
    /// The term served, once everything that must be so before clients are let in is so.
    pub(super) fn serving(&mut self) -> Option<Term> {
        let is_up = self.probe.in_recovery == Some(false)
            && self.probe.process == ProcessState::Up
            && self.failure.is_none();
        let assignment = &self.orders.as_ref()?.assignment;
        if let Some(standing) = &self.probe.standing {
            // Whether a member may write is its engine's to say, and that of the majority.
            let is_member = matches!(assignment.target, Target::Member { .. });
            let is_ready = standing.in_quorum && standing.ready;
            return (is_up && is_member && is_ready).then_some(self.role.primary_term);
        }
        if !is_up || self.role.primary_term == 0 {
            return None;
        }
        // An engine that was started or promoted shows writes that nobody was told of: under
        // synchronous replication clients see them only once enough voters hold them too.
        let start = match self.started_at {
            // Adopted after the worker itself was started again.
            None => {
                self.started_at = Some(self.probe.position);
                return None;
            }
            Some(None) => *self.started_at.insert(self.probe.position),
            Some(start) => start,
        };
        let start = start?;
        let followers = self.probe.followers.iter();
        let holding = followers.filter(|follower| follower.flushed.offset >= start.offset);
        let mut holders: BTreeSet<NodeId> = holding.map(|follower| follower.node.clone()).collect();
        holders.insert(assignment.node.clone());
        let is_safe = start == Position::default()
            || assignment.group.config.retains(&holders)
            || mutated(Mutation::GateBeforeSync);
        if is_safe {
            // What was held once stays held, whoever is lost afterwards.
            self.started_at = Some(Some(Position::default()));
        }
        is_safe.then_some(self.role.primary_term)
    }

    /// Of the group of equals that it belongs to.
    fn member(&self) -> Option<MemberReport> {
        let Target::Member { term, from, .. } = &self.assignment()?.target else { return None };
        let is_founding = matches!(&self.step, Some((Act::Found(_) | Act::Bootstrap, _)));
        Some(MemberReport {
            term: *term,
            founds: from.is_none() || is_founding,
            has_founded: from.is_none() && !is_founding && self.role.primary_term >= *term,
            // One that has later orders stops by itself.
            is_lost: self.step.is_none()
                && self.role.primary_term >= *term
                && self.lost_at.is_some_and(|at| at.elapsed() > LOST_AFTER),
            standing: self.probe.standing.clone()?,
        })
    }

    /// What is, for the sentry; none before the first orders.
    pub(crate) fn report(&mut self) -> Option<WorkerReport> {
        let settings_version = self.orders.as_ref()?.assignment.engine.parameters_version;
        let is_down = self.probe.process == ProcessState::Down;
        let wanted = &self.orders.as_ref()?.assignment.databases;
        let databases = self.databases.report(wanted, is_down);
        let serving = self.serving();
        self.served = serving;
        let progress = *self.progress.lock().expect("nothing panics while it is held");
        let host = self.place.figures();
        let clients = self.place.clients(&self.orders.as_ref()?.assignment);
        let probe = &self.probe;
        let position_age = self.dead_after.unwrap_or_else(|| self.positioned_at.elapsed());
        Some(WorkerReport {
            actual: self.actual(),
            failed: self.failure.as_ref().map(|(failure, _)| failure.class),
            doing: self.doing.clone(),
            progress: progress.filter(|_| self.step.is_some()),
            serving,
            position: probe.position,
            position_age_ms: u64::try_from(position_age.as_millis()).unwrap_or(u64::MAX),
            log_end: self.log_end,
            applied: probe.applied,
            cut_for: self.cut_for,
            upstream_age_ms: probe.upstream_age_ms,
            followers: probe.followers.clone(),
            config_version: self.config_version,
            prepared: self.prepared,
            transactions: self.transactions.clone(),
            drained: self.is_drained(),
            surrendered: self.role.surrendered,
            copied: probe.copied.clone(),
            keeps_former: probe.keeps_former,
            diverged: probe.diverged.clone(),
            settings: self.settings.report(settings_version, probe),
            backup: self.backup_report(),
            log: self.log_report(),
            bring: self.bring_report(),
            replaced: probe.replaced.clone(),
            check: self.check_report(),
            moving: probe.moving.clone(),
            member: self.member(),
            disk_hangs: self.disk.silence > HANG,
            engine: probe.figures.clone(),
            host,
            clients,
            databases,
            certificate: self.certificate,
        })
    }
}
