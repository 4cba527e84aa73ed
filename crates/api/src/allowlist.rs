//! Who may reach the ports of a cluster's clients.

use axum::Json;
use axum::extract::State as Extract;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bellwether_model::allowlist::{
    self, AllowEntry, AllowlistDecision, AllowlistPlan, AllowlistView, NewAllowlist,
    PendingAllowlist, REVERT_AFTER,
};
use bellwether_model::problem::{Code, FieldProblem, Problem};
use bellwether_model::{Cluster, Timestamp};
use bellwether_planner::allowlist as planned;
use bellwether_store::{Error as StoreError, Stored, Txn, clusters};

use crate::auth::Caller;
use crate::clusters::{PlanOnly, TRIES, check_generation, expected_generation, find_view, tagged};
use crate::error::{ApiError, Result};
use crate::extract::{Body, Nothing, Path, Query};
use crate::{Inner, State, operations};

/// Who may reach the ports of clients, who is connected, and who was not let in.
#[utoipa::path(get, path = "/v1/clusters/{cluster}/allowlist", tag = "allowlists",
    operation_id = "show_allowlist",
    params(("cluster" = String, Path, description = "id or name")), responses(
    (status = 200, body = AllowlistView),
    (status = 400, body = Problem), (status = 401, body = Problem),
    (status = 404, body = Problem),
))]
pub(crate) async fn show(
    Extract(api): State,
    caller: Caller,
    _: Query<Nothing>,
    Path(cluster): Path<String>,
) -> Result<Response> {
    answer(&api, &cluster, &caller)
}

fn answer(api: &Inner, cluster: &str, caller: &Caller) -> Result<Response> {
    let shown = planned::shown(&find_view(api, cluster)?, &caller.listed_as());
    Ok(tagged(shown.generation, StatusCode::OK, AllowlistChange::Allowlist(shown)))
}

