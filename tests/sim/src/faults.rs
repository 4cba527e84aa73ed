//! What goes wrong, and when.

use rand::Rng as _;
use rand::rngs::StdRng;

use crate::hub::{Event, Hub, State};
use crate::net::Host;
use crate::server::Server;

/// One fault, with whom it strikes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    EngineCrash {
        node: usize,
    },
    EngineHang {
        node: usize,
    },
    SentryCrash {
        node: usize,
    },
    WorkerCrash {
        node: usize,
    },
    PowerLoss {
        node: usize,
        unclear: bool,
    },
    Freeze {
        node: usize,
    },
    DiskFull {
        node: usize,
    },
    DiskSlow {
        node: usize,
        ms: u64,
    },
    /// It takes no writes, and refuses none.
    DiskHang {
        node: usize,
    },
    /// The engine's senders stand still: what it writes stays with it.
    SendersStall {
        node: usize,
    },
    /// Nothing passes in these directions.
    Cut {
        ways: Vec<(Host, Host)>,
    },
    NetworkSlow {
        ms: u64,
    },
    NetworkLoss {
        percent: u32,
    },
    /// Whoever is promoted meanwhile may be struck soon.
    Ambush {
        ms: u64,
    },
    ServerCrash,
    /// Its store is copied.
    ServerBackUp,
    /// It crashes, and is back with that copy in the place of its store; for so long nobody but
    /// that node reaches it.
    ServerRestored {
        alone: usize,
        ms: u64,
    },
    ServerFreeze,
    ServerDiskSlow {
        ms: u64,
    },
    WallClock {
        ms: i64,
    },
    ProviderFails,
}

impl Fault {
    /// Whether all of it is done when it begins.
    fn is_momentary(&self) -> bool {
        matches!(
            self,
            Self::EngineCrash { .. }
                | Self::WallClock { .. }
                | Self::Ambush { .. }
                | Self::ServerBackUp
        )
    }

    /// Whether it is the server that is struck.
    pub fn is_servers(&self) -> bool {
        matches!(
            self,
            Self::ServerCrash
                | Self::ServerRestored { .. }
                | Self::ServerFreeze
                | Self::ServerDiskSlow { .. }
        )
    }
}

/// The kinds that a run may draw from.
pub const KINDS: u32 = 26;

/// A fault, when it begins and how long it lasts.
pub struct Strike {
    pub after_ms: u64,
    pub fault: Fault,
    pub lasts_ms: u64,
}

/// Draws what goes wrong together. More often than not it strikes the primary.
pub fn draw(rng: &mut StdRng, kind: u32, nodes: usize, primary: Option<usize>) -> Vec<Strike> {
    let node = primary.unwrap_or_else(|| rng.random_range(0..nodes));
    match kind {
        16 => server_moves(rng, nodes, node),
        17 => server_flaps(rng, nodes, node),
        18 => last_words(rng, nodes, node),
        19 => unconfirmed(rng, nodes, node),
        20 => unsent(rng, node),
        22 => twice(rng, nodes, node),
        23 => back_unseen(rng, nodes, node),
        25 => restored(rng, node),
        21 => {
            let lasts_ms = rng.random_range(100..8_000);
            vec![Strike { after_ms: 0, fault: Fault::SendersStall { node }, lasts_ms }]
        }
        24 => {
            let lasts_ms = rng.random_range(500..30_000);
            vec![Strike { after_ms: 0, fault: Fault::DiskHang { node }, lasts_ms }]
        }
        _ => {
            let (fault, lasts_ms) = draw_one(rng, kind, nodes, primary);
            vec![Strike { after_ms: 0, fault, lasts_ms }]
        }
    }
}

