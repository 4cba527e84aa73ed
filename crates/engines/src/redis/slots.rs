//! A copy of slots in another shard's engine, made the same again and again.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use bellwether_contracts::Failure;
use bellwether_model::shard::{MoveState, SlotRange, ranges, slots_of, without};

use super::mover::Way;
use super::peers::{Peer, peers};
use super::shards::{about, engine_id};
use super::wire::{Answer, Command, Wire, words};
use super::{AGENT_USER, MOVE_USER};

/// Not more keys and bytes go at once, unless they are of one slot: writes wait while they are
/// looked through.
const KEYS_MAX: u64 = 4_000;
const BYTES_MAX: u64 = 32 << 20;

/// Bytes a microsecond that are copied while clients go on; a key counts for so many of its own.
const BYTES_A_MICROSECOND: u64 = 32;
const BYTES_OF_KEY: u64 = 1_024;

/// Slots whose keys are compared at once.
const SLOTS_OF_LOOK: usize = 64;

/// Bytes of one look at the data, and keys at most.
const BATCH_BYTES: u64 = 4 << 20;
const BATCH_KEYS: u64 = 256;

/// Writes are held for the rest at most so long.
pub(super) const LAST_PASS_MAX: Duration = Duration::from_secs(1);

/// The replicas of the other shard have everything within this time.
const CONFIRM_MS: &str = "1000";

/// It is on their disks within this time: they write it there once a second.
const DISK_MS: &str = "5000";

/// The other side lets this one in within this time: it hears of the move by itself.
const ENTRY_MAX: Duration = Duration::from_secs(5);

/// A copy of slots.
pub(super) struct Copy<'a> {
    way: &'a Way,
    pub(super) here: Wire,
    there: Wire,
    /// Of what was copied of each key.
    pub(super) digests: HashMap<Vec<u8>, [u8; 32]>,
    /// Slots that the other engine takes keys of, although it does not have them.
    open: HashSet<u16>,
    /// What a key was worth lately.
    bytes_of_key: u64,
}

