//! The log that is kept: which pieces lead from a backup to a moment, what is no longer needed, and
//! what is said of it.

use bellwether_model::backup::{BackupFacts, BackupStatus};
use bellwether_model::log::{LogPiece, LogStanding};
use bellwether_model::schedule::BackupSchedule;
use bellwether_model::{Backup, Timestamp};

use crate::view::View;

/// Log that was not stored for so long is a problem.
const LATE_MS: u64 = 10 * 60_000;

/// Before a backup to begin with is tried again.
const BASE_AGAIN_MS: u64 = 10 * 60_000;

/// The schedule that asks for the log, where one does.
#[must_use]
pub fn wanted(view: &View) -> Option<&BackupSchedule> {
    let cluster = &view.cluster;
    let is_group = cluster.spec.shards == 0 && cluster.shard.is_none();
    let wanted = cluster.spec.backup.as_ref().filter(|wanted| wanted.point_in_time)?;
    (is_group && cluster.proof_of.is_none() && view.can_back_up).then_some(wanted)
}

/// Whether the log that is being stored waits for a backup to go on from.
#[must_use]
pub fn needs_base(view: &View) -> bool {
    let standing = view.cluster.status.backup.log.as_ref();
    // A backup that began before the log was held would end before the log begins.
    let log = standing.filter(|log| wanted(view).is_some() && !log.has_base && log.to.is_some());
    log.is_some_and(|log| {
        log.base_asked_at.is_none_or(|at| view.now.millis_since(at) > BASE_AGAIN_MS)
    })
}

/// What is wrong with the log.
#[must_use]
pub fn problem(view: &View) -> Option<String> {
    let log = view.cluster.status.backup.log.as_ref()?;
    let late = || {
        let since = log.until.unwrap_or(log.began_at);
        (view.now.millis_since(since) > LATE_MS).then(|| {
            let why = log.failure.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            format!("no log has been stored since {since}{why}")
        })
    };
    log.gap.clone().map(|gap| format!("the log has a gap: {gap}")).or_else(late)
}

/// The last moment that can be restored with the log that is being stored.
#[must_use]
pub fn reached(log: Option<&LogStanding>) -> Option<Timestamp> {
    log.filter(|log| log.has_base)?.until
}

/// Whether the log that is being stored goes on from a backup: it began before the backup ended,
/// and its end goes back to the backup's. One that ends after what is stored is looked at again.
#[must_use]
pub fn leads(base: &BackupFacts, pieces: &[LogPiece], log: &LogStanding) -> bool {
    let of_it = |piece: &&LogPiece| piece.stretch == log.stretch && piece.cluster == base.cluster;
    let of_it: Vec<&LogPiece> = pieces.iter().filter(of_it).collect();
    let place = base.position;
    let has_begun = of_it.iter().any(|piece| piece.from.offset <= place.offset);
    let last = of_it.iter().max_by_key(|piece| piece.to);
    has_begun && last.is_some_and(|last| place > last.to || last.goes_back_to(place))
}

/// The pieces that lead from a backup to that moment, the first one first.
///
/// # Errors
/// Why there are none, in words.
pub fn way<'a>(
    base: &BackupFacts,
    pieces: &'a [LogPiece],
    at: Timestamp,
) -> Result<Vec<&'a LogPiece>, String> {
    let begin = base.taken_at;
    if at < begin {
        return Err(format!("the backup holds what was at {begin}; take an earlier one"));
    }
    let mut reached: Option<Timestamp> = None;
    for stretch in stretches(base, pieces) {
        let way = along(base, pieces, stretch, at);
        let until = way.last().map(|piece| piece.until);
        if until.is_some_and(|until| until >= at) {
            return Ok(way);
        }
        reached = reached.max(until);
    }
    Err(match reached {
        Some(until) => format!("the log that goes on from this backup is kept up to {until}"),
        None => "no log is kept that goes on from this backup".to_owned(),
    })
}