/// One node is left with the server alone; then the server is killed, and back elsewhere, where the
/// node does not reach it.
fn server_moves(rng: &mut StdRng, nodes: usize, node: usize) -> Vec<Strike> {
    let after_ms = rng.random_range(0..7_000);
    let cut = |ways, lasts_ms| Strike { after_ms, fault: Fault::Cut { ways }, lasts_ms };
    let away = cut(both(Host::Node(node), Host::Server).into(), rng.random_range(4_000..15_000));
    let dies =
        Strike { after_ms, fault: Fault::ServerCrash, lasts_ms: rng.random_range(10..1_500) };
    let lasts_ms = rng.random_range(6_000..20_000);
    let alone = Fault::Cut { ways: from_nodes(nodes, node) };
    vec![Strike { after_ms: 0, fault: alone, lasts_ms }, away, dies]
}

/// One node is cut from the others, and for a moment from the server too.
fn server_flaps(rng: &mut StdRng, nodes: usize, node: usize) -> Vec<Strike> {
    let strike =
        |after_ms, ways, lasts_ms| Strike { after_ms, fault: Fault::Cut { ways }, lasts_ms };
    let others = from_nodes(nodes, node);
    let server = both(Host::Node(node), Host::Server).into();
    vec![
        strike(0, others, rng.random_range(6_000..20_000)),
        strike(rng.random_range(0..500), server, rng.random_range(1_000..5_000)),
    ]
}

/// One node dies while others do not hear it: they know less of its last writes than the rest.
fn last_words(rng: &mut StdRng, nodes: usize, node: usize) -> Vec<Strike> {
    let others = (0..nodes).filter(|other| *other != node && rng.random_bool(0.5));
    let others: Vec<_> = others.collect();
    let ways = others.into_iter().map(|other| (Host::Node(node), Host::Node(other))).collect();
    let (after_ms, lasts_ms) = (rng.random_range(50..2_500), rng.random_range(3_000..25_000));
    let dies = match rng.random_bool(0.5) {
        true => Fault::PowerLoss { node, unclear: rng.random_bool(0.5) },
        false => Fault::EngineCrash { node },
    };
    vec![
        Strike { after_ms: 0, fault: Fault::Cut { ways }, lasts_ms: after_ms },
        Strike { after_ms, fault: dies, lasts_ms },
    ]
}

/// One node is left alone with writes that nobody confirms, and starts again; when the others are
/// back, it is gone for long.
fn unconfirmed(rng: &mut StdRng, nodes: usize, node: usize) -> Vec<Strike> {
    let others = (0..nodes).filter(|other| *other != node);
    let from_server = others.flat_map(|other| both(Host::Node(other), Host::Server));
    let ways = from_nodes(nodes, node).into_iter().chain(from_server).collect();
    let alone_ms = rng.random_range(6_000..20_000);
    let dies = match rng.random_bool(0.5) {
        true => Fault::PowerLoss { node, unclear: rng.random_bool(0.5) },
        false => Fault::EngineCrash { node },
    };
    let gone = Fault::PowerLoss { node, unclear: rng.random_bool(0.5) };
    vec![
        Strike { after_ms: 0, fault: Fault::Cut { ways }, lasts_ms: alone_ms },
        Strike {
            after_ms: rng.random_range(50..3_000),
            fault: dies,
            lasts_ms: rng.random_range(10..1_000),
        },
        Strike { after_ms: alone_ms, fault: gone, lasts_ms: rng.random_range(10_000..30_000) },
    ]
}

/// One node dies while some others hear only the server, and soon whoever replaced it.
fn twice(rng: &mut StdRng, nodes: usize, node: usize) -> Vec<Strike> {
    let lasts_ms = rng.random_range(8_000..30_000);
    let lone = (0..nodes).filter(|other| *other != node && rng.random_bool(0.5));
    let lone: Vec<_> = lone.collect();
    let ways = lone.iter().flat_map(|other| from_nodes(nodes, *other)).collect();
    let gone = Fault::PowerLoss { node, unclear: rng.random_bool(0.5) };
    vec![
        Strike { after_ms: 0, fault: Fault::Ambush { ms: 8_000 }, lasts_ms: 0 },
        Strike { after_ms: 0, fault: Fault::Cut { ways }, lasts_ms },
        Strike { after_ms: rng.random_range(50..1_400), fault: gone, lasts_ms: 30_000 },
    ]
}

