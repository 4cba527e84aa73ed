//! What a member's configuration says of its group.

use std::path::Path;

use bellwether_model::group::Timers;
use bellwether_protocol::Assignment;

/// Galera itself.
pub(super) const PROVIDER: &str = "/usr/lib/galera/libgalera_smm.so";

/// The lines of the configuration file.
pub(crate) fn lines(assignment: &Assignment, conf: &Path) -> String {
    let own = assignment.group.member(&assignment.node);
    let (name, address) =
        own.map_or_else(Default::default, |own| (own.name.as_str(), own.address.as_str()));
    let bus = assignment.engine.ports.bus;
    let members = assignment.group.members.iter();
    let members: Vec<String> = members.map(|one| format!("{}:{bus}", one.address)).collect();
    let (members, conf) = (members.join(","), conf.display());
    let (ist, sst) = (bus + 1, bus + 2);
    let kept = (assignment.engine.size.disk.0 >> 24).clamp(64, 2048);
    format!(
        "innodb-autoinc-lock-mode = 2
binlog-format = ROW
wsrep-on = ON
wsrep-provider = {PROVIDER}
wsrep-cluster-name = {cluster}
wsrep-cluster-address = gcomm://{members}
wsrep-node-name = {name}
wsrep-node-address = {address}
wsrep-slave-threads = 4
wsrep-sst-method = mariabackup
wsrep-sst-receive-address = {address}:{sst}
wsrep-sst-auth = mysql:
wsrep-provider-options = \"base_port={bus};gmcast.listen_addr=ssl://0.0.0.0:{bus};\
ist.recv_addr={address}:{ist};socket.ssl=YES;socket.ssl_key={conf}/engine.key;\
socket.ssl_cert={conf}/engine.pem;socket.ssl_ca={conf}/ca.pem;gcache.size={kept}M;\
gcache.recover=yes;pc.recovery=no;pc.wait_prim_timeout=PT10S;{timers}\"
",
        // A name may have 32 characters and not one more.
        cluster = assignment.cluster.as_str().replace('-', ""),
        timers = timers(&assignment.timers),
    )
}

/// When members give one up that is silent. What they tell each other then is said again soon: lost
/// once, it would hold writes for a second.
fn timers(timers: &Timers) -> String {
    let suspect_ms = timers.suspect_ms;
    [
        ("evs.keepalive_period", suspect_ms / 5),
        ("evs.join_retrans_period", suspect_ms / 5),
        ("evs.inactive_check_period", suspect_ms / 8),
        ("evs.suspect_timeout", suspect_ms),
        ("evs.inactive_timeout", timers.lease_ms.max(suspect_ms * 2)),
        ("gmcast.peer_timeout", suspect_ms * 2 / 3),
    ]
    .map(|(name, ms)| format!("{name}=PT{}.{:03}S", ms / 1_000, ms % 1_000))
    .join(";")
}

/// How the engine's own script copies to another member, at the end of the file.
pub(crate) fn copy_lines(conf: &Path) -> String {
    let conf = conf.display();
    format!(
        "[sst]
encrypt = 4
tkey = {conf}/engine.key
tcert = {conf}/engine.pem
tca = {conf}/ca.pem
"
    )
}

#[cfg(test)]
mod tests {
    use bellwether_model::group::TimerProfile;

    use super::*;

    #[test]
    fn members_give_one_up_by_the_clusters_timers() {
        let lan = timers(&TimerProfile::Lan.timers());
        assert!(lan.contains("evs.suspect_timeout=PT1.500S;"), "{lan}");
        assert!(lan.contains("evs.keepalive_period=PT0.300S;"), "{lan}");
        assert!(lan.contains("evs.inactive_timeout=PT3.000S;"), "{lan}");
    }
}