/// The last moment that can be restored from a backup with its log.
#[must_use]
pub fn reach(base: &BackupFacts, pieces: &[LogPiece]) -> Option<Timestamp> {
    let last = |stretch: &str| {
        let mut of_it: Vec<&LogPiece> =
            pieces.iter().filter(|piece| is_after(base, stretch, piece)).collect();
        of_it.sort_by_key(|piece| piece.to);
        // Asked for every backup that is listed: nothing is looked at twice.
        let further = |last: Option<&LogPiece>, piece: &LogPiece| match last {
            None => piece.from.offset <= base.position.offset,
            Some(last) => last.goes_back_to(piece.from),
        };
        let mut last = None;
        for piece in of_it {
            if further(last, piece) {
                last = Some(piece);
            }
        }
        last.map(|piece| piece.until)
    };
    let reached = stretches(base, pieces).into_iter().filter_map(last).max();
    reached.filter(|until| *until > base.taken_at)
}

/// Whether a piece is of that stretch, and of the history of a backup.
fn is_after(base: &BackupFacts, stretch: &str, piece: &LogPiece) -> bool {
    piece.cluster == base.cluster && piece.stretch == stretch && piece.goes_back_to(base.position)
}

fn stretches<'a>(base: &BackupFacts, pieces: &'a [LogPiece]) -> Vec<&'a str> {
    let of_it = pieces.iter().filter(|piece| piece.cluster == base.cluster);
    let mut names: Vec<&str> = of_it.map(|piece| piece.stretch.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// As far towards that moment as the pieces of one stretch lead.
///
/// A piece may end in what a primary wrote that was then lost, and the next begin before that. A
/// moment before the loss is what that primary held; a later one is of the history that went on.
fn along<'a>(
    base: &BackupFacts,
    pieces: &'a [LogPiece],
    stretch: &str,
    at: Timestamp,
) -> Vec<&'a LogPiece> {
    let of_it = |piece: &&LogPiece| is_after(base, stretch, piece);
    let mut way: Vec<&LogPiece> = Vec::new();
    loop {
        let follows = |piece: &&LogPiece| match way.last() {
            None => piece.from.offset <= base.position.offset,
            Some(last) => last.goes_back_to(piece.from) && piece.to > last.to,
        };
        let (enough, rest): (Vec<&LogPiece>, Vec<&LogPiece>) =
            pieces.iter().filter(of_it).filter(follows).partition(|piece| piece.until >= at);
        if let Some(last) = enough.into_iter().min_by_key(|piece| (piece.until, piece.to)) {
            way.push(last);
            return way;
        }
        match rest.into_iter().max_by_key(|piece| piece.to) {
            Some(next) => way.push(next),
            None => return way,
        }
    }
}

/// The pieces that no backup of their cluster goes on with, within so many days. `backups` has all
/// of the cluster; none of them complete: every piece.
#[must_use]
pub fn needless<'a>(
    pieces: &'a [LogPiece],
    backups: &[Backup],
    days: u32,
    now: Timestamp,
) -> Vec<&'a LogPiece> {
    let complete = backups.iter().filter(|backup| backup.status == BackupStatus::Complete);
    let mut bases: Vec<&BackupFacts> = complete.filter_map(|b| b.facts.as_ref()).collect();
    bases.sort_by_key(|facts| facts.taken_at);
    let window = i64::from(days).saturating_mul(86_400_000);
    let begin = Timestamp::from_millis(now.as_millis().saturating_sub(window).max(0));
    let last_before = bases.iter().rev().find(|facts| facts.taken_at <= begin);
    let Some(first) = last_before.or(bases.first()) else { return pieces.iter().collect() };
    pieces.iter().filter(|piece| piece.until < first.started_at).collect()
}

#[cfg(test)]
mod tests {
    use bellwether_model::replication::Position;

    use super::*;
    use crate::backups::tests::backup;

