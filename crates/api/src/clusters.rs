//! Clusters: listed, shown, asked for, changed, deleted.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Extract;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bellwether_contracts::Provider;
use bellwether_model::access::Role;
use bellwether_model::allowlist;
use bellwether_model::cluster::{ClusterChange, ClusterStatus};
use bellwether_model::event::Page;
use bellwether_model::operation::NewOperation;
use bellwether_model::plan::Plan;
use bellwether_model::problem::{Code, FieldProblem, Problem};
use bellwether_model::reconfigure::Reconfigure;
use bellwether_model::{
    Cluster, ClusterId, ClusterSpec, ClusterView, Operation, OperationKind, Timestamp,
};
use bellwether_planner::{
    View, check_spec, check_timers, cluster_view, members, plan_change, plan_creation, reconfigure,
    resize, shards,
};
use bellwether_store::clusters::{self, NameClaim};
use bellwether_store::projects::Project;
use bellwether_store::{Error as StoreError, Stored, Txn, views};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::auth::Caller;
use crate::error::{ApiError, Result};
use crate::extract::{Body, Nothing, Path, Query};
use crate::idempotency::{self, Key};
use crate::operations;
use crate::paging::{Paging, page};
use crate::{Inner, State, check_provider, projects};

/// Times a change is tried again when the control loop changed the same cluster meanwhile.
pub(crate) const TRIES: usize = 20;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlanOnly {
    /// Only say what would be done.
    #[serde(default)]
    pub(crate) plan: bool,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Confirmation {
    /// The cluster's name, typed again.
    #[serde(default)]
    confirm: String,
    /// The repository (id or name) that a last backup is stored in first; none when left out.
    #[serde(default)]
    final_backup: Option<String>,
    /// Only say what would be done.
    #[serde(default)]
    plan: bool,
}

/// The cluster of an id or name, as decisions look at it.
pub(crate) fn find_view(api: &Inner, text: &str) -> Result<View> {
    clusters::find(&api.store, text)
        .and_then(|cluster| views::view(&api.store, &cluster.object.id))
        .ok_or_else(|| ApiError::not_found("cluster", text))
}

/// Every cluster, by the time of its making.
#[utoipa::path(get, path = "/v1/clusters", tag = "clusters", operation_id = "list_clusters",
    params(Paging), responses(
    (status = 200, body = Page<ClusterView>), (status = 400, body = Problem),
    (status = 401, body = Problem),
))]
pub(crate) async fn list(
    Extract(api): State,
    caller: Caller,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<ClusterView>>> {
    // Scratch nodes are nobody's cluster, and shards are shown with theirs.
    let all = api.store.list_where(|cluster: &Cluster| {
        let is_own = cluster.proof_of.is_none() && cluster.shard.is_none();
        is_own && caller.sees(&cluster.spec.project)
    });
    let show = |cluster: Stored<Cluster>| {
        views::view(&api.store, &cluster.object.id).map(|view| cluster_view(&view))
    };
    let key = |cluster: &Stored<Cluster>| cluster.object.id.to_string();
    page(all, key, |key, after| key > after, &paging, show).map(Json)
}

/// One cluster, by id or name.
#[utoipa::path(get, path = "/v1/clusters/{cluster}", tag = "clusters",
    operation_id = "show_cluster",
    params(("cluster" = String, Path, description = "id or name")), responses(
    (status = 200, body = ClusterView),
    (status = 400, body = Problem), (status = 401, body = Problem),
    (status = 404, body = Problem),
))]
pub(crate) async fn show(
    Extract(api): State,
    _: Caller,
    _: Query<Nothing>,
    Path(cluster): Path<String>,
) -> Result<Response> {
    Ok(with_generation(&cluster_view(&find_view(&api, &cluster)?), StatusCode::OK))
}

fn with_generation(view: &ClusterView, status: StatusCode) -> Response {
    tagged(view.generation, status, view)
}

