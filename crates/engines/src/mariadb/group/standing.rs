//! What a member's engine says of its group.

use std::collections::BTreeMap;

use bellwether_contracts::driver::{Probe, ProcessState};
use bellwether_model::member::Standing;
use bellwether_model::replication::Position;

use super::super::Mariadb;
use super::end::End;
use crate::mysql_family::session::text;

/// What the engine says of its group.
const STATUS: &str = "SHOW GLOBAL STATUS LIKE 'wsrep\\_%'";

impl Mariadb {
    /// Looks at the engine as a member of its group.
    pub(crate) async fn probe_member(&self) -> Probe {
        let mut probe = self.probe_process();
        if probe.process == ProcessState::Down {
            let end = self.known_end();
            let known = end.as_ref().and_then(Option::as_ref);
            probe.position = known.map(position);
            probe.standing = Some(Standing {
                history: known.map(|end| end.history.clone()).unwrap_or_default(),
                end: end.as_ref().map(|_| known.map_or(0, |end| end.changes)),
                ..Standing::default()
            });
            return probe;
        }
        probe.standing = Some(Standing::default());
        let mut seen = probe.clone();
        let Ok(rows) = self.look.query(STATUS).await else { return probe };
        if self.ask_figures(&mut seen).await.is_none() {
            return probe;
        }
        let status: BTreeMap<String, String> = rows
            .iter()
            .filter_map(|row| Some((text(row, "Variable_name")?, text(row, "Value")?)))
            .collect();
        let standing = self.standing(&status);
        let changes = status.get("wsrep_last_committed").and_then(|text| text.parse().ok());
        seen.position = changes.map(|offset| Position { timeline: 0, offset });
        seen.in_recovery = Some(false);
        seen.is_end_known = true;
        if standing.ready {
            seen.figures.refuses_data = self.watch_room().await;
        }
        seen.standing = Some(standing);
        self.add_slow(&mut seen).await;
        seen.settings = self.look_at_settings().await;
        seen
    }

    fn standing(&self, status: &BTreeMap<String, String>) -> Standing {
        let word = |name: &str| status.get(name).map(String::as_str).unwrap_or_default();
        let in_quorum =
            word("wsrep_cluster_status") == "Primary" && word("wsrep_connected") == "ON";
        let addresses = word("wsrep_incoming_addresses").split(',');
        let hosts = addresses.filter_map(|address| Some(address.trim().rsplit_once(':')?.0));
        Standing {
            state: word("wsrep_local_state_comment").to_owned(),
            in_quorum,
            // One that others copy from serves as before.
            ready: in_quorum
                && word("wsrep_ready") == "ON"
                && matches!(word("wsrep_local_state"), "2" | "4"),
            peers: hosts.filter_map(|host| self.member_at(host)).collect(),
            history: word("wsrep_cluster_state_uuid").to_owned(),
            end: None,
        }
    }
}

fn position(end: &End) -> Position {
    Position { timeline: 0, offset: end.changes }
}
