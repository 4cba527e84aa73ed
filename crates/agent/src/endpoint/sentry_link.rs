//! The endpoint's link to its node's sentry: where clients are led, how far they are held back, and
//! how long writes waited.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bellwether_model::report::WriteGap;
use bellwether_protocol::local::{EndpointReport, FromSentry, Routes, ToSentry};
use tokio::io::BufReader;
use tokio::net::UnixStream;
use tokio::sync::watch;
use tracing::debug;

use super::to_primary::ToPrimary;
use crate::lines;

/// What the sentry tells, and is told.
pub(super) struct SentryLink {
    pub(super) routes: watch::Sender<Routes>,
    pub(super) to_primary: Arc<ToPrimary>,
    pub(super) gaps: watch::Receiver<Vec<WriteGap>>,
}

/// Keeps up the link for ever.
pub(super) async fn follow_sentry(socket: PathBuf, mut link: SentryLink) {
    loop {
        if let Err(error) = follow_once(&socket, &mut link).await {
            debug!("the sentry: {error:#}");
        }
        // What was known last stays in force.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn follow_once(socket: &Path, link: &mut SentryLink) -> anyhow::Result<()> {
    let (read, mut write) = UnixStream::connect(socket).await?.into_split();
    lines::send(&mut write, &ToSentry::IamEndpoint).await?;
    let mut read = BufReader::new(read);
    let mut line = Vec::new();
    let mut open = link.to_primary.open.watch();
    // A sentry that was started again knows of nothing.
    link.gaps.mark_changed();
    loop {
        tokio::select! {
            message = lines::receive::<FromSentry>(&mut read, &mut line) => match message? {
                Some(FromSentry::Routes(routes)) => {
                    link.to_primary.take(&routes);
                    link.routes.send_replace(routes);
                }
                Some(_) => continue,
                None => return Ok(()),
            },
            Ok(()) = link.gaps.changed() => {
                let gaps = link.gaps.borrow_and_update().clone();
                lines::send(&mut write, &ToSentry::Gaps { gaps }).await?;
                continue;
            }
            Ok(()) = open.changed(), if link.routes.borrow().is_held => {}
        }
        let (version, is_held) = (link.routes.borrow().version, link.routes.borrow().is_held);
        if is_held {
            // Counted after everybody could know that clients are held back.
            let open = u32::try_from(*open.borrow_and_update()).unwrap_or(u32::MAX);
            let report = EndpointReport { version, open };
            lines::send(&mut write, &ToSentry::Endpoint(report)).await?;
        }
    }
}
