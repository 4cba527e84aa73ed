//! Hands keys to another shard, while clients go on: copies them, and again what has changed, and
//! then holds writes for a moment in which the rest is copied and the server decides.
//!
//! The engines' own way has a key in one place or in the other while its slot is on its way, and a
//! death of either primary can bring back what was moved or lose what was not yet sent on. Here
//! this shard has all of them until the other one has all of them, with its replicas, and the store
//! says whose they are. What was copied for nothing is overwritten or taken away the next time.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bellwether_contracts::{Class, Failure};
use bellwether_model::shard::{MoveState, SlotMove, SlotRange, count, slots_of, without};
use tokio::task::JoinHandle;
use tracing::{info, warn};

use super::slots::{Copy, LAST_PASS_MAX, asked, importing, keys, known, removal};
use super::wire::{Answer, Command, Wire, words};
use super::{AGENT_USER, Kind};
use crate::files::remove_file;

/// Keys that are taken away at once.
const BATCH_KEYS: usize = 256;

/// Between two holds clients have so many times the time of one to themselves.
const REST: u32 = 5;

/// The engine lets writes go by itself only long after it was to be told to.
const PAUSE_MS: &str = "60000";

/// Whose slots are that have gone is known here within this time.
const NEWS_MAX: Duration = Duration::from_millis(500);

/// Writes to other slots wait at most so long for the decision.
const DECISION_MAX: Duration = Duration::from_secs(2);

/// Between an attempt that failed and its report: the next begins with the answer. Longer where
/// the data has to change first.
const RETRY_AFTER: Duration = Duration::from_secs(1);
const RETRY_MUCH_LATER: Duration = Duration::from_secs(60);

/// What the move is about, and the ways to both engines.
pub(super) struct Way {
    pub(super) order: SlotMove,
    /// What the engines call this node's.
    pub(super) own_id: String,
    pub(super) socket: PathBuf,
    pub(super) password: String,
    pub(super) address: String,
    pub(super) port: u16,
    pub(super) move_password: String,
    /// Where the authority's certificate is.
    pub(super) directory: PathBuf,
    /// Whose token is in this file may have been told to be sealed.
    pub(super) note: PathBuf,
    pub(super) kind: Kind,
}

/// A move under way.
pub(super) struct Mover {
    pub(super) token: String,
    pub(super) slots: Vec<SlotRange>,
    state: Arc<Mutex<MoveState>>,
    task: JoinHandle<()>,
}

impl Mover {
    pub(super) fn begin(way: Way) -> Self {
        let state = Arc::new(Mutex::new(MoveState::Copying { keys: 0 }));
        let (token, slots) = (way.order.token.clone(), way.order.slots.clone());
        let told = state.clone();
        let task = tokio::spawn(async move {
            let tell = |state| *told.lock().expect("nothing panics while it is held") = state;
            if let Err(failure) = hand_over(&way, &tell).await {
                warn!("slots that leave: {failure}");
                let is_hopeless = failure.class != Class::Transient;
                let pause = if is_hopeless { RETRY_MUCH_LATER } else { RETRY_AFTER };
                tokio::time::sleep(pause).await;
                tell(MoveState::Failed { reason: failure.text });
            }
        });
        Self { token, slots, state, task }
    }

    /// One that cannot be gone on with.
    pub(super) fn failed(order: &SlotMove, reason: &str) -> Self {
        let state = Arc::new(Mutex::new(MoveState::Failed { reason: reason.to_owned() }));
        let (token, slots) = (order.token.clone(), order.slots.clone());
        Self { token, slots, state, task: tokio::spawn(async {}) }
    }

    pub(super) fn state(&self) -> MoveState {
        self.state.lock().expect("nothing panics while it is held").clone()
    }

    /// Ends it wherever it is; whoever asks says what becomes of writes that are held. The slots
    /// that were told to be sealed.
    pub(super) async fn end(self) -> Vec<SlotRange> {
        self.task.abort();
        let _ = self.task.await;
        match &*self.state.lock().expect("nothing panics while it is held") {
            MoveState::Sealed { slots, .. } => slots.clone(),
            _ => Vec::new(),
        }
    }
}