/// The generation is what a change has to name.
pub(crate) fn tagged(generation: u64, status: StatusCode, body: impl Serialize) -> Response {
    let etag = format!("\"{generation}\"");
    (status, [(header::ETAG, etag)], Json(body)).into_response()
}

/// Ask for a cluster. With `plan=true` nothing is made and a plan is the answer.
#[utoipa::path(post, path = "/v1/clusters", tag = "clusters", operation_id = "create_cluster",
    params(PlanOnly,
    ("Idempotency-Key" = Option<String>, Header, description = "the same key makes it once")),
    request_body = ClusterSpec, responses(
    (status = 201, body = ClusterView),
    (status = 200, body = Plan, description = "with `plan=true`"),
    (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 409, body = Problem, description = "`name-taken`, `idempotency-key-reused`"),
    (status = 413, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem),
))]
pub(crate) async fn create(
    Extract(api): State,
    caller: Caller,
    Query(query): Query<PlanOnly>,
    headers: HeaderMap,
    Body(mut spec): Body<ClusterSpec>,
) -> Result<Response> {
    caller.require(&spec.project, Role::Admin, &spec.name).await?;
    let request = serde_json::to_string(&spec).expect("plain data");
    let key = if query.plan {
        Key::default()
    } else {
        Key::read(&caller, &headers, &format!("create cluster {request}"))?
    };
    if let Some(made) = made_before(&api, &key)? {
        return Ok(made);
    }
    complete(&api, &mut spec)?;
    check_source(&api, &caller, &spec).await?;
    let problems = problems(&api, &spec)?;
    if !problems.is_empty() {
        return Err(ApiError::fields(problems));
    }
    check_repository(&api, &spec)?;
    if api.store.find::<NameClaim>(&spec.name).is_some() {
        return refuse_name(&api, &key, &spec.name);
    }
    check_can_make(&api, &spec).await?;
    if query.plan {
        let limits = provider_of(&api, &spec)?.limits();
        return Ok(Json(plan_creation(&spec, &limits)).into_response());
    }
    let cluster = Cluster {
        id: ClusterId::generate(),
        generation: 1,
        created_at: Timestamp::now(),
        status: ClusterStatus::default(),
        network: None,
        next_ordinal: 1,
        proof_of: None,
        pending_allowlist: None,
        databases: bellwether_model::database::Databases::default(),
        shard: None,
        size_may_wait: false,
        disks_grow_in_use: false,
        spec,
    };
    let name = &cluster.spec.name;
    let operation = new_operation(&cluster, OperationKind::CreateCluster, &caller);
    let claim = NameClaim { name: name.clone(), cluster: cluster.id.clone() };
    let txn = Txn::new().insert(&cluster).insert(&claim).insert(&operation);
    // It must not be deleted meanwhile.
    let project = api.store.find::<Project>(&cluster.spec.project);
    let txn = project.iter().fold(txn, |txn, project| txn.update(project));
    let txn = key.remember(&api, txn, cluster.id.as_str());
    let ClusterSpec { engine, version, nodes, shards, project, .. } = &cluster.spec;
    let detail = match shards {
        0 => format!("{engine} {version}, {nodes} nodes, in {project}"),
        _ => format!("{engine} {version}, {shards} shards of {nodes} nodes, in {project}"),
    };
    let txn = txn.audit(caller.entry_of("cluster.create", name, detail));
    match api.store.commit(txn).await {
        Ok(_) => {}
        // Another request was quicker: for the same name, or the same one with the same key.
        Err(StoreError::Conflict { .. }) => return refuse_name(&api, &key, name),
        Err(error) => return Err(error.into()),
    }
    let view = cluster_view(&find_view(&api, cluster.id.as_str())?);
    Ok(with_generation(&view, StatusCode::CREATED))
}

/// The answer to a request that was served before.
fn made_before(api: &Inner, key: &Key) -> Result<Option<Response>> {
    let Some(made) = key.made(api)? else { return Ok(None) };
    let view = find_view(api, &made).map_err(|_| idempotency::is_gone("cluster"))?;
    Ok(Some(with_generation(&cluster_view(&view), StatusCode::CREATED)))
}

