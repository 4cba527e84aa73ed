//! Moves of slots from one shard to another: between whom they are, and when they are made.

use bellwether_model::Cluster;
use bellwether_model::shard::{MoveEnd, MoveReport, MoveState, SlotMove, SlotRange, without};

use crate::view::View;

/// What becomes of a move that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// These slots are the target's from now on; so many keys went with them.
    Made { slots: Vec<SlotRange>, keys: u64 },
    /// It begins anew, under another token, for this reason.
    Anew(String),
    /// It goes on: so many keys are copied, or it has not begun.
    GoesOn(Option<u64>),
}

/// The end of a move that this shard can be now: its primary serves, and no other is being made
/// one.
#[must_use]
pub fn move_end(shard: &View) -> Option<MoveEnd> {
    let status = &shard.cluster.status;
    let primary = shard.primary().filter(|facts| facts.serves(status.term))?;
    let end = MoveEnd {
        shard: shard.cluster.id.clone(),
        primary: primary.node.id.clone(),
        term: status.term,
        voters: voters(&shard.cluster),
    };
    stands(&shard.cluster, &end).then_some(end)
}

fn voters(shard: &Cluster) -> u32 {
    shard.status.config.voters().len() as u32
}

/// Whether that is still the primary of the shard, and no other is asked for.
fn stands(shard: &Cluster, end: &MoveEnd) -> bool {
    let status = &shard.status;
    let is_in_question = status.promised > status.term || status.candidate.is_some();
    status.primary.as_ref() == Some(&end.primary) && status.term == end.term && !is_in_question
}

/// Judges by what is stored of both shards and what the source's primary says. What it says of
/// another token is void; and so is what it said of this one once either shard has another primary,
/// or the target other voters: they hold what was sealed, and not others.
#[must_use]
pub fn judge(
    order: &SlotMove,
    (source, target): (&Cluster, &Cluster),
    said: Option<&MoveReport>,
) -> Verdict {
    if !stands(source, &order.from) || !stands(target, &order.to) {
        return Verdict::Anew("a primary has changed".to_owned());
    }
    if voters(target) != order.to.voters {
        return Verdict::Anew("other replicas vote".to_owned());
    }
    let held = source.shard.as_ref().map_or(&[][..], |shard| shard.slots.as_slice());
    match said.filter(|said| said.token == order.token).map(|said| &said.state) {
        Some(MoveState::Sealed { slots, keys }) => {
            let is_asked = without(slots, &order.slots).is_empty();
            if is_asked && without(slots, held).is_empty() {
                Verdict::Made { slots: slots.clone(), keys: *keys }
            } else {
                Verdict::Anew("what was sealed is not what was asked for".to_owned())
            }
        }
        Some(MoveState::Failed { reason }) => Verdict::Anew(reason.clone()),
        Some(MoveState::Copying { keys }) => Verdict::GoesOn(Some(*keys)),
        None => Verdict::GoesOn(None),
    }
}

#[cfg(test)]
mod tests {
    use bellwether_model::shard::Shard;

    use super::*;
    use crate::view::tests::sketch;

    type Change = fn(&mut Cluster);

    fn range(first: u16, last: u16) -> SlotRange {
        SlotRange { first, last }
    }

    fn shard(name: &str, slots: SlotRange) -> View {
        let mut view = sketch(3).view();
        view.cluster.id = name.into();
        let (of, leaving, coming) = ("demo".into(), None, None);
        view.cluster.shard = Some(Shard { of, index: 0, slots: vec![slots], leaving, coming });
        view
    }

    fn order(source: &View, target: &View) -> SlotMove {
        SlotMove {
            token: "one".into(),
            slots: vec![range(0, 9)],
            from: move_end(source).expect("an end"),
            to: move_end(target).expect("an end"),
        }
    }

    fn said(token: &str, state: MoveState) -> MoveReport {
        MoveReport { token: token.into(), state }
    }

    #[test]
    fn slots_move_only_between_primaries_that_are_in_no_question() {
        let mut view = shard("a", range(0, 99));
        let end = move_end(&view).expect("an end");
        assert_eq!((end.term, end.voters), (1, 2));
        view.cluster.status.promised = 2;
        assert_eq!(move_end(&view), None, "another is asked for");
        view.cluster.status.promised = 1;
        view.cluster.status.primary = None;
        assert_eq!(move_end(&view), None);
    }

    #[test]
    fn a_move_is_made_with_what_was_sealed_for_it_alone() {
        let (source, target) = (shard("a", range(0, 99)), shard("b", range(100, 199)));
        let order = order(&source, &target);
        let judge =
            |said: Option<&MoveReport>| judge(&order, (&source.cluster, &target.cluster), said);
        let sealed = |slots| MoveState::Sealed { slots: vec![slots], keys: 7 };
        assert_eq!(judge(None), Verdict::GoesOn(None));
        let copying = said("one", MoveState::Copying { keys: 3 });
        assert_eq!(judge(Some(&copying)), Verdict::GoesOn(Some(3)));
        let made = Verdict::Made { slots: vec![range(0, 4)], keys: 7 };
        assert_eq!(judge(Some(&said("one", sealed(range(0, 4))))), made);
        let former = said("former", sealed(range(0, 4)));
        assert_eq!(judge(Some(&former)), Verdict::GoesOn(None), "it is void");
        let more = said("one", sealed(range(0, 10)));
        assert!(matches!(judge(Some(&more)), Verdict::Anew(_)));
        let failed = said("one", MoveState::Failed { reason: "no".into() });
        assert_eq!(judge(Some(&failed)), Verdict::Anew("no".into()));
    }

    #[test]
    fn what_was_sealed_is_void_with_another_primary_or_other_voters() {
        let (source, target) = (shard("a", range(0, 99)), shard("b", range(100, 199)));
        let order = order(&source, &target);
        let sealed = said("one", MoveState::Sealed { slots: vec![range(0, 4)], keys: 7 });
        let changes: [(&str, Change); 4] = [
            ("an election is under way", |shard| shard.status.promised = 2),
            ("it has another term", |shard| {
                (shard.status.promised, shard.status.term) = (2, 2);
            }),
            ("there is no primary", |shard| shard.status.primary = None),
            ("one is being made", |shard| shard.status.candidate = Some("other".into())),
        ];
        for (words, change) in changes {
            for of_source in [true, false] {
                let (mut a, mut b) = (source.cluster.clone(), target.cluster.clone());
                change(if of_source { &mut a } else { &mut b });
                let verdict = judge(&order, (&a, &b), Some(&sealed));
                assert!(matches!(verdict, Verdict::Anew(_)), "{words}: {verdict:?}");
            }
        }
        let mut other = target.cluster.clone();
        other.status.config.current.voters.pop_last();
        let verdict = judge(&order, (&source.cluster, &other), Some(&sealed));
        assert!(matches!(verdict, Verdict::Anew(_)), "{verdict:?}");
    }
}