    const HOUR: i64 = 3_600_000;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_millis(hours * HOUR)
    }

    fn place(timeline: u64, offset: u64) -> Position {
        Position { timeline, offset }
    }

    fn piece(id: &str, from: Position, to: Position, until: i64) -> LogPiece {
        LogPiece {
            id: id.into(),
            cluster: backup(0, false).cluster,
            stretch: "s".into(),
            from,
            to,
            until: at(until),
            history: Vec::new(),
            size: 1,
        }
    }

    /// A backup at the place 100, and log that goes on from it: of the first primary, which wrote
    /// to 500 although what was later than 450 was lost with it, and of the second.
    fn kept() -> (BackupFacts, Vec<LogPiece>) {
        let mut base = backup(10, false).facts.expect("facts");
        base.position = place(1, 100);
        let mut second = piece("c", place(1, 450), place(5, 460), 13);
        second.history = vec![place(1, 450)];
        let pieces = vec![
            piece("a", place(1, 50), place(1, 300), 11),
            piece("b", place(1, 300), place(1, 500), 12),
            second,
        ];
        (base, pieces)
    }

    fn names(way: Result<Vec<&LogPiece>, String>) -> Result<String, String> {
        way.map(|way| way.iter().map(|piece| piece.id.as_str()).collect())
    }

    #[test]
    fn the_way_goes_no_further_than_it_must_and_past_a_change_of_primary() {
        let (base, pieces) = kept();
        let way = |hours| names(way(&base, &pieces, at(hours)));
        assert_eq!(way(10).as_deref(), Ok("a"));
        assert_eq!(way(12).as_deref(), Ok("ab"));
        assert_eq!(way(13).as_deref(), Ok("abc"));
        assert!(way(14).is_err_and(|why| why.contains(&at(13).to_string())), "too late");
        assert!(way(9).is_err_and(|why| why.contains("earlier")), "too early");
        assert_eq!(reach(&base, &pieces), Some(at(13)));
    }

    #[test]
    fn a_gap_is_not_led_over_and_neither_is_a_fork_before_the_backup() {
        let (mut base, pieces) = kept();
        let without = [pieces[0].clone(), pieces[2].clone()];
        assert_eq!(reach(&base, &without), Some(at(11)), "there is nothing from 300 to 450");
        let mut other = pieces[1].clone();
        other.stretch = "t".into();
        assert_eq!(reach(&base, &[pieces[0].clone(), other]), Some(at(11)), "another stretch");
        base.position = place(1, 480);
        assert_eq!(reach(&base, &pieces), Some(at(12)), "it holds what was lost");
        base.position = place(1, 600);
        assert_eq!(reach(&base, &pieces), None);
    }

    #[test]
    fn log_goes_on_from_a_backup_that_is_of_its_history() {
        let (mut base, pieces) = kept();
        let log = LogStanding {
            stretch: "s".into(),
            repository: "r".into(),
            began_at: at(0),
            to: Some(place(5, 460)),
            until: Some(at(13)),
            has_base: true,
            base_asked_at: None,
            failure: None,
            gap: None,
        };
        let mut is_base = |position| {
            base.position = position;
            leads(&base, &pieces, &log)
        };
        assert!(is_base(place(1, 100)) && is_base(place(5, 455)));
        assert!(is_base(place(5, 999)), "what it ends with is still to be stored");
        assert!(!is_base(place(1, 480)), "it holds what was lost");
        assert!(!is_base(place(1, 40)), "the log began later");
    }

    #[test]
    fn a_piece_that_grew_takes_the_place_of_what_it_was() {
        let (base, mut pieces) = kept();
        pieces.push(piece("d", place(1, 50), place(1, 400), 12));
        assert_eq!(names(way(&base, &pieces, at(11))).as_deref(), Ok("a"));
        pieces.remove(0);
        assert_eq!(names(way(&base, &pieces, at(13))).as_deref(), Ok("dbc"));
    }

    #[test]
    fn log_is_kept_from_the_last_backup_before_the_window_on() {
        let pieces: Vec<_> = (0..10)
            .map(|day: i64| piece(&day.to_string(), place(1, 0), place(1, 9), day * 24))
            .collect();
        let bases = [backup(30, false), backup(80, false), backup(200, false)];
        let left = |days, bases: &[Backup]| 10 - needless(&pieces, bases, days, at(240)).len();
        assert_eq!(left(100, &bases), 8, "from the first backup on");
        assert_eq!(left(5, &bases), 6, "from the second on");
        assert_eq!(left(1, &bases), 1);
        assert_eq!(left(100, &[]), 0, "there is nothing to begin with");
    }
}