/// The name is taken, unless it was this same request that took it.
fn refuse_name(api: &Inner, key: &Key, name: &str) -> Result<Response> {
    made_before(api, key)?.ok_or_else(|| {
        ApiError::new(Code::NameTaken, format!("there is a cluster `{name}` already"))
            .hint("choose another name")
    })
}

/// Fills in what was left to the server.
fn complete(api: &Inner, spec: &mut ClusterSpec) -> Result<()> {
    if !projects::exists(api, &spec.project) {
        let words = format!("there is no project `{}`", spec.project);
        return Err(ApiError::field("project", words));
    }
    let Some(engine) = api.engine(&spec.engine) else {
        let known: Vec<&str> = api.engines.iter().map(|engine| engine.name.as_str()).collect();
        let known = known.join(", ");
        let words = format!("`{}` is not an engine here; there are {known}", spec.engine);
        return Err(ApiError::field("engine", words));
    };
    if spec.version.is_empty() {
        spec.version = engine.versions.first().cloned().unwrap_or_default();
    }
    // Nobody is let in who was not named.
    allowlist::canonicalise(spec.allowlist.get_or_insert_default());
    complete_parameters(api, spec);
    Ok(())
}

/// Data is restored into what wrote it.
async fn check_source(api: &Inner, caller: &Caller, spec: &ClusterSpec) -> Result<()> {
    let Some(source) = &spec.source else { return Ok(()) };
    let from = crate::backups::source(api, caller, source).await?.spec;
    if (&from.engine, &from.version) != (&spec.engine, &spec.version) {
        let words = format!("the backup is of {} {}", from.engine, from.version);
        return Err(ApiError::field("source.backup", words));
    }
    Ok(())
}

/// Where its machines come from.
fn provider_of<'a>(api: &'a Inner, spec: &ClusterSpec) -> Result<&'a Arc<dyn Provider>> {
    api.provider(&spec.provider).ok_or_else(|| {
        let known: Vec<&str> = api.providers.iter().map(|provider| provider.name()).collect();
        let known = known.join(", ");
        let words = format!("`{}` is not a provider here; there are {known}", spec.provider);
        ApiError::field("provider", words)
    })
}

/// The fields that cannot be carried out.
pub(crate) fn problems(api: &Inner, spec: &ClusterSpec) -> Result<Vec<FieldProblem>> {
    let provider = provider_of(api, spec)?;
    let engine = api.engine(&spec.engine);
    let engine = engine.ok_or_else(|| ApiError::field("engine", "it is not an engine here"))?;
    Ok(check_spec(spec, engine, &provider.limits()))
}

/// The repository of its schedule has to be there.
fn check_repository(api: &Inner, spec: &ClusterSpec) -> Result<()> {
    let Some(wanted) = &spec.backup else { return Ok(()) };
    if bellwether_store::repositories::find(&api.store, &wanted.repository).is_some() {
        return Ok(());
    }
    let words = format!("there is no repository `{}`", wanted.repository);
    Err(ApiError::field("backup.repository", words))
}

/// Refuses while the provider cannot make machines.
async fn check_can_make(api: &Inner, spec: &ClusterSpec) -> Result<()> {
    let Some(provider) = api.provider(&spec.provider) else { return Ok(()) };
    check_provider(provider.as_ref()).await.map_err(|why| {
        let words = format!("{} cannot make machines now", provider.title());
        ApiError::new(Code::ProviderUnavailable, words).hint(why)
    })
}

/// An operation that a person asks for.
pub(crate) fn new_operation(cluster: &Cluster, kind: OperationKind, caller: &Caller) -> Operation {
    Operation::queued(cluster, kind, &caller.user.name, Timestamp::now())
}

/// The answer to a change: the cluster, or with `plan=true` what would be done.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum Changed {
    Cluster(Box<ClusterView>),
    Plans(Vec<Plan>),
}

