//! Clusters: listed, shown, asked for, changed, deleted.

use axum::Json;
use axum::extract::{Path, State as Extract};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bellwether_model::cluster::{ClusterChange, ClusterStatus};
use bellwether_model::event::Page;
use bellwether_model::operation::NewOperation;
use bellwether_model::plan::Plan;
use bellwether_model::problem::{Code, Problem};
use bellwether_model::{
    Cluster, ClusterId, ClusterSpec, ClusterView, Operation, OperationId, OperationKind,
    OperationStatus, Timestamp,
};
use bellwether_planner::{View, check_spec, cluster_view, plan, plan_creation};
use bellwether_store::clusters::{self, NameClaim};
use bellwether_store::{Error as StoreError, Object as _, Stored, Txn, views};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::auth::Caller;
use crate::error::{ApiError, Body, Query, Result};
use crate::operations::accepted;
use crate::{Inner, State, idempotency};

/// Times a change is tried again when the control loop changed the same cluster meanwhile.
const TRIES: usize = 20;

#[derive(Deserialize, IntoParams)]
pub(crate) struct Paging {
    /// At most so many, 1 to 500; 100 when left out.
    limit: Option<u16>,
    /// The `next` of the page before.
    after: Option<String>,
}

#[derive(Deserialize, IntoParams)]
pub(crate) struct PlanOnly {
    /// Only say what would be done.
    #[serde(default)]
    pub(crate) plan: bool,
}

#[derive(Deserialize, IntoParams)]
pub(crate) struct Confirmation {
    /// The cluster's name, typed again.
    #[serde(default)]
    confirm: String,
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

/// The page of a list that is sorted by key.
pub(crate) fn page<T, V>(
    items: Vec<T>,
    key: impl Fn(&T) -> String,
    limit: Option<u16>,
    after: Option<&str>,
    show: impl Fn(T) -> Option<V>,
) -> Page<V> {
    let limit = usize::from(limit.unwrap_or(100).clamp(1, 500));
    let start = match after {
        None => 0,
        Some(after) => items.iter().position(|item| key(item) == after).map_or(0, |at| at + 1),
    };
    let has_more = items.len() > start + limit;
    let items: Vec<T> = items.into_iter().skip(start).take(limit).collect();
    let next = items.last().filter(|_| has_more).map(&key);
    Page { items: items.into_iter().filter_map(show).collect(), next }
}

/// Every cluster, by the time of its making.
#[utoipa::path(get, path = "/v1/clusters", tag = "clusters", params(Paging), responses(
    (status = 200, body = Page<ClusterView>), (status = 400, body = Problem),
    (status = 401, body = Problem),
))]
pub(crate) async fn list(
    Extract(api): State,
    _: Caller,
    Query(paging): Query<Paging>,
) -> Json<Page<ClusterView>> {
    let all = api.store.list::<Cluster>();
    let show = |cluster: Stored<Cluster>| {
        views::view(&api.store, &cluster.object.id).map(|view| cluster_view(&view))
    };
    let key = |cluster: &Stored<Cluster>| cluster.object.id.to_string();
    Json(page(all, key, paging.limit, paging.after.as_deref(), show))
}

/// One cluster, by id or name.
#[utoipa::path(get, path = "/v1/clusters/{cluster}", tag = "clusters",
    params(("cluster" = String, Path, description = "id or name")), responses(
    (status = 200, body = ClusterView), (status = 401, body = Problem),
    (status = 404, body = Problem),
))]
pub(crate) async fn show(
    Extract(api): State,
    _: Caller,
    Path(cluster): Path<String>,
) -> Result<Response> {
    Ok(with_generation(&cluster_view(&find_view(&api, &cluster)?), StatusCode::OK))
}

fn with_generation(view: &ClusterView, status: StatusCode) -> Response {
    let etag = format!("\"{}\"", view.generation);
    (status, [(header::ETAG, etag)], Json(view)).into_response()
}

/// Ask for a cluster. With `plan=true` nothing is made and a plan is the answer.
#[utoipa::path(post, path = "/v1/clusters", tag = "clusters", params(PlanOnly,
    ("Idempotency-Key" = Option<String>, Header, description = "the same key makes it once")),
    request_body = ClusterSpec, responses(
    (status = 201, body = ClusterView),
    (status = 200, body = Plan, description = "with `plan=true`"),
    (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
    (status = 503, body = Problem),
))]
pub(crate) async fn create(
    Extract(api): State,
    caller: Caller,
    Query(query): Query<PlanOnly>,
    headers: HeaderMap,
    Body(mut spec): Body<ClusterSpec>,
) -> Result<Response> {
    check(&api, &mut spec).await?;
    let request = serde_json::to_string(&spec).expect("plain data");
    let key = idempotency::read(&api, &caller, &headers, &format!("create cluster {request}"))?;
    if let Some(made) = &key.made {
        return Ok(with_generation(&cluster_view(&find_view(&api, made)?), StatusCode::CREATED));
    }
    if api.store.find::<NameClaim>(&spec.name).is_some() {
        return Err(name_taken(&spec.name));
    }
    if query.plan {
        return Ok(Json(plan_creation(&spec)).into_response());
    }
    let cluster = Cluster {
        id: ClusterId::generate(),
        generation: 1,
        created_at: Timestamp::now(),
        status: ClusterStatus::default(),
        network: None,
        next_ordinal: 1,
        spec,
    };
    let operation = new_operation(&cluster, OperationKind::CreateCluster, &caller);
    let claim = NameClaim { name: cluster.spec.name.clone(), cluster: cluster.id.clone() };
    let txn = Txn::new().insert(&cluster).insert(&claim).insert(&operation);
    let txn = key.remember(&api, txn, cluster.id.as_str());
    match api.store.commit(txn).await {
        Ok(_) => {}
        Err(StoreError::Conflict { kind, .. }) if kind == NameClaim::KIND => {
            return Err(name_taken(&cluster.spec.name));
        }
        Err(StoreError::Conflict { .. }) => {
            return Err(ApiError::new(
                Code::IdempotencyKeyReused,
                "the same request is being served at this moment",
            )
            .hint("ask again with the same key"));
        }
        Err(error) => return Err(error.into()),
    }
    caller.audit(&api, "cluster.create", &cluster.spec.name).await?;
    let view = cluster_view(&find_view(&api, cluster.id.as_str())?);
    Ok(with_generation(&view, StatusCode::CREATED))
}