/// Fails only as long as it was not told that the slots are sealed.
async fn hand_over(way: &Way, tell: &(dyn Fn(MoveState) + Send + Sync)) -> Result<(), Failure> {
    let mut copy = Copy::begin(way).await?;
    let slots = copy.choose().await?;
    if !way.kind.lists_every_slot() {
        copy.open(slots_of(&slots).collect()).await?;
    }
    let slots = copy.pass(&slots, true, tell).await?;
    let began = Instant::now();
    copy.pass(&slots, false, tell).await?;
    let look = began.elapsed();
    if look > LAST_PASS_MAX / 2 {
        let words = "one of its slots has too many or too large keys to hold writes for them";
        return Err(Failure::needs_person(words));
    }
    copy.until_on_disk().await?;
    tokio::time::sleep(look * REST).await;
    let held = Instant::now();
    copy.here.run(words(&[b"CLIENT", b"PAUSE", PAUSE_MS.as_bytes(), b"WRITE"])).await?;
    if let Err(failure) = copy.finish(&slots, tell).await {
        // Nobody was told: all of it is still this shard's.
        remove_file(&way.note)?;
        let mut here = Wire::local(&way.socket, AGENT_USER, &way.password).await?;
        here.run(words(&[b"CLIENT", b"UNPAUSE"])).await?;
        return Err(failure);
    }
    let (some, ms) = (count(&slots), held.elapsed().as_millis());
    info!("{some} slots are sealed with {} keys, {ms} ms after writes held", copy.digests.len());
    let sealed = MoveState::Sealed { slots: slots.clone(), keys: copy.digests.len() as u64 };
    if !way.kind.may_lose_slots_while_held() {
        // They are refused for the moment until everybody knows whose they are.
        copy.refuse(&slots).await?;
        tell(sealed);
        return Ok(());
    }
    // Writes wait for the decision, and reads go on.
    tell(sealed);
    tokio::time::sleep(DECISION_MAX).await;
    // Writes to the rest go on; to these, nowhere, until it is known what was decided.
    let released = copy.refuse(&slots).await;
    released.unwrap_or_else(|failure| warn!("slots that wait for a decision: {failure}"));
    Ok(())
}

/// Takes no keys of these slots any more but as its own. While it does, an engine believes nobody
/// who says whose they are; and Valkey's replicas do as their primary, until it tells them.
pub(super) async fn close(
    socket: &Path,
    password: &str,
    slots: &[SlotRange],
) -> Result<(), Failure> {
    if slots.is_empty() {
        return Ok(());
    }
    let mut here = Wire::local(socket, AGENT_USER, password).await?;
    here.run_all(&stable(slots_of(slots))).await.map(|_| ())
}

fn stable(slots: impl Iterator<Item = u16>) -> Vec<Command> {
    let stable = |slot: u16| {
        let slot = slot.to_string();
        words(&[b"CLUSTER", b"SETSLOT", slot.as_bytes(), b"STABLE"])
    };
    slots.map(stable).collect()
}

/// Takes away what is left here of slots that another has by now. An engine that was told of its
/// loss by the other has done so itself; one that gave them up before has not.
pub(super) async fn sweep(
    kind: Kind,
    socket: &Path,
    password: &str,
    slots: &[SlotRange],
) -> Result<(), Failure> {
    let mut here = Wire::local(socket, AGENT_USER, password).await?;
    let end = Instant::now() + NEWS_MAX;
    let known = loop {
        let known = known(&mut here).await?;
        let others = known.iter().filter(|peer| !peer.is_own);
        let theirs: Vec<SlotRange> = others.flat_map(|peer| peer.slots.clone()).collect();
        if without(slots, &theirs).is_empty() || Instant::now() > end {
            break known;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    for peer in known.iter().filter(|peer| !peer.is_own) {
        let mut left: Vec<u16> = slots_of(&without(slots, &without(slots, &peer.slots))).collect();
        if kind.lists_every_slot() {
            let counts = here.run_all(&asked(&left, "COUNTKEYSINSLOT", None)).await?;
            let mut counts = counts.into_iter();
            left.retain(|_| counts.next() != Some(Answer::Integer(0)));
        }
        here.run_all(&importing(&left, &peer.id)).await?;
        let swept = remove_all(&mut here, &left).await;
        here.run_all(&stable(left.iter().copied())).await?;
        swept?;
    }
    Ok(())
}

/// Removes every key of slots that this engine does not have and takes keys of.
async fn remove_all(here: &mut Wire, slots: &[u16]) -> Result<(), Failure> {
    let listed = here.run_all(&asked(slots, "GETKEYSINSLOT", Some("1000000000"))).await?;
    let all: Vec<Vec<u8>> = listed.into_iter().flat_map(keys).collect();
    for some in all.chunks(BATCH_KEYS) {
        here.run_all(&some.iter().flat_map(|key| removal(key)).collect::<Vec<_>>()).await?;
    }
    Ok(())
}