/// One node is off for a moment, and back before the server, which stands still, hears from the
/// others again: what it knows of that node is old.
fn back_unseen(rng: &mut StdRng, nodes: usize, node: usize) -> Vec<Strike> {
    let from_server = |other| both(Host::Node(other), Host::Server);
    let others = (0..nodes).filter(|other| *other != node).flat_map(from_server).collect();
    let own = from_server(node).into();
    // The provider is asked after a second of silence.
    let (cut_at, frozen_at) = (rng.random_range(700..1_300), rng.random_range(1_300..2_000));
    let strike = |after_ms, fault, lasts_ms| Strike { after_ms, fault, lasts_ms };
    vec![
        strike(0, Fault::PowerLoss { node, unclear: false }, rng.random_range(1_300..2_300)),
        strike(0, Fault::Cut { ways: own }, rng.random_range(8_000..15_000)),
        strike(cut_at, Fault::Cut { ways: others }, rng.random_range(2_000..3_900)),
        strike(frozen_at, Fault::ServerFreeze, rng.random_range(2_500..4_500)),
    ]
}

/// The server is back with an older copy of its store. Often the primary is lost in between, and
/// sometimes it has only just come back, and knows as little.
fn restored(rng: &mut StdRng, node: usize) -> Vec<Strike> {
    let strike = |after_ms, fault, lasts_ms| Strike { after_ms, fault, lasts_ms };
    let (after_ms, lasts_ms) = (rng.random_range(6_000..40_000), rng.random_range(10..4_000));
    let ms = lasts_ms + rng.random_range(0..1_500);
    let restored = Fault::ServerRestored { alone: node, ms };
    let mut all = vec![strike(0, Fault::ServerBackUp, 0), strike(after_ms, restored, lasts_ms)];
    if rng.random_bool(0.8) {
        let lost_at = rng.random_range(0..after_ms - 5_000);
        let back_at = after_ms - rng.random_range(0..1_500);
        let gone = Fault::PowerLoss { node, unclear: rng.random_bool(0.5) };
        all.push(strike(lost_at, gone, back_at - lost_at));
    }
    all
}

/// The engine dies with writes that it has sent to nobody.
fn unsent(rng: &mut StdRng, node: usize) -> Vec<Strike> {
    let after_ms = rng.random_range(50..2_500);
    vec![
        Strike { after_ms: 0, fault: Fault::SendersStall { node }, lasts_ms: after_ms },
        Strike { after_ms, fault: Fault::EngineCrash { node }, lasts_ms: 0 },
    ]
}

/// What strikes a node that has just been promoted.
pub fn ambush(rng: &mut StdRng, nodes: usize, node: usize) -> Strike {
    let after_ms = rng.random_range(0..700);
    let lasts_ms = rng.random_range(2_000..25_000);
    let fault = match rng.random_range(0..4) {
        0 => Fault::EngineCrash { node },
        1 => Fault::Freeze { node },
        2 => Fault::PowerLoss { node, unclear: rng.random_bool(0.5) },
        _ => {
            let server = both(Host::Node(node), Host::Server);
            let ways = from_nodes(nodes, node).into_iter().chain(server).collect();
            Fault::Cut { ways }
        }
    };
    Strike { after_ms, fault, lasts_ms }
}

pub fn both(one: Host, other: Host) -> [(Host, Host); 2] {
    [(one, other), (other, one)]
}

fn from_nodes(nodes: usize, node: usize) -> Vec<(Host, Host)> {
    let others = (0..nodes).filter(|other| *other != node);
    others.flat_map(|other| both(Host::Node(node), Host::Node(other))).collect()
}