fn name_taken(name: &str) -> ApiError {
    ApiError::new(Code::NameTaken, format!("there is a cluster `{name}` already"))
        .hint("choose another name")
}

/// Completes and checks a spec.
async fn check(api: &Inner, spec: &mut ClusterSpec) -> Result<()> {
    let Some(engine) = api.engine(&spec.engine) else {
        let known: Vec<&str> = api.engines.iter().map(|engine| engine.name.as_str()).collect();
        let known = known.join(", ");
        let words = format!("`{}` is not an engine here; there are {known}", spec.engine);
        return Err(ApiError::field("engine", words));
    };
    if spec.version.is_empty() {
        spec.version = engine.versions.first().cloned().unwrap_or_default();
    }
    let Some(provider) = api.provider(&spec.provider) else {
        let known: Vec<&str> = api.providers.iter().map(|provider| provider.name()).collect();
        let known = known.join(", ");
        let words = format!("`{}` is not a provider here; there are {known}", spec.provider);
        return Err(ApiError::field("provider", words));
    };
    let problems = check_spec(spec, engine, &provider.limits());
    if !problems.is_empty() {
        return Err(ApiError::fields(problems));
    }
    provider.check().await.map_err(|failure| {
        let words = format!("{} cannot make machines now", provider.title());
        ApiError::new(Code::ProviderUnavailable, words).hint(failure.text)
    })
}

/// An operation that a person asks for.
pub(crate) fn new_operation(cluster: &Cluster, kind: OperationKind, caller: &Caller) -> Operation {
    Operation {
        id: OperationId::generate(),
        cluster: cluster.id.clone(),
        cluster_name: cluster.spec.name.clone(),
        kind,
        node: None,
        node_name: None,
        status: OperationStatus::Queued,
        started_by: caller.user.name.clone(),
        reason: "asked for".to_owned(),
        rule: 0,
        created_at: Timestamp::now(),
        started_at: None,
        ended_at: None,
        steps: Vec::new(),
        message: String::new(),
        state: serde_json::Value::Null,
    }
}

/// Change what was asked for: the number of nodes, the replication mode, the timers.
#[utoipa::path(patch, path = "/v1/clusters/{cluster}", tag = "clusters", params(
    ("cluster" = String, Path, description = "id or name"),
    ("If-Match" = String, Header, description = "the generation that is changed, in quotes"),
    PlanOnly), request_body = ClusterChange, responses(
    (status = 200, body = ClusterView), (status = 400, body = Problem),
    (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
    (status = 409, body = Problem), (status = 412, body = Problem), (status = 413, body = Problem),
    (status = 422, body = Problem),
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
        let object = &mut cluster.object;
        if object.generation != expected {
            let now = object.generation;
            return Err(ApiError::new(
                Code::GenerationMismatch,
                format!("the cluster is at generation {now}, not {expected}"),
            )
            .hint("look at it again and repeat the change"));
        }
        let before = object.spec.clone();
        object.spec.replication = change.replication.unwrap_or(before.replication);
        object.spec.timers = change.timers.unwrap_or(before.timers);
        object.spec.nodes = change.nodes.unwrap_or(before.nodes);
        check(&api, &mut object.spec).await?;
        if object.spec == before || query.plan {
            break;
        }
        object.generation += 1;
        match api.store.commit(Txn::new().update(&cluster)).await {
            Ok(_) => {
                caller.audit(&api, "cluster.change", &before.name).await?;
                break;
            }
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(with_generation(&cluster_view(&find_view(&api, &name)?), StatusCode::OK))
}

fn expected_generation(headers: &HeaderMap) -> Result<u64> {
    let value = headers.get(header::IF_MATCH).and_then(|value| value.to_str().ok());
    let number = value.and_then(|value| value.trim().trim_matches('"').parse().ok());
    number.ok_or_else(|| {
        ApiError::new(Code::BadRequest, "the header `If-Match` is missing or is no generation")
            .hint("send the generation you looked at, in quotes: `If-Match: \"3\"`")
    })
}

/// Delete a cluster with all of its data.
#[utoipa::path(delete, path = "/v1/clusters/{cluster}", tag = "clusters",
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
        kind: OperationKind::DeleteCluster,
        node: None,
        confirm: Some(query.confirm),
    };
    if query.plan {
        return Ok(Json(plan(&view, &request)).into_response());
    }
    accepted(&api, &caller, &view, &request, None).await
}