/// Another list. With `revert_after_seconds` it is only tried: unless it is confirmed in time, the
/// former one is in force again. With `plan=true` nothing is changed, and the answer says whom it
/// would cut off.
#[utoipa::path(put, path = "/v1/clusters/{cluster}/allowlist", tag = "allowlists",
    operation_id = "change_allowlist", params(
    ("cluster" = String, Path, description = "id or name"),
    ("If-Match" = String, Header, description = "the generation that is changed, in quotes"),
    PlanOnly), request_body = NewAllowlist, responses(
    (status = 200, body = AllowlistChange),
    (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 404, body = Problem), (status = 409, body = Problem), (status = 412, body = Problem),
    (status = 413, body = Problem), (status = 422, body = Problem),
))]
pub(crate) async fn change(
    Extract(api): State,
    caller: Caller,
    Path(name): Path<String>,
    Query(query): Query<PlanOnly>,
    headers: HeaderMap,
    Body(mut new): Body<NewAllowlist>,
) -> Result<Response> {
    let expected = expected_generation(&headers)?;
    allowlist::canonicalise(&mut new.entries);
    for _ in 0..TRIES {
        let mut cluster = find(&api, &name)?;
        check_generation(&cluster.object, expected)?;
        let view = find_view(&api, cluster.object.id.as_str())?;
        operations::refuse_when_deleted(&view)?;
        let problems = problems(&new, &cluster.object.spec.allowlist, api.store.now());
        if !problems.is_empty() {
            return Err(ApiError::fields(problems));
        }
        if query.plan {
            let plan = planned::plan(&view, &new.entries, &caller.listed_as());
            return Ok(Json(AllowlistChange::Plan(plan)).into_response());
        }
        let plan = planned::plan(&view, &new.entries, &caller.listed_as());
        replace(&mut cluster.object, &new, api.store.now());
        let signed = |sign: &str, all: Vec<String>| -> Vec<String> {
            all.into_iter().map(|address| format!("{sign}{address}")).collect()
        };
        let detail = [signed("+", plan.added), signed("-", plan.removed)].concat().join(", ");
        let entry = caller.entry_of("allowlist.change", &cluster.object.spec.name, detail);
        let txn = Txn::new().update(&cluster).audit(entry);
        match api.store.commit(txn).await {
            Ok(_) => return answer(&api, cluster.object.id.as_str(), &caller),
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(operations::changes_too_quickly())
}

/// The answer to a change: the list, or with `plan=true` what would be done.
#[derive(serde::Serialize, utoipa::ToSchema)]
#[serde(untagged)]
enum AllowlistChange {
    Allowlist(AllowlistView),
    Plan(AllowlistPlan),
}

fn find(api: &Inner, name: &str) -> Result<Stored<Cluster>> {
    let found = clusters::find(&api.store, name);
    let found = found.ok_or_else(|| ApiError::not_found("cluster", name))?;
    if found.object.shard.is_some() {
        let words = "a shard has the allowlist of the cluster that it is part of";
        return Err(ApiError::new(Code::OperationRefused, words));
    }
    Ok(found)
}

/// What is wrong with a list. What has expired meanwhile may be sent again with the rest.
fn problems(
    new: &NewAllowlist,
    before: &Option<Vec<AllowEntry>>,
    now: Timestamp,
) -> Vec<FieldProblem> {
    let mut problems = allowlist::check("entries", &new.entries);
    let known = |entry: &AllowEntry| before.iter().flatten().any(|old| old == entry);
    for (index, entry) in new.entries.iter().enumerate() {
        if entry.has_expired(now) && !known(entry) {
            problems.push(FieldProblem {
                field: format!("entries[{index}].expires_at"),
                message: "use a time that is to come".to_owned(),
            });
        }
    }
    let given = new.revert_after_seconds;
    if given.is_some_and(|seconds| !REVERT_AFTER.contains(&seconds)) {
        let (least, most) = (REVERT_AFTER.start(), REVERT_AFTER.end());
        problems.push(FieldProblem {
            field: "revert_after_seconds".to_owned(),
            message: format!("use {least} to {most}, or leave it out"),
        });
    }
    problems
}

/// Puts the list in the spec. Of several that are only tried, it is the one before the first that
/// comes back.
fn replace(cluster: &mut Cluster, new: &NewAllowlist, now: Timestamp) {
    let mut entries = new.entries.clone();
    entries.retain(|entry| !entry.has_expired(now));
    let before = cluster.spec.allowlist.replace(entries);
    let pending = cluster.pending_allowlist.take();
    cluster.pending_allowlist = new.revert_after_seconds.map(|seconds| PendingAllowlist {
        before: pending.map_or(before, |pending| pending.before),
        revert_at: Timestamp::from_millis(now.as_millis() + i64::from(seconds) * 1_000),
    });
    cluster.generation += 1;
}

/// Keep a list that is only tried, or go back to the former one now.
#[utoipa::path(post, path = "/v1/clusters/{cluster}/allowlist/decision", tag = "allowlists",
    operation_id = "decide_allowlist",
    params(("cluster" = String, Path, description = "id or name")),
    request_body = AllowlistDecision, responses(
    (status = 200, body = AllowlistView),
    (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 404, body = Problem), (status = 409, body = Problem), (status = 413, body = Problem),
    (status = 422, body = Problem),
))]
pub(crate) async fn decide(
    Extract(api): State,
    caller: Caller,
    Path(name): Path<String>,
    _: Query<Nothing>,
    Body(decision): Body<AllowlistDecision>,
) -> Result<Response> {
    for _ in 0..TRIES {
        let mut cluster = find(&api, &name)?;
        let pending = cluster.object.pending_allowlist.take().ok_or_else(|| {
            ApiError::new(Code::OperationRefused, "no change of the allowlist awaits a decision")
                .hint("it was decided, or its time was over and the former list is in force again")
        })?;
        if !decision.keep {
            cluster.object.spec.allowlist = pending.before;
        }
        cluster.object.generation += 1;
        let action = if decision.keep { "allowlist.confirm" } else { "allowlist.revert" };
        let txn = Txn::new().update(&cluster);
        let txn = txn.audit(caller.entry(action, &cluster.object.spec.name));
        match api.store.commit(txn).await {
            Ok(_) => return answer(&api, cluster.object.id.as_str(), &caller),
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(operations::changes_too_quickly())
}