fn draw_one(rng: &mut StdRng, kind: u32, nodes: usize, primary: Option<usize>) -> (Fault, u64) {
    let any = rng.random_range(0..nodes);
    let node = if rng.random_bool(0.4) { primary.unwrap_or(any) } else { any };
    let short = rng.random_range(100..6_000);
    let long = if rng.random_bool(0.5) { short } else { rng.random_range(1_000..30_000) };
    match kind {
        0 => (Fault::EngineCrash { node }, 0),
        1 => (Fault::EngineHang { node }, long),
        2 => (Fault::SentryCrash { node }, short.min(3_000)),
        3 => (Fault::WorkerCrash { node }, short.min(3_000)),
        4 => (Fault::PowerLoss { node, unclear: rng.random_bool(0.5) }, long),
        5 => (Fault::Freeze { node }, long),
        6 => (Fault::DiskFull { node }, long),
        7 => (Fault::DiskSlow { node, ms: rng.random_range(20..2_500) }, long),
        8 => (Fault::Cut { ways: cut(rng, nodes) }, long),
        9 => (Fault::Cut { ways: cut_around(rng, nodes, node) }, long),
        10 => (Fault::NetworkSlow { ms: rng.random_range(5..600) }, long),
        11 => (Fault::NetworkLoss { percent: rng.random_range(1..40) }, long),
        12 => (Fault::ServerCrash, short),
        13 => (Fault::ServerFreeze, long),
        14 => (Fault::ServerDiskSlow { ms: rng.random_range(5..800) }, long),
        15 if rng.random_bool(0.5) => (Fault::ProviderFails, long),
        _ => {
            let ms = rng.random_range(-3_600_000..3_600_000);
            (Fault::WallClock { ms }, 0)
        }
    }
}

/// A partition in two sides, one node from some others, or one direction.
fn cut(rng: &mut StdRng, nodes: usize) -> Vec<(Host, Host)> {
    let mut hosts: Vec<Host> = (0..nodes).map(Host::Node).collect();
    hosts.push(Host::Server);
    let mut ways = Vec::new();
    match rng.random_range(0..4) {
        0 => {
            // One host from everybody.
            let one = hosts[rng.random_range(0..hosts.len())];
            hosts.push(Host::Outside);
            for other in hosts.iter().filter(|other| **other != one) {
                ways.extend([(one, *other), (*other, one)]);
            }
        }
        1 => {
            let sides: Vec<bool> = hosts.iter().map(|_| rng.random_bool(0.5)).collect();
            for (i, one) in hosts.iter().enumerate() {
                for (j, other) in hosts.iter().enumerate() {
                    if sides[i] != sides[j] {
                        ways.push((*one, *other));
                    }
                }
            }
        }
        2 => {
            // One direction of one way.
            let one = hosts[rng.random_range(0..hosts.len())];
            let other = hosts[rng.random_range(0..hosts.len())];
            if one != other {
                ways.push((one, other));
            }
        }
        _ => {
            // One host hears, and is heard by nobody.
            let one = hosts[rng.random_range(0..hosts.len())];
            let others = hosts.iter().filter(|other| **other != one);
            ways.extend(others.map(|other| (one, *other)));
        }
    }
    ways
}

/// One node with some of the others on its side, or away from one of them.
fn cut_around(rng: &mut StdRng, nodes: usize, node: usize) -> Vec<(Host, Host)> {
    let own = Host::Node(node);
    let others: Vec<Host> = (0..nodes).map(Host::Node).filter(|host| *host != own).collect();
    let friend = others.get(rng.random_range(0..nodes.max(2)) % others.len().max(1)).copied();
    match rng.random_range(0..5) {
        // From the server alone.
        0 => both(own, Host::Server).into(),
        // From the other nodes alone.
        1 => from_nodes(nodes, node),
        // With one other node, from all the rest.
        2 => {
            let rest = others.iter().copied().chain([Host::Server]);
            let rest: Vec<Host> = rest.filter(|host| Some(*host) != friend).collect();
            let side = [Some(own), friend].into_iter().flatten();
            side.flat_map(|one| rest.iter().flat_map(move |other| both(one, *other))).collect()
        }
        // With the server, from all other nodes but one.
        3 => {
            let rest = others.iter().filter(|host| Some(**host) != friend);
            rest.flat_map(|other| both(own, *other)).collect()
        }
        // It is heard by nobody of them.
        _ => others.iter().chain([&Host::Server]).map(|other| (own, *other)).collect(),
    }
}