/// Change what was asked for: the number of nodes and of shards, the size of nodes, the replication
/// mode, the timers, the settings of the engine, when drills begin, who may reach the ports of
/// clients. With `plan=true` nothing is changed, and the answer is the plans of the operations that
/// would follow.
#[utoipa::path(patch, path = "/v1/clusters/{cluster}", tag = "clusters",
    operation_id = "change_cluster", params(
    ("cluster" = String, Path, description = "id or name"),
    ("If-Match" = String, Header, description = "the generation that is changed, in quotes"),
    PlanOnly), request_body = ClusterChange, responses(
    (status = 200, body = Changed),
    (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 404, body = Problem), (status = 409, body = Problem), (status = 412, body = Problem),
    (status = 413, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem),
))]
pub(crate) async fn change(
    Extract(api): State,
    caller: Caller,
    Path(name): Path<String>,
    Query(query): Query<PlanOnly>,
    headers: HeaderMap,
    Body(change): Body<ClusterChange>,
) -> Result<Response> {
    let expected = expected_generation(&headers)?;
    for _ in 0..TRIES {
        let found = clusters::find(&api.store, &name);
        let mut cluster = found.ok_or_else(|| ApiError::not_found("cluster", &name))?;
        let mut view = find_view(&api, cluster.object.id.as_str())?;
        check_generation(&cluster.object, expected)?;
        operations::refuse_when_deleted(&view)?;
        let before = std::mem::replace(
            &mut cluster.object.spec,
            asked_for(&api, &view.cluster.spec, &change)?,
        );
        let spec = &cluster.object.spec;
        check_change(&api, &view, &before, spec).await?;
        check_new_timers(&view, &before, spec)?;
        let provider = api.provider(&spec.provider);
        let grows = provider.is_some_and(|provider| provider.limits().disks_grow_in_use);
        view.cluster.disks_grow_in_use = grows;
        let waits = check_size(&view, &change)?;
        let settings = settings_change(&api, &view, spec, query.plan)?;
        if query.plan {
            let settings = settings.map(|(plan, _)| plan);
            let plans = plans(&view, spec, waits, settings);
            return Ok(Json(Changed::Plans(plans)).into_response());
        }
        if let Some(why) = waits {
            return Err(operations::refused(OperationKind::Resize, &why));
        }
        // A size that was refused is tried again when it is asked for again.
        let is_asked_again = change.size.is_some() && view.cluster.status.size_refused.is_some();
        if *spec != before || is_asked_again {
            cluster.object.generation += 1;
            if change.size.is_some() {
                cluster.object.size_may_wait = change.allow_waiting;
                cluster.object.disks_grow_in_use = grows;
            }
            if change.allowlist.is_some() {
                cluster.object.pending_allowlist = None;
            }
            let differences = differences(&before, &cluster.object.spec);
            let entry = caller.entry_of("cluster.change", &before.name, differences);
            let mut txn = Txn::new().update(&cluster).audit(entry);
            if let Some((_, state)) = &settings {
                let kind = OperationKind::Reconfigure;
                let mut operation = new_operation(&cluster.object, kind, &caller);
                operation.state = serde_json::to_value(state).expect("plain data");
                txn = txn.insert(&operation);
            }
            match api.store.commit(txn).await {
                Ok(_) => {}
                Err(StoreError::Conflict { .. }) => continue,
                Err(error) => return Err(error.into()),
            }
        }
        let view = cluster_view(&find_view(&api, view.cluster.id.as_str())?);
        let generation = view.generation;
        return Ok(tagged(generation, StatusCode::OK, Changed::Cluster(Box::new(view))));
    }
    Err(operations::changes_too_quickly())
}

