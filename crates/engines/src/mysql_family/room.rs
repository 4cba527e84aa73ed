//! A disk that fills up. The engines would wait for room in the middle of a commit; new data is
//! refused while there is still some.

use std::sync::atomic::Ordering;

use tracing::{info, warn};

use super::node::Node;
use crate::room::{keep_reserve, must_refuse, room};

impl Node {
    /// While a primary's engine runs: refuses new data in time, and accepts it when there is room
    /// again. Whether it is refused.
    pub(crate) async fn watch_room(&self) -> bool {
        let known = self.is_refusing.load(Ordering::Relaxed);
        let Some((free, size)) = room() else { return known };
        keep_reserve(free, size);
        let refuse = must_refuse(known, free, size);
        if refuse == known {
            return known;
        }
        let value = if refuse { "ON" } else { "OFF" };
        match self.act.execute(&[&format!("SET GLOBAL read_only = {value}")]).await {
            Ok(()) if refuse => warn!("the disk is full: new data is refused"),
            Ok(()) => info!("the disk has room again: new data is accepted"),
            Err(failure) => {
                warn!("the room on the disk: {failure}");
                return known;
            }
        }
        self.is_refusing.store(refuse, Ordering::Relaxed);
        refuse
    }
}