impl State {
    pub fn schedule(&mut self, strike: Strike) {
        let Strike { after_ms, fault, lasts_ms } = strike;
        self.after(after_ms, Event::Begin(Box::new(fault.clone())));
        self.after(after_ms + lasts_ms, Event::End(Box::new(fault)));
    }

    /// In some runs whoever is promoted is struck soon, while little is settled.
    pub fn lie_in_wait(&mut self, node: usize) {
        if self.now < self.ambushes_until && self.rng.random_bool(0.5) {
            let strike = ambush(&mut self.rng, self.machines.len(), node);
            self.schedule(strike);
        }
    }

    /// A fault of the machines or the network begins.
    fn strike(&mut self, fault: &Fault) {
        self.note(|s| format!("FAULT {}", s.words(fault)));
        match fault {
            Fault::EngineCrash { node } => self.kill_engine(*node),
            Fault::EngineHang { node } => self.machines[*node].engine.hung = true,
            Fault::SentryCrash { node } => self.kill_sentry(*node),
            Fault::WorkerCrash { node } => self.kill_worker(*node),
            Fault::PowerLoss { node, unclear } => {
                if self.machines[*node].up {
                    self.power_off(*node);
                }
                self.machines[*node].unclear = *unclear;
            }
            Fault::Freeze { node } => self.machines[*node].pause.set(true),
            Fault::DiskFull { node } => self.machines[*node].disk_full = true,
            Fault::DiskHang { node } => self.machines[*node].disk_hangs = Some(self.now),
            Fault::DiskSlow { node, ms } => self.machines[*node].disk_slow_ms = *ms,
            Fault::SendersStall { node } => self.stall_senders(*node, true),
            Fault::Cut { ways } => ways.iter().for_each(|(a, b)| self.net.cut(*a, *b)),
            Fault::NetworkSlow { ms } => self.net.slow_ms = *ms,
            Fault::NetworkLoss { percent } => {
                self.net.loss = f64::from(*percent) / 100.0;
                self.net.duplication = 0.1;
            }
            Fault::Ambush { ms } => self.ambushes_until = self.ambushes_until.max(self.now + ms),
            Fault::ServerFreeze => self.server_pause.set(true),
            Fault::ServerDiskSlow { ms } => self.server_disk_ms = *ms,
            Fault::WallClock { ms } => self.wall_offset += ms,
            Fault::ProviderFails => self.provider_fails = true,
            Fault::ServerCrash | Fault::ServerBackUp | Fault::ServerRestored { .. } => {}
        }
    }