/// What a cluster is asked for after this change.
fn asked_for(api: &Inner, before: &ClusterSpec, change: &ClusterChange) -> Result<ClusterSpec> {
    let mut spec = before.clone();
    spec.replication = change.replication.unwrap_or(before.replication);
    spec.timers = change.timers.unwrap_or(before.timers);
    spec.protected = change.protected.unwrap_or(before.protected);
    spec.nodes = change.nodes.unwrap_or(before.nodes);
    spec.shards = change.shards.unwrap_or(before.shards);
    spec.size = change.size.unwrap_or(before.size);
    if let Some(parameters) = &change.parameters {
        spec.parameters.clone_from(parameters);
    }
    complete_parameters(api, &mut spec);
    if let Some(backup) = &change.backup {
        spec.backup.clone_from(backup);
    }
    check_repository(api, &spec)?;
    if let Some(drill) = &change.drill {
        spec.drill.clone_from(drill);
    }
    if let Some(mut entries) = change.allowlist.clone() {
        allowlist::canonicalise(&mut entries);
        spec.allowlist = Some(entries);
    }
    Ok(spec)
}

/// The plans of the operations that a change brings about.
fn plans(
    view: &View,
    spec: &ClusterSpec,
    waits: Option<String>,
    settings: Option<Plan>,
) -> Vec<Plan> {
    let groups = || view.groups().iter();
    let mut plans: Vec<Plan> = groups().flat_map(|group| plan_change(group, spec.nodes)).collect();
    let mut resized: Vec<Plan> = groups().flat_map(|group| resize::plans(group, spec)).collect();
    if let Some(plan) = resized.first_mut() {
        plan.refusals.extend(waits);
    }
    plans.extend(resized);
    plans.extend(shards::plan_division(view, spec.shards));
    plans.extend(settings);
    plans
}

/// Whether the network can carry timers that are new.
fn check_new_timers(view: &View, before: &ClusterSpec, after: &ClusterSpec) -> Result<()> {
    match check_timers(view, after.timers).filter(|_| after.timers != before.timers) {
        Some(words) => Err(ApiError::field("timers", words)),
        None => Ok(()),
    }
}

/// Whether nodes that are there can get the size asked for; why a person has to say first that
/// writes may wait.
fn check_size(view: &View, change: &ClusterChange) -> Result<Option<String>> {
    let Some(size) = &change.size else {
        let words = "only a change of `size` knows it; leave it out";
        let is_lost = change.allow_waiting;
        return if is_lost { Err(ApiError::field("allow_waiting", words)) } else { Ok(None) };
    };
    let groups = view.groups();
    if let Some(problem) = groups.iter().find_map(|group| resize::check(group, size)) {
        return Err(ApiError::fields(vec![problem]));
    }
    let waits = groups.iter().find_map(|group| resize::refuse_without_consent(group, size));
    Ok(waits.filter(|_| !change.allow_waiting))
}

/// The fields that differ, with what they are now.
fn differences(before: &ClusterSpec, after: &ClusterSpec) -> String {
    let fields = |spec| serde_json::to_value(spec).expect("plain data");
    let (before, after) = (fields(before), fields(after));
    let names = before.as_object().into_iter().chain(after.as_object()).flat_map(|all| all.keys());
    let names: std::collections::BTreeSet<&String> = names.collect();
    let changed = names.into_iter().filter(|name| before.get(name) != after.get(name));
    let words = changed.map(|name| match after.get(name) {
        Some(value) => format!("{name} {value}"),
        None => format!("no {name}"),
    });
    words.collect::<Vec<_>>().join(", ")
}

/// Fields that are wrong or right whatever they were before.
const CHANGED_ALONE: [&str; 9] = [
    "multi_primary",
    "nodes",
    "apart",
    "shards",
    "replication",
    "drill.schedule",
    "backup.schedule",
    "backup.keep",
    "backup.point_in_time",
];

