//! Carries out a drill: the one thing that is done to an engine that is as it should be.

use std::sync::Arc;

use bellwether_contracts::Driver;
use bellwether_model::Target;
use bellwether_protocol::local::Orders;
use tracing::warn;

use super::{Worker, promised};
use crate::worker::role::Role;

impl Worker {
    /// Kills the engine of a primary that serves, as a drill orders; whether it did. What follows
    /// is what follows the death of any engine.
    pub(super) async fn drill(&mut self, driver: &Arc<dyn Driver>, orders: &Orders) -> bool {
        let Some(order) = orders.assignment.drill.clone() else { return false };
        let serves = matches!(orders.assignment.target, Target::Primary { term, .. }
            if term == order.term && self.served == Some(term) && promised(orders) <= term);
        // One that is alone has nobody to take over.
        let is_alone = orders.assignment.group.config.may_be_solo();
        if !serves || is_alone || self.role.drilled.as_ref() == Some(&order.token) {
            return false;
        }
        let role = Role { drilled: Some(order.token.clone()), ..self.role.clone() };
        // On the disk before: a worker that is started again must not do it again.
        if let Err(error) = self.place.write_role(&role) {
            warn!("the drill {} is left: the role cannot be saved: {error}", order.token);
            return false;
        }
        self.role = role;
        warn!("the drill {}: the engine is killed", order.token);
        if let Err(failure) = driver.kill().await {
            warn!("the drill {}: {failure}", order.token);
        }
        true
    }
}
