//! Where sessions are led: whether one stays with its primary, or has to go on with a later one.

use bellwether_contracts::sessions::{Counted, Led, Way};
use bellwether_model::Term;
use tokio::sync::watch;

/// Waits until nothing is held back, no longer than the way lets sessions wait. The session counts
/// from then on; none where it has to go on with a later primary.
///
/// # Errors
/// When it has waited as long as it may.
pub(crate) async fn released(
    way: &dyn Way,
    led: &mut watch::Receiver<Led>,
    term: Term,
) -> Result<Option<Counted>, tokio::time::error::Elapsed> {
    let waiting = async {
        loop {
            // Counted before it is looked whether clients are held back.
            let counted = way.open().begin();
            let now = *led.borrow_and_update();
            if now.term > term {
                return None;
            }
            if !now.is_held {
                return Some(counted);
            }
            drop(counted);
            if led.changed().await.is_err() {
                return None;
            }
        }
    };
    tokio::time::timeout(way.wait_max(), waiting).await
}

/// Ends when a later term than that is known.
pub(crate) async fn overtaken(mut led: watch::Receiver<Led>, term: Term) {
    if led.wait_for(|led| led.term > term).await.is_err() {
        std::future::pending::<()>().await;
    }
}
