//! Drives the kernel's gates as the core says, and knows what the kernel was told last.

use tracing::{error, info, warn};

use super::core::{Core, Kernel};
use super::hands::{Filter, Hands, Wanted};

/// A gate's time is renewed once it would end so much later.
const RENEW_MS: u64 = 400;

/// Members and clients are set anew so often: some end by themselves, and it shows whether the
/// table is still there.
const CHECK_MS: u64 = 5_000;

/// Between two attempts to make the table.
const RETRY_MS: u64 = 1_000;

/// The kernel may take no longer to hear of a lease: one that ended meanwhile would be given anew.
const TELL_MS_MAX: u64 = 50;

/// The node's gates.
pub(super) struct Gates<F> {
    firewall: Option<F>,
    wanted: Option<Wanted>,
    /// Until when the kernel keeps each open by itself.
    gate_until: Option<u64>,
    read_until: Option<u64>,
    held_until: Option<u64>,
    /// When the members were set, or the making of the table failed.
    checked: u64,
    has_failed: bool,
}

impl<F> Default for Gates<F> {
    fn default() -> Self {
        Self {
            firewall: None,
            wanted: None,
            gate_until: None,
            read_until: None,
            held_until: None,
            checked: 0,
            has_failed: false,
        }
    }
}

impl<F: Filter> Gates<F> {
    /// Whether there is a gate in front of the engine.
    pub(super) fn is_ready(&self) -> bool {
        self.firewall.is_some()
    }

    /// What the kernel was told last.
    pub(super) fn told(&self) -> Kernel {
        let wanted = self.wanted.as_ref().filter(|_| self.is_ready());
        let admission = wanted.map(|wanted| wanted.admission.generation);
        Kernel { open_until: self.gate_until, admission }
    }

    /// What the table has to know. The table is made anew when the ports change.
    pub(super) async fn assign<H: Hands<Filter = F>>(&mut self, hands: &mut H, wanted: Wanted) {
        let are_ports_new = self.wanted.as_ref().is_none_or(|known| known.ports != wanted.ports);
        let is_same = self.wanted.as_ref() == Some(&wanted);
        self.wanted = Some(wanted);
        if are_ports_new {
            self.lose();
            self.build(hands).await;
        } else if !is_same {
            self.let_in(hands.now());
        }
    }

    /// Makes the table where it is missing, and looks whether it is still there.
    pub(super) async fn keep<H: Hands<Filter = F>>(&mut self, hands: &mut H) {
        let age = hands.now().saturating_sub(self.checked);
        if self.firewall.is_none() && age >= RETRY_MS {
            self.build(hands).await;
        } else if age >= CHECK_MS {
            self.let_in(hands.now());
        }
    }

    async fn build<H: Hands<Filter = F>>(&mut self, hands: &mut H) {
        let Some(wanted) = &self.wanted else { return };
        let result = hands.build_filter(wanted).await;
        self.checked = hands.now();
        match result {
            Ok(firewall) => {
                info!("the packet filter is in place, the gates are closed");
                self.firewall = Some(firewall);
                self.has_failed = false;
            }
            Err(error) => {
                if !std::mem::replace(&mut self.has_failed, true) {
                    error!("there is no gate, so the engine is not started: {error:#}");
                }
            }
        }
    }

    /// Tells the kernel who may come as it is now.
    fn let_in(&mut self, now: u64) {
        let (Some(firewall), Some(wanted)) = (&mut self.firewall, &self.wanted) else { return };
        self.checked = now;
        let members = firewall.set_members(&wanted.members);
        if let Err(error) = members.and_then(|()| firewall.set_admission(&wanted.admission)) {
            warn!("the packet filter is made anew: {error:#}");
            self.lose();
        }
    }

    /// What is believed of the table holds no more; it is made anew at the next look.
    fn lose(&mut self) {
        *self = Self { wanted: self.wanted.take(), has_failed: self.has_failed, ..Self::default() };
    }