/// Whether the changed fields can be carried out. What was fit before is not held against it,
/// although limits may have changed since.
async fn check_change(
    api: &Inner,
    view: &View,
    before: &ClusterSpec,
    after: &ClusterSpec,
) -> Result<()> {
    if after == before {
        return Ok(());
    }
    let refusal = shards::refuse_change(view, after);
    if let Some(words) = refusal.or_else(|| members::allowed::refuse_change(view, after)) {
        return Err(ApiError::new(Code::OperationRefused, words));
    }
    let mut problems = problems(api, after)?;
    problems.retain(|problem| {
        CHANGED_ALONE.contains(&problem.field.as_str())
            || (after.size != before.size && problem.field.starts_with("size."))
            // What may be chosen depends on the size.
            || ((&after.parameters, &after.size) != (&before.parameters, &before.size)
                && problem.field.starts_with("parameters."))
            || (after.allowlist != before.allowlist && problem.field.starts_with("allowlist"))
    });
    if !problems.is_empty() {
        return Err(ApiError::fields(problems));
    }
    let grows = after.nodes > before.nodes || after.shards > before.shards;
    if grows { check_can_make(api, after).await } else { Ok(()) }
}

/// Writes the chosen settings in the one way, where all of them can be had.
fn complete_parameters(api: &Inner, spec: &mut ClusterSpec) {
    let engine = api.engine(&spec.engine);
    if let Some(Ok(parameters)) = engine.map(|engine| reconfigure::canonical(engine, spec)) {
        spec.parameters = parameters;
    }
}

/// What a change of the engine's settings takes, where there is one.
fn settings_change(
    api: &Inner,
    view: &View,
    after: &ClusterSpec,
    is_plan: bool,
) -> Result<Option<(Plan, Reconfigure)>> {
    let before = &view.cluster.spec.parameters;
    let engine = api.engine(&after.engine).filter(|_| after.parameters != *before);
    let Some(engine) = engine else { return Ok(None) };
    let plan = reconfigure::plan(view, engine, &after.parameters);
    if let Some(why) = plan.refusals.first().filter(|_| !is_plan) {
        return Err(operations::refused(OperationKind::Reconfigure, why));
    }
    let state = Reconfigure {
        before: before.clone(),
        after: after.parameters.clone(),
        changes: plan.changes.clone(),
        ..Reconfigure::default()
    };
    Ok(Some((plan, state)))
}

pub(crate) fn check_generation(cluster: &Cluster, expected: u64) -> Result<()> {
    if cluster.generation == expected {
        return Ok(());
    }
    let words = format!("the cluster is at generation {}, not {expected}", cluster.generation);
    Err(ApiError::new(Code::GenerationMismatch, words)
        .hint("look at it again and repeat the change"))
}

pub(crate) fn expected_generation(headers: &HeaderMap) -> Result<u64> {
    let value = headers.get(header::IF_MATCH).and_then(|value| value.to_str().ok());
    let number = value.and_then(|value| {
        let digits = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let digits = digits.unwrap_or(value);
        digits.parse().ok().filter(|_| digits.starts_with(|c: char| c.is_ascii_digit()))
    });
    number.ok_or_else(|| {
        ApiError::new(Code::BadRequest, "the header `If-Match` is missing or is no generation")
            .hint("send the generation you looked at, in quotes: `If-Match: \"3\"`")
    })
}

/// Delete a cluster with all of its data. With `plan=true` nothing is done and a plan is the
/// answer.
#[utoipa::path(delete, path = "/v1/clusters/{cluster}", tag = "clusters",
    operation_id = "delete_cluster",
    params(("cluster" = String, Path, description = "id or name"), Confirmation), responses(
    (status = 202, body = Operation), (status = 200, body = Plan, description = "with `plan=true`"),
    (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem),
))]
pub(crate) async fn delete(
    Extract(api): State,
    caller: Caller,
    Path(name): Path<String>,
    Query(query): Query<Confirmation>,
) -> Result<Response> {
    let view = find_view(&api, &name)?;
    let request = NewOperation {
        confirm: Some(query.confirm),
        repository: query.final_backup,
        ..NewOperation::of(OperationKind::DeleteCluster, None)
    };
    if query.plan {
        return operations::planned(&api, &view, &request, None);
    }
    operations::accept(&api, &caller, &view.cluster.id, &request, &Key::default()).await
}