impl<'a> Copy<'a> {
    pub(super) async fn begin(way: &'a Way) -> Result<Self, Failure> {
        let here = Wire::local(&way.socket, AGENT_USER, &way.password).await?;
        let place = (way.address.as_str(), way.port);
        let end = Instant::now() + ENTRY_MAX;
        let there = loop {
            match Wire::remote(place, &way.directory, MOVE_USER, &way.move_password).await {
                Ok(there) => break there,
                Err(failure) if Instant::now() > end => return Err(failure),
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        };
        let (digests, open) = (HashMap::new(), HashSet::new());
        let mut copy = Self { way, here, there, digests, open, bytes_of_key: BATCH_BYTES / 32 };
        copy.until_known().await?;
        Ok(copy)
    }

    /// Waits until both engines hear each other over their bus: whose slots are, they would not
    /// believe of a stranger.
    async fn until_known(&mut self) -> Result<(), Failure> {
        let target = engine_id(self.way.order.to.primary.as_str());
        let end = Instant::now() + ENTRY_MAX;
        loop {
            let here = hears(&mut self.here, &target).await?;
            if here && hears(&mut self.there, &self.way.own_id).await? {
                return Ok(());
            }
            if Instant::now() > end {
                return Err(Failure::transient("the other shard's engine is not known yet"));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// As many of the slots as can go at once.
    pub(super) async fn choose(&mut self) -> Result<Vec<SlotRange>, Failure> {
        let all: Vec<u16> = slots_of(&self.way.order.slots).collect();
        let counts = self.here.run_all(&asked(&all, "COUNTKEYSINSLOT", None)).await?;
        let mut keys = 0;
        let mut fits = |count: &Answer| {
            let Answer::Integer(count) = count else { return true };
            keys += count.unsigned_abs();
            keys <= KEYS_MAX
        };
        let fitting = counts.iter().take_while(|count| fits(count)).count();
        Ok(ranges(all.into_iter().take(fitting.max(1))))
    }

    /// Lets writes go on, but to these slots.
    pub(super) async fn refuse(&mut self, slots: &[SlotRange]) -> Result<(), Failure> {
        let own: Vec<SlotRange> = known(&mut self.here)
            .await?
            .into_iter()
            .filter(|peer| peer.is_own)
            .flat_map(|peer| peer.slots)
            .collect();
        let refused = without(&own, &without(&own, slots));
        if !refused.is_empty() {
            let command = about("DELSLOTSRANGE", &refused).into_iter().map(String::into_bytes);
            self.here.run(command.collect()).await?;
        }
        self.here.run(words(&[b"CLIENT", b"UNPAUSE"])).await.map(|_| ())
    }

    /// Waits until what was copied so far is on the other shard's disks: a power cut may cost the
    /// last second of writes, and not keys that are older.
    pub(super) async fn until_on_disk(&mut self) -> Result<(), Failure> {
        if self.digests.is_empty() {
            return Ok(());
        }
        let voters = self.way.order.to.voters;
        let count = voters.to_string();
        let wait = words(&[b"WAITAOF", b"1", count.as_bytes(), DISK_MS.as_bytes()]);
        let have = match self.there.run(wait).await? {
            Answer::List(items) => items,
            _ => Vec::new(),
        };
        match have.as_slice() {
            [Answer::Integer(1), Answer::Integer(have)] if *have >= i64::from(voters) => Ok(()),
            _ => Err(Failure::transient(format!("not on every disk there yet: {have:?}"))),
        }
    }

    /// What comes while writes are held; ends with everything there, and noted here.
    pub(super) async fn finish(
        &mut self,
        slots: &[SlotRange],
        tell: &(dyn Fn(MoveState) + Send + Sync),
    ) -> Result<(), Failure> {
        match tokio::time::timeout(LAST_PASS_MAX, self.pass(slots, false, tell)).await {
            Ok(passed) => {
                passed?;
            }
            Err(_) => return Err(Failure::transient("too much changes to hold writes for it")),
        }
        let voters = self.way.order.to.voters;
        if voters > 0 {
            let count = voters.to_string();
            let wait = words(&[b"WAIT", count.as_bytes(), CONFIRM_MS.as_bytes()]);
            match self.there.run(wait).await? {
                Answer::Integer(have) if have >= i64::from(voters) => {}
                answer => {
                    let words = format!("of {voters} replicas there, not all have it: {answer:?}");
                    return Err(Failure::transient(words));
                }
            }
        }
        self.way.kind.user().write_durably(&self.way.note, &self.way.order.token)
    }

    /// Makes the other engine hold what this one does of these slots; of which it does then: a slow
    /// pass ends early with what is enough for once.
    pub(super) async fn pass(
        &mut self,
        slots: &[SlotRange],
        is_slow: bool,
        tell: &(dyn Fn(MoveState) + Send + Sync),
    ) -> Result<Vec<SlotRange>, Failure> {
        let all: Vec<u16> = slots_of(slots).collect();
        let mut sum = 0;
        for some in all.chunks(SLOTS_OF_LOOK) {
            let found = self.compare(some).await?;
            let mut left = found.as_slice();
            while !left.is_empty() {
                let most = (BATCH_BYTES / self.bytes_of_key.max(1)).clamp(1, BATCH_KEYS);
                let (batch, rest) = left.split_at(left.len().min(most as usize));
                let began = Instant::now();
                let bytes = self.copy(batch).await?;
                left = rest;
                sum += bytes;
                if !is_slow {
                    continue;
                }
                tell(MoveState::Copying { keys: self.digests.len() as u64 });
                let due = Duration::from_micros(bytes / BYTES_A_MICROSECOND);
                tokio::time::sleep(due.saturating_sub(began.elapsed())).await;
                // Slots before the one that has keys left are copied.
                let end = left.first().or(found.last()).map_or(0, |(slot, _)| *slot);
                let end = if left.is_empty() { end + 1 } else { end };
                let copied = ranges(all.iter().copied().take_while(|slot| *slot < end));
                if sum > BYTES_MAX && !copied.is_empty() {
                    return Ok(copied);
                }
            }
        }
        Ok(ranges(all))
    }

    /// Takes away there which keys of these slots are not here; those that are, in the order of
    /// the slots.
    async fn compare(&mut self, slots: &[u16]) -> Result<Vec<(u16, Vec<u8>)>, Failure> {
        let asked = asked(slots, "GETKEYSINSLOT", Some("1000000000"));
        let (here, there) = tokio::join!(self.here.run_all(&asked), self.there.run_all(&asked));
        let (mut all, mut surplus) = (Vec::new(), Vec::new());
        for ((slot, here), there) in slots.iter().zip(here?).zip(there?) {
            let (here, there) = (keys(here), keys(there));
            let known: HashSet<&Vec<u8>> = here.iter().collect();
            let beyond = there.iter().filter(|key| !known.contains(key));
            surplus.extend(beyond.map(|key| (*slot, key.clone())));
            // What was copied and is not there was taken away there: its memory is full, or a
            // client emptied it.
            let there: HashSet<&Vec<u8>> = there.iter().collect();
            for key in here.iter().filter(|key| !there.contains(key)) {
                self.digests.remove(key);
            }
            all.extend(here.into_iter().map(|key| (*slot, key)));
        }
        self.remove(&surplus).await?;
        Ok(all)
    }

    /// Copies those of these keys that are not there as they are here; what they are worth.
    async fn copy(&mut self, keys: &[(u16, Vec<u8>)]) -> Result<u64, Failure> {
        let looks: Vec<Command> = keys
            .iter()
            .flat_map(|(_, key)| [words(&[b"DUMP", key]), words(&[b"PEXPIRETIME", key])])
            .collect();
        let found = self.here.run_all(&looks).await?;
        let (mut writes, mut written, mut gone) = (Vec::new(), Vec::new(), Vec::new());
        let mut slots: Vec<u16> = Vec::new();
        let mut bytes = 0;
        for ((slot, key), found) in keys.iter().zip(found.chunks(2)) {
            let (payload, ends) = match found {
                [Answer::Bytes(payload), Answer::Integer(ends)] if *ends != -2 => (payload, ends),
                // It has ended since.
                _ => {
                    gone.push((*slot, key.clone()));
                    continue;
                }
            };
            bytes += payload.len() as u64 + BYTES_OF_KEY;
            let ends = (*ends).max(0).to_string();
            let digest = digest(payload, &ends);
            if self.digests.get(key) == Some(&digest) {
                continue;
            }
            let ends = ends.as_bytes();
            let write = [b"RESTORE-ASKING", key.as_slice(), ends, payload, b"REPLACE", b"ABSTTL"];
            writes.push(words(&write));
            written.push((key.clone(), digest));
            slots.push(*slot);
        }
        self.bytes_of_key = bytes.div_ceil(keys.len().max(1) as u64).max(1);
        if !writes.is_empty() {
            self.open(slots).await?;
            self.there.run_all(&writes).await?;
            self.digests.extend(written);
        }
        self.remove(&gone).await?;
        Ok(bytes)
    }

    /// Takes away there what is not here.
    async fn remove(&mut self, keys: &[(u16, Vec<u8>)]) -> Result<(), Failure> {
        if keys.is_empty() {
            return Ok(());
        }
        self.open(keys.iter().map(|(slot, _)| *slot).collect()).await?;
        let commands: Vec<Command> = keys.iter().flat_map(|(_, key)| removal(key)).collect();
        self.there.run_all(&commands).await?;
        for (_, key) in keys {
            self.digests.remove(key);
        }
        Ok(())
    }

    /// Makes the other engine take keys of slots that it does not have yet.
    pub(super) async fn open(&mut self, slots: Vec<u16>) -> Result<(), Failure> {
        let mut closed: Vec<u16> =
            slots.into_iter().filter(|slot| !self.open.contains(slot)).collect();
        closed.dedup();
        self.there.run_all(&importing(&closed, &self.way.own_id)).await?;
        self.open.extend(closed);
        Ok(())
    }
}

/// The engines that this one knows.
pub(super) async fn known(wire: &mut Wire) -> Result<Vec<Peer>, Failure> {
    match wire.run(words(&[b"CLUSTER", b"NODES"])).await? {
        Answer::Bytes(said) => Ok(peers(&String::from_utf8_lossy(&said))),
        _ => Err(Failure::transient("the engine does not say whom it knows")),
    }
}

async fn hears(wire: &mut Wire, id: &str) -> Result<bool, Failure> {
    let is_heard = |peer: &Peer| peer.id == id && peer.is_connected && !peer.is_handshake;
    Ok(known(wire).await?.iter().any(|peer| is_heard(peer) && !peer.is_failed))
}

/// Removes a key of a slot that the engine does not have.
pub(super) fn removal(key: &[u8]) -> [Command; 2] {
    [words(&[b"ASKING"]), words(&[b"DEL", key])]
}

/// Lets an engine take keys of these slots, which that other has.
pub(super) fn importing(slots: &[u16], from: &str) -> Vec<Command> {
    let import = |slot: &u16| {
        let slot = slot.to_string();
        words(&[b"CLUSTER", b"SETSLOT", slot.as_bytes(), b"IMPORTING", from.as_bytes()])
    };
    slots.iter().map(import).collect()
}

/// The same question of every slot.
pub(super) fn asked(slots: &[u16], question: &str, limit: Option<&str>) -> Vec<Command> {
    let ask = |slot: &u16| {
        let slot = slot.to_string();
        let words = ["CLUSTER", question, &slot].into_iter().chain(limit);
        words.map(|word| word.as_bytes().to_vec()).collect()
    };
    slots.iter().map(ask).collect()
}

pub(super) fn keys(answer: Answer) -> Vec<Vec<u8>> {
    let Answer::List(items) = answer else { return Vec::new() };
    let key = |item| match item {
        Answer::Bytes(key) => Some(key),
        _ => None,
    };
    items.into_iter().filter_map(key).collect()
}

fn digest(payload: &[u8], ends: &str) -> [u8; 32] {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    context.update(ends.as_bytes());
    context.update(b" ");
    context.update(payload);
    let mut bytes = [0; 32];
    bytes.copy_from_slice(context.finish().as_ref());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_copied_is_told_from_what_it_was_before() {
        assert_eq!(digest(b"x", "0"), digest(b"x", "0"));
        assert_ne!(digest(b"x", "0"), digest(b"x", "1"), "it ends at another time");
        assert_ne!(digest(b"x", "0"), digest(b"y", "0"));
    }

    #[test]
    fn every_slot_is_asked_about() {
        let all = asked(&[3, 4], "GETKEYSINSLOT", Some("9"));
        assert_eq!(all[1].join(&b' '), b"CLUSTER GETKEYSINSLOT 4 9");
        let items = vec![Answer::Bytes(b"a".to_vec()), Answer::Nothing];
        assert_eq!(keys(Answer::List(items)), [b"a".to_vec()]);
    }
}