    /// Closes now, whatever is believed.
    pub(super) fn close(&mut self) {
        let Some(firewall) = &mut self.firewall else { return };
        match firewall.set_gate(0) {
            Ok(()) => self.gate_until = None,
            Err(error) => {
                error!("the gate closes only by itself: {error:#}");
                self.lose();
            }
        }
    }

    /// Tells the kernel what has changed; whether the gate was opened or closed.
    pub(super) fn drive<H: Hands<Filter = F>>(&mut self, core: &Core, hands: &H) -> bool {
        let now = hands.now();
        let was_open = self.gate_until.is_some();
        let gate = core.gate(now);
        if let Some(end) = self.gate_until.filter(|end| *end <= now) {
            warn!("the gate closed by itself {} ms ago: no lease came in time", now - end);
        }
        if let Some(due) = due(&mut self.gate_until, gate.open_until(now), now) {
            self.tell_gate(due, now, hands);
        }
        self.drive_hold(core, now);
        self.drive_read_gate(core, now);
        let is_open = self.gate_until.is_some();
        if is_open != was_open {
            info!("the gate is {}", if is_open { "open" } else { "closed" });
        }
        is_open != was_open
    }

    fn tell_gate<H: Hands<Filter = F>>(&mut self, end: u64, now: u64, hands: &H) {
        let Some(firewall) = &mut self.firewall else { return };
        let result = firewall.set_gate(end.saturating_sub(now));
        let after = hands.now();
        if let Err(error) = result {
            warn!("the gate cannot be set: {error:#}");
            return self.lose();
        }
        self.gate_until = (end > now).then_some(end);
        if self.gate_until.is_some() && after.saturating_sub(now) > TELL_MS_MAX {
            warn!("frozen for {} ms while the gate was renewed", after.saturating_sub(now));
            self.close();
        }
    }

    fn drive_hold(&mut self, core: &Core, now: u64) {
        let hold_ms = core.hold_ms(now);
        let wanted = (hold_ms > 0 && self.gate_until.is_some()).then_some(now + hold_ms);
        // Only whether it holds matters: it is told once, and ends by itself.
        let is_told = wanted.is_some() == self.held_until.is_some();
        let Some(firewall) = self.firewall.as_mut().filter(|_| !is_told) else { return };
        match firewall.set_hold(wanted.map_or(0, |end| end - now)) {
            Ok(()) => self.held_until = wanted,
            Err(error) => warn!("new connections cannot be held: {error:#}"),
        }
    }

    fn drive_read_gate(&mut self, core: &Core, now: u64) {
        let read_ms = core.read_gate_ms(now);
        let wanted = (read_ms > 0).then_some(now + read_ms);
        let Some(end) = due(&mut self.read_until, wanted, now) else { return };
        let Some(firewall) = &mut self.firewall else { return };
        match firewall.set_read_gate(end.saturating_sub(now)) {
            Ok(()) => self.read_until = (end > now).then_some(end),
            Err(error) => {
                warn!("the read gate cannot be set: {error:#}");
                self.lose();
            }
        }
    }
}

/// The end the kernel has to be told, if any: a later one in steps, an earlier one at once. What
/// has ended by itself is forgotten first.
fn due(told: &mut Option<u64>, wanted: Option<u64>, now: u64) -> Option<u64> {
    *told = told.filter(|end| *end > now);
    match (*told, wanted) {
        (None, None) => None,
        (Some(_), None) => Some(now),
        (None, Some(end)) => Some(end),
        (Some(told), Some(end)) => (end < told || end - told >= RENEW_MS).then_some(end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_hears_of_a_shorter_time_at_once_and_of_a_longer_one_in_steps() {
        let cases = [
            (None, None, None),
            (None, Some(4_000), Some(4_000)),
            (Some(4_000), None, Some(1_000)),
            (Some(4_000), Some(3_900), Some(3_900)),
            (Some(4_000), Some(4_100), None),
            (Some(4_000), Some(4_400), Some(4_400)),
            (Some(900), Some(4_000), Some(4_000)),
            (Some(900), None, None),
        ];
        for (told, wanted, expected) in cases {
            assert_eq!(due(&mut { told }, wanted, 1_000), expected, "{told:?} {wanted:?}");
        }
    }
}
