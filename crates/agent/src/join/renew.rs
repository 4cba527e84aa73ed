//! Certificates are renewed in good time, for the keys that the node has.
//!
//! No certificate is looked into: the server says how long they are good for, which is written down
//! beside them. A node whose certificates end while the server is away goes on with the connections
//! that it has; the server knows it by its key, and renews them when it is back.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bellwether_model::Timestamp;
use bellwether_protocol::join::{Certificates, RENEW_PATH, RenewRequest};
use bellwether_protocol::local::CertificateReport;
use rcgen::PublicKeyData as _;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tracing::{info, warn};

use super::{ATTEMPT_MAX, Identity, keep_certificates, key, post};
use crate::files;

/// Between two looks at the calendar, at most.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Before certificates that are due are asked for again.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// When the certificates beside it end. Written after them.
const FILE: &str = "certificates.json";

/// The calendar of a node's certificates, in seconds since 1970 by the node's own clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Calendar {
    /// From then on they are renewed: when a third of their life is left.
    renew_at: u64,
    ends_at: u64,
    /// As in [`Certificates`].
    #[serde(default)]
    issue: u64,
}

impl Calendar {
    fn of((good_for, issue): (u64, u64), now: u64) -> Self {
        Self { renew_at: now + good_for / 3 * 2, ends_at: now + good_for, issue }
    }

    /// Half of the time to renew them has passed, and somebody should know.
    fn report(self, now: u64) -> CertificateReport {
        let ends_at = i64::try_from(self.ends_at.saturating_mul(1_000)).unwrap_or(i64::MAX);
        CertificateReport {
            ends_at: Timestamp::from_millis(ends_at),
            is_late: now > self.renew_at + self.ends_at.saturating_sub(self.renew_at) / 2,
            issue: self.issue,
        }
    }

    /// The next look: often enough for certificates that live for a short time.
    fn pause(self) -> Duration {
        let left = Duration::from_secs(self.ends_at.saturating_sub(self.renew_at));
        (left / 10).clamp(Duration::from_millis(200), LOOK_EVERY)
    }
}

/// For people: when the certificates in that directory end.
pub(crate) fn report(directory: &Path) -> Option<CertificateReport> {
    calendar(directory).map(|calendar| calendar.report(now()))
}

/// What is known of the certificates in that directory; none where nothing was written down.
fn calendar(directory: &Path) -> Option<Calendar> {
    files::read_json(&directory.join(FILE)).ok().flatten()
}

pub(super) fn note(certificates: &Certificates, directory: &Path) -> std::io::Result<()> {
    let calendar = Calendar::of((certificates.good_for_seconds, certificates.issue), now());
    files::write_json(&directory.join(FILE), &calendar)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Renews the certificates of that directory for ever, in time and when others are `wanted`, and
/// tells who dials the server with them.
pub(crate) async fn keep(
    directory: &Path,
    servers: &[String],
    identity: watch::Sender<Identity>,
    mut wanted: watch::Receiver<Option<u64>>,
) {
    let mut said = String::new();
    loop {
        let issue = *wanted.borrow_and_update();
        let is_due = |calendar: &Calendar| {
            calendar.renew_at <= now() || issue.is_some_and(|issue| issue != calendar.issue)
        };
        if calendar(directory).as_ref().is_none_or(is_due) {
            let result =
                match tokio::time::timeout(ATTEMPT_MAX, renew(directory, servers, &identity)).await
                {
                    Ok(result) => result,
                    Err(_) => Err(anyhow::anyhow!("the server did not answer in time")),
                };
            let words = result.err().map(|error| format!("{error:#}")).unwrap_or_default();
            if !words.is_empty() && words != said {
                warn!("the certificates are not renewed: {words}; trying again");
            }
            said = words;
        }
        let pause = match calendar(directory) {
            // What was not renewed is soon asked for again.
            Some(calendar) if is_due(&calendar) => calendar.pause().min(AGAIN_AFTER),
            known => known.map_or(LOOK_EVERY, Calendar::pause),
        };
        let news = wanted.changed();
        // Whoever says what is wanted may have gone; time goes on.
        if let Ok(Err(_)) = tokio::time::timeout(pause, news).await {
            tokio::time::sleep(pause).await;
        }
    }
}

async fn renew(
    directory: &Path,
    servers: &[String],
    identity: &watch::Sender<Identity>,
) -> anyhow::Result<()> {
    let known = identity.borrow().clone();
    let agent = key(&directory.join("agent.key"))?;
    let engine = key(&directory.join("engine.key"))?;
    let request = RenewRequest {
        agent_key: BASE64.encode(agent.der_bytes()),
        engine_key: BASE64.encode(engine.der_bytes()),
    };
    let mut last = anyhow::anyhow!("no server is configured");
    for server in servers {
        let way = (RENEW_PATH, &request);
        let answer = post(server, &known.ca_certificate, Some(&known), way).await;
        let certificates: Certificates = match answer {
            Ok(certificates) => certificates,
            Err(error) => {
                last = error.context(format!("at {server}"));
                continue;
            }
        };
        let renewed = Identity {
            ca_certificate: certificates.ca_certificate.clone(),
            agent_certificate: certificates.agent_certificate.clone(),
            ..known
        };
        keep_certificates(&certificates, &renewed, directory).context("keep them")?;
        identity.send_replace(renewed);
        info!("the certificates are renewed");
        return Ok(());
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_third_of_their_life_is_left_when_they_are_renewed() {
        let calendar = Calendar::of((900, 7), 1_000);
        assert_eq!(calendar, Calendar { renew_at: 1_600, ends_at: 1_900, issue: 7 });
        assert_eq!(calendar.pause(), Duration::from_secs(30));
        assert!(!calendar.report(1_750).is_late && calendar.report(1_751).is_late);
        assert_eq!(calendar.report(0).ends_at.as_millis(), 1_900_000);
        assert_eq!(Calendar::of((365 * 24 * 3600, 0), 0).pause(), LOOK_EVERY);
        assert!(Calendar::of((10, 0), 0).pause() < Duration::from_secs(1));
    }

    #[test]
    fn what_was_never_written_down_is_not_known() {
        let directory = tempfile::tempdir().expect("a directory");
        assert_eq!(calendar(directory.path()), None);
    }
}