    fn heal(&mut self, fault: &Fault) {
        self.note(|s| format!("over  {}", s.words(fault)));
        match fault {
            Fault::EngineHang { node } => self.machines[*node].engine.hung = false,
            Fault::SentryCrash { node } => {
                let boot = self.machines[*node].boot;
                self.after(0, Event::StartSentry { node: *node, boot });
            }
            Fault::WorkerCrash { node } => {
                let boot = self.machines[*node].boot;
                self.after(0, Event::StartWorker { node: *node, boot });
            }
            Fault::PowerLoss { node, .. } => {
                self.machines[*node].unclear = false;
                self.boot(*node);
            }
            Fault::Freeze { node } => self.machines[*node].pause.set(false),
            Fault::DiskFull { node } => self.machines[*node].disk_full = false,
            Fault::DiskHang { node } => self.machines[*node].disk_hangs = None,
            Fault::DiskSlow { node, .. } => self.machines[*node].disk_slow_ms = 0,
            Fault::SendersStall { node } => self.stall_senders(*node, false),
            Fault::Cut { ways } => ways.iter().for_each(|(a, b)| self.net.heal(*a, *b)),
            Fault::NetworkSlow { .. } => self.net.slow_ms = 0,
            Fault::NetworkLoss { .. } => (self.net.loss, self.net.duplication) = (0.0, 0.0),
            Fault::ServerFreeze => self.server_pause.set(false),
            Fault::ServerDiskSlow { .. } => self.server_disk_ms = 0,
            Fault::ProviderFails => self.provider_fails = false,
            Fault::EngineCrash { .. } | Fault::WallClock { .. } => {}
            Fault::Ambush { .. } | Fault::ServerCrash => {}
            Fault::ServerBackUp | Fault::ServerRestored { .. } => {}
        }
    }

    fn words(&self, fault: &Fault) -> String {
        let host = |host: &Host| match host {
            Host::Node(node) => self.name(*node),
            other => format!("{other:?}").to_lowercase(),
        };
        match fault {
            Fault::EngineCrash { node } => format!("{}: the engine crashes", self.name(*node)),
            Fault::EngineHang { node } => format!("{}: the engine hangs", self.name(*node)),
            Fault::SentryCrash { node } => format!("{}: the sentry crashes", self.name(*node)),
            Fault::WorkerCrash { node } => format!("{}: the worker crashes", self.name(*node)),
            Fault::PowerLoss { node, unclear } => {
                format!("{}: power loss, unclear {unclear}", self.name(*node))
            }
            Fault::Freeze { node } => format!("{} is frozen", self.name(*node)),
            Fault::DiskFull { node } => format!("{}: the disk is full", self.name(*node)),
            Fault::DiskSlow { node, ms } => {
                format!("{}: the disk takes {ms} ms", self.name(*node))
            }
            Fault::SendersStall { node } => {
                format!("{}: the engine's senders stand still", self.name(*node))
            }
            Fault::Cut { ways } => {
                let ways: Vec<String> =
                    ways.iter().map(|(a, b)| format!("{}>{}", host(a), host(b))).collect();
                format!("cut {}", ways.join(" "))
            }
            other => format!("{other:?}"),
        }
    }
}

impl Hub {
    pub fn begin(&self, server: &mut Server, fault: &Fault) {
        let mut state = self.lock();
        if state.now < state.spared_until {
            return;
        }
        let node = match fault {
            Fault::EngineCrash { node }
            | Fault::EngineHang { node }
            | Fault::SentryCrash { node }
            | Fault::WorkerCrash { node }
            | Fault::PowerLoss { node, .. }
            | Fault::Freeze { node }
            | Fault::DiskFull { node }
            | Fault::DiskHang { node }
            | Fault::SendersStall { node }
            | Fault::DiskSlow { node, .. } => Some(*node),
            _ => None,
        };
        if node.is_some_and(|n| state.machines.get(n).is_none_or(|machine| machine.deleted)) {
            return;
        }
        let death = state.is_only_death(fault);
        state.strike(fault);
        state.watch_fault(fault, death);
        drop(state);
        match fault {
            Fault::ServerCrash => server.crash(),
            Fault::ServerBackUp => server.back_up(),
            Fault::ServerRestored { alone, ms } => server.crash_with_copy(*alone, *ms),
            _ => {}
        }
    }

    pub fn end(&self, server: &Server, fault: &Fault) {
        let mut state = self.lock();
        state.heal(fault);
        let death = state.check.watch.death.filter(|_| fault.is_momentary());
        state.watch_fault(fault, death);
        drop(state);
        if matches!(fault, Fault::ServerCrash | Fault::ServerRestored { .. }) {
            server.start_later(0);
        }
    }
}
