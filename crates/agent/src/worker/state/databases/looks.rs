//! Who uses the logins that are about to be turned off, or were: seen by looks at the engine one
//! after another, because clients come and go between them, and a change of primary moves them from
//! one node to another.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bellwether_contracts::{Driver, Failure};
use bellwether_model::Target;
use bellwether_protocol::databases::{LoginUse, WantedDatabases};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(1);

/// For so long a login counts as used after it was seen, and so long it takes to know that nobody
/// uses it.
const SETTLED_AFTER: Duration = Duration::from_secs(3);

/// What was seen longer ago says nothing of who is connected.
const AGE_MAX: Duration = Duration::from_secs(6);

/// More are told by their logins alone: none of them may be left out.
const USES_MAX: usize = 200;

type Looking = AbortOnDropHandle<Result<Vec<LoginUse>, Failure>>;

/// What is looked at, and as what part of its cluster: with another one the looks begin anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Watched {
    logins: Vec<String>,
    /// Those of them whose sessions shall end.
    ending: Vec<String>,
    target: Target,
    serves: bool,
}

impl Watched {
    pub(super) fn of(wanted: &WantedDatabases, target: Target, serves: bool) -> Self {
        Self { logins: wanted.watched(), ending: wanted.ending(), target, serves }
    }
}

#[derive(Default)]
pub(super) struct Looks {
    watched: Option<Watched>,
    looking: Option<(Instant, Looking)>,
    /// When the first of these looks began.
    since: Option<Instant>,
    /// What was seen by looks that began then, the latest last.
    seen: VecDeque<(Instant, Vec<LoginUse>)>,
}

impl Looks {
    /// Takes in what was seen and looks again when it is time.
    pub(super) async fn go_on(&mut self, driver: &Arc<dyn Driver>, watched: Watched) {
        if self.watched.as_ref() != Some(&watched) {
            *self = Self { watched: Some(watched.clone()), ..Self::default() };
        }
        if watched.logins.is_empty() {
            return;
        }
        if let Some((at, task)) = self.looking.take_if(|(_, task)| task.is_finished())
            && let Ok(Ok(uses)) = task.await
        {
            self.note(at, uses);
        }
        let is_recent = self.seen.back().is_some_and(|(at, _)| at.elapsed() < EVERY);
        if self.looking.is_none() && !is_recent {
            let now = Instant::now();
            self.since.get_or_insert(now);
            let work = look(driver.clone(), watched);
            self.looking = Some((now, AbortOnDropHandle::new(tokio::spawn(work))));
        }
    }

    fn note(&mut self, at: Instant, uses: Vec<LoginUse>) {
        self.seen.retain(|(before, _)| at - *before <= SETTLED_AFTER);
        self.seen.push_back((at, uses));
    }

    /// Who uses the logins that are watched; none: that is not known.
    pub(super) fn seen(&self, wanted: &WantedDatabases) -> Option<Vec<LoginUse>> {
        let logins = wanted.watched();
        if logins.is_empty() {
            return Some(Vec::new());
        }
        let is_of_these = self.watched.as_ref().is_some_and(|watched| watched.logins == logins);
        let (latest, _) = self.seen.back().filter(|_| is_of_these)?;
        if latest.elapsed() > AGE_MAX || *latest - self.since? < SETTLED_AFTER {
            return None;
        }
        let mut counts: BTreeMap<(String, String, String), u32> = BTreeMap::new();
        for one in self.seen.iter().flat_map(|(_, uses)| uses.iter().cloned()) {
            let count = counts.entry((one.login, one.address, one.application)).or_default();
            *count = one.count.max(*count);
        }
        let read = |((login, address, application), count)| LoginUse {
            login,
            address,
            application,
            count,
        };
        Some(bounded(counts.into_iter().map(read).collect()))
    }
}

/// Also ends the sessions that shall end, those of clients that came back meanwhile too.
async fn look(driver: Arc<dyn Driver>, watched: Watched) -> Result<Vec<LoginUse>, Failure> {
    let uses = driver.uses(&watched.logins).await?;
    let shall_end = |one: &LoginUse| one.login.is_empty() || watched.ending.contains(&one.login);
    if !watched.ending.is_empty() && uses.iter().any(shall_end) {
        driver.end_uses(&watched.ending).await?;
    }
    Ok(uses)
}

/// What a report has room for. Clients may call themselves anything.
fn bounded(uses: Vec<LoginUse>) -> Vec<LoginUse> {
    if uses.len() <= USES_MAX {
        return uses;
    }
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for one in uses {
        let count = counts.entry(one.login).or_default();
        *count = count.saturating_add(one.count);
    }
    let by_login = |(login, count)| LoginUse {
        login,
        address: String::new(),
        application: String::new(),
        count,
    };
    counts.into_iter().map(by_login).collect()
}

#[cfg(test)]
mod tests {
    use bellwether_protocol::databases::{Password, WantedLogin, WantedUser};

    use super::*;

    fn one(place: usize, count: u32) -> LoginUse {
        LoginUse {
            login: "shop".to_owned(),
            address: format!("10.0.0.{place}"),
            application: String::new(),
            count,
        }
    }

    /// A rotation of the user `shop`.
    fn rotating() -> WantedDatabases {
        let login = |name: &str| WantedLogin {
            name: name.to_owned(),
            password: Some(Password("secret".to_owned())),
            ends: false,
        };
        let shop = WantedUser {
            name: "shop".to_owned(),
            is_first: false,
            grants: Vec::new(),
            logins: vec![login("shop"), login("shop_b")],
            dropped: false,
        };
        WantedDatabases { version: 1, databases: Vec::new(), users: vec![shop] }
    }

    #[test]
    fn however_many_sessions_there_are_none_is_left_out() {
        assert_eq!(bounded((0..3).map(|place| one(place, 1)).collect()).len(), 3);
        let all = bounded((0..=USES_MAX).map(|place| one(place, 1)).collect());
        assert_eq!((all.len(), all[0].count), (1, 201));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_uses_a_login_once_some_looks_have_seen_nobody() {
        let wanted = rotating();
        let watched = Watched::of(&wanted, Target::Stopped, true);
        let begun = || Looks {
            watched: Some(watched.clone()),
            since: Some(Instant::now()),
            ..Looks::default()
        };
        let mut looks = begun();
        assert_eq!(looks.seen(&WantedDatabases::default()), Some(Vec::new()), "nothing is watched");
        for second in 0..3 {
            looks.note(Instant::now(), if second == 1 { vec![one(1, 2)] } else { Vec::new() });
            assert_eq!(looks.seen(&wanted), None, "after {second} s");
            tokio::time::advance(EVERY).await;
        }
        looks.note(Instant::now(), vec![one(1, 1), one(2, 1)]);
        assert_eq!(looks.seen(&wanted), Some(vec![one(1, 2), one(2, 1)]));
        for _ in 0..4 {
            tokio::time::advance(EVERY).await;
            looks.note(Instant::now(), Vec::new());
        }
        assert_eq!(looks.seen(&wanted), Some(Vec::new()));
        tokio::time::advance(AGE_MAX + EVERY).await;
        assert_eq!(looks.seen(&wanted), None, "it was looked long ago");
        assert_eq!(begun().seen(&wanted), None);
    }
}
