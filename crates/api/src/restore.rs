//! A restore over what a cluster has: what is asked of it beside what the planner knows.

use bellwether_model::operation::NewOperation;
use bellwether_model::restore::ReplaceRun;
use bellwether_model::{Backup, Cluster, Operation, OperationKind};
use bellwether_planner::{View, restore};
use bellwether_store::backups as stored;

use crate::Inner;
use crate::auth::Caller;
use crate::backups;
use crate::error::{ApiError, Result};

/// Whether an operation replaces a cluster's data, or lets go of what was replaced.
pub(crate) fn is_one(kind: OperationKind) -> bool {
    use OperationKind::{KeepRestored, Restore, UndoRestore};
    matches!(kind, Restore | UndoRestore | KeepRestored)
}

/// Whether the backup that is named can be this cluster's data; why not, in words. None where no
/// backup is asked for.
pub(crate) async fn refuse(
    api: &Inner,
    caller: &Caller,
    view: &View,
    request: &NewOperation,
) -> Result<Option<String>> {
    if request.kind != OperationKind::Restore {
        let given =
            [("source", request.source.is_some()), ("without_backup", request.without_backup)];
        if let Some((field, _)) = given.iter().find(|(_, is_given)| *is_given) {
            let words = format!("{} knows no `{field}`; leave it out", request.kind);
            return Err(ApiError::field(field, words));
        }
        return Ok(None);
    }
    let source = request.source.as_ref();
    let source = source.ok_or_else(|| ApiError::field("source", "name the backup to restore"))?;
    let facts = backups::source(api, caller, source).await?;
    let (theirs, ours) = (&facts.spec, &view.cluster.spec);
    if (&theirs.engine, &theirs.version) != (&ours.engine, &ours.version) {
        return Ok(Some(format!(
            "the backup is of {} {}, and {} runs {} {}; restore it into a new cluster",
            theirs.engine, theirs.version, ours.name, ours.engine, ours.version
        )));
    }
    Ok(restore::refuse_room(view, facts.size))
}

/// The operation with what it was asked for, and the backup that it takes first.
pub(crate) fn asked_for(
    api: &Inner,
    cluster: &Cluster,
    view: &View,
    request: &NewOperation,
    mut operation: Operation,
) -> Result<(Operation, Option<Backup>)> {
    let mut run = ReplaceRun {
        source: request.source.clone(),
        allow_waiting: request.allow_waiting,
        ..ReplaceRun::default()
    };
    let mut safety = None;
    if !request.without_backup {
        let repository = backups::repository(api, view, request.repository.as_deref())?;
        let (backup, first) = stored::begin(cluster, &repository, operation.clone(), None, 0);
        run.safety = serde_json::from_value(first.state).ok();
        safety = Some(backup);
    }
    operation.state = serde_json::to_value(&run).expect("plain data");
    Ok((operation, safety))
}
