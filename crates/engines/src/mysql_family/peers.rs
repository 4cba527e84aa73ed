//! What a primary knows of its replicas. The engine itself does not say how far they are, so they
//! are asked, each by a task of its own, over a connection that is kept.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bellwether_model::NodeId;
use bellwether_model::replication::Position;
use bellwether_protocol::Assignment;
use bellwether_protocol::assignment::Member;
use bellwether_protocol::local::Follower;
use tokio::task::JoinSet;

use super::session::{Session, text};
use super::stand_in::LogPlace;
use super::words::{Replication, Words};

/// Between two questions.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// An answer takes at most so long.
const ANSWER_MAX: Duration = Duration::from_secs(1);

/// Before one that does not answer is asked again.
const PAUSE: Duration = Duration::from_millis(300);

/// What was said so long ago says nothing of now.
const FRESH: Duration = Duration::from_secs(3);

/// What a replica said of itself.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    at: Instant,
    /// It receives from this node.
    follows_us: bool,
    pub(crate) replication: Replication,
    /// It confirms what it receives; it will not, as far as it goes.
    pub(crate) confirms: bool,
    pub(crate) never_confirms: bool,
}

impl Said {
    /// Up to where in this node's log it has everything for good: applied, not only received.
    pub(crate) fn holds(&self) -> Option<&LogPlace> {
        let Replication { received, applied, read, is_applying, .. } = &self.replication;
        let has_all = *is_applying && applied == received && !read.0.is_empty();
        (self.follows_us && self.confirms && has_all).then_some(read)
    }
}

pub(crate) struct Peers {
    words: &'static Words,
    said: Arc<Mutex<BTreeMap<NodeId, Said>>>,
    /// Whom the tasks ask, and they.
    asked: Mutex<(Vec<Member>, JoinSet<()>)>,
}

impl Peers {
    pub(crate) fn new(words: &'static Words) -> Self {
        Self { words, said: Arc::default(), asked: Mutex::default() }
    }

    /// Asks these from now on.
    pub(crate) fn ask(&self, assignment: &Assignment, port: u16) {
        let others: Vec<Member> = {
            let members = assignment.group.members.iter();
            members.filter(|member| member.node != assignment.node).cloned().collect()
        };
        let own = assignment.group.member(&assignment.node).cloned();
        let mut asked = self.asked.lock().expect("nothing panics while it is held");
        let is_same = |(a, b): (&Member, &Member)| a.node == b.node && a.address == b.address;
        let is_known = asked.0.len() == others.len() && asked.0.iter().zip(&others).all(is_same);
        let Some(own) = own.filter(|_| !is_known) else { return };
        let mut tasks = JoinSet::new();
        for member in &others {
            let session =
                Session::to_member(member, port, &assignment.secrets.replication_password);
            let (said, node, own) = (self.said.clone(), member.node.clone(), own.clone());
            let words = self.words;
            tasks.spawn(async move {
                loop {
                    let heard = ask_once(&session, words, &own).await;
                    let pause = if heard.is_some() { ASK_EVERY } else { PAUSE };
                    if let Some(heard) = heard {
                        let mut said = said.lock().expect("nothing panics while it is held");
                        said.insert(node.clone(), heard);
                    }
                    tokio::time::sleep(pause).await;
                }
            });
        }
        *asked = (others, tasks);
    }

    /// Asks nobody any more.
    pub(crate) fn forget(&self) {
        *self.asked.lock().expect("nothing panics while it is held") = Default::default();
        self.said.lock().expect("nothing panics while it is held").clear();
    }

    /// What that member said of late.
    pub(crate) fn said(&self, node: &NodeId) -> Option<Said> {
        let said = self.said.lock().expect("nothing panics while it is held");
        said.get(node).filter(|said| said.at.elapsed() < FRESH).cloned()
    }

    /// Who receives from this node, whose history is that of a term.
    pub(crate) fn followers(&self, timeline: u64) -> Vec<Follower> {
        let said = self.said.lock().expect("nothing panics while it is held");
        let follows = |(_, said): &(&NodeId, &Said)| said.follows_us && said.at.elapsed() < FRESH;
        said.iter()
            .filter(follows)
            .map(|(node, said)| Follower {
                node: node.clone(),
                flushed: Position { timeline, ..said.replication.received },
                streaming: said.replication.is_applying,
            })
            .collect()
    }
}

async fn ask_once(session: &Session, words: &Words, own: &Member) -> Option<Said> {
    let asked = Instant::now();
    let status = session.query_within(words.replica_status, ANSWER_MAX).await.ok()?;
    let confirms = session.query_within(words.confirms, ANSWER_MAX).await.ok()?;
    let replication = words.replication(status.first());
    let confirms = confirms.first()?;
    let is_enabled = text(confirms, "enabled")? != "0";
    let is_active = text(confirms, "status")? == "ON";
    Some(Said {
        at: asked,
        follows_us: replication.is_receiving
            && [&own.address, &own.address6].contains(&&replication.host),
        replication,
        confirms: is_active,
        never_confirms: !is_enabled && !is_active,
    })
}
