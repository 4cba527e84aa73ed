//! Projects: clusters that the same people may use.

use axum::Json;
use axum::extract::State as Extract;
use axum::http::StatusCode;
use bellwether_model::access::{DEFAULT_PROJECT, Member, NewMember, NewProject, ProjectView, Role};
use bellwether_model::problem::{Code, Problem};
use bellwether_model::{Backup, Cluster, Timestamp, name};
use bellwether_store::projects::Project;
use bellwether_store::users::User;
use bellwether_store::{Error as StoreError, Txn};

use crate::auth::Caller;
use crate::error::{ApiError, Result};
use crate::extract::{Body, Nothing, Path, Query};
use crate::{Inner, State, identity, users};

/// Whether there is such a project.
pub(crate) fn exists(api: &Inner, name: &str) -> bool {
    name == DEFAULT_PROJECT || api.store.find::<Project>(name).is_some()
}

fn view(api: &Inner, caller: &Caller, name: &str) -> Option<ProjectView> {
    let role = caller.access.role_in(name)?;
    let is_shown = |cluster: &Cluster| cluster.spec.project == name && cluster.shard.is_none();
    let clusters = api.store.list_where(is_shown).len();
    let mut members: Vec<Member> = Vec::new();
    if role >= Role::Admin {
        for user in api.store.list::<User>() {
            let access = &user.object.access;
            let Some(role) = access.role_in(name) else { continue };
            let everywhere = access.everywhere >= Some(role);
            members.push(Member { user: user.object.name, role, everywhere });
        }
    }
    members.sort_by(|a, b| a.user.cmp(&b.user));
    let clusters = u32::try_from(clusters).unwrap_or(u32::MAX);
    Some(ProjectView { name: name.to_owned(), clusters, role, members })
}

/// The projects in which you have a role, by name.
#[utoipa::path(get, path = "/v1/projects", tag = "projects", operation_id = "list_projects",
    responses(
    (status = 200, body = Vec<ProjectView>), (status = 400, body = Problem),
    (status = 401, body = Problem),
))]
pub(crate) async fn list(
    Extract(api): State,
    caller: Caller,
    _: Query<Nothing>,
) -> Json<Vec<ProjectView>> {
    let mut names: Vec<String> =
        api.store.list::<Project>().into_iter().map(|project| project.object.name).collect();
    names.push(DEFAULT_PROJECT.to_owned());
    names.sort();
    Json(names.iter().filter_map(|name| view(&api, &caller, name)).collect())
}

/// Make a project.
#[utoipa::path(post, path = "/v1/projects", tag = "projects", operation_id = "create_project",
    request_body = NewProject, responses(
    (status = 201, body = ProjectView), (status = 400, body = Problem),
    (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 409, body = Problem, description = "`name-taken`"),
    (status = 413, body = Problem), (status = 422, body = Problem),
))]
pub(crate) async fn create(
    Extract(api): State,
    caller: Caller,
    _: Query<Nothing>,
    Body(new): Body<NewProject>,
) -> Result<(StatusCode, Json<ProjectView>)> {
    name::check_cluster_name(&new.name).map_err(|words| ApiError::field("name", words))?;
    let taken = || {
        let words = format!("there is a project `{}` already", new.name);
        ApiError::new(Code::NameTaken, words).hint("choose another name")
    };
    if exists(&api, &new.name) {
        return Err(taken());
    }
    let project = Project { name: new.name.clone(), created_at: Timestamp::now() };
    let txn = Txn::new().insert(&project).audit(caller.entry("project.create", &new.name));
    match api.store.commit(txn).await {
        Ok(_) => {}
        Err(StoreError::Conflict { .. }) => return Err(taken()),
        Err(error) => return Err(error.into()),
    }
    let view = view(&api, &caller, &new.name);
    let view = view.ok_or_else(|| ApiError::not_found("project", &new.name))?;
    Ok((StatusCode::CREATED, Json(view)))
}

/// Delete a project that has no cluster any more, and with it every role in it.
#[utoipa::path(delete, path = "/v1/projects/{project}", tag = "projects",
    operation_id = "delete_project", params(("project" = String, Path)), responses(
    (status = 204), (status = 400, body = Problem), (status = 401, body = Problem),
    (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem),
))]
pub(crate) async fn delete(
    Extract(api): State,
    caller: Caller,
    _: Query<Nothing>,
    Path(name): Path<String>,
) -> Result<StatusCode> {
    if name == DEFAULT_PROJECT {
        let words = format!("the project `{name}` stays: clusters that name no other belong to it");
        return Err(ApiError::new(Code::OperationRefused, words));
    }
    let project = api.store.find::<Project>(&name);
    let project = project.ok_or_else(|| ApiError::not_found("project", &name))?;
    let clusters = api.store.list_where(|cluster: &Cluster| cluster.spec.project == name);
    if let Some(cluster) = clusters.first() {
        let words = format!("the project `{name}` has the cluster {}", cluster.object.spec.name);
        return Err(ApiError::new(Code::OperationRefused, words).hint("delete its clusters first"));
    }
    // Whoever made a project of this name later would be given them.
    let backups = api.store.list_where(|backup: &Backup| backup.project == name);
    if let Some(backup) = backups.first() {
        let words = format!("the project `{name}` has backups of {}", backup.object.cluster_name);
        return Err(ApiError::new(Code::OperationRefused, words).hint("delete its backups first"));
    }
    let mut txn = Txn::new().delete::<Project>(&name, Some(project.revision));
    for mut user in api.store.list::<User>() {
        if user.object.access.projects.remove(&name).is_some() {
            txn = txn.update(&user);
        }
    }
    api.store.commit(txn.audit(caller.entry("project.delete", &name))).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Give somebody a role in a project, or another one.
#[utoipa::path(put, path = "/v1/projects/{project}/members/{user}", tag = "projects",
    operation_id = "set_member",
    params(("project" = String, Path), ("user" = String, Path, description = "id or name")),
    request_body = NewMember, responses(
    (status = 204), (status = 400, body = Problem), (status = 401, body = Problem),
    (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem),
    (status = 413, body = Problem), (status = 422, body = Problem),
))]
pub(crate) async fn set_member(
    Extract(api): State,
    caller: Caller,
    _: Query<Nothing>,
    Path((project, name)): Path<(String, String)>,
    Body(new): Body<NewMember>,
) -> Result<StatusCode> {
    change_member(&api, &caller, &project, &name, Some(new.role)).await
}

/// Take somebody's role in a project away.
#[utoipa::path(delete, path = "/v1/projects/{project}/members/{user}", tag = "projects",
    operation_id = "remove_member",
    params(("project" = String, Path), ("user" = String, Path, description = "id or name")),
    responses(
    (status = 204), (status = 400, body = Problem), (status = 401, body = Problem),
    (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem),
))]
pub(crate) async fn remove_member(
    Extract(api): State,
    caller: Caller,
    _: Query<Nothing>,
    Path((project, name)): Path<(String, String)>,
) -> Result<StatusCode> {
    change_member(&api, &caller, &project, &name, None).await
}

/// Nobody gives, or takes away, a role that is above the own one.
async fn change_member(
    api: &Inner,
    caller: &Caller,
    project: &str,
    name: &str,
    role: Option<Role>,
) -> Result<StatusCode> {
    if !exists(api, project) {
        return Err(ApiError::not_found("project", project));
    }
    let mut user = users::find(api, name)?;
    identity::refuse_foreign(&user.object)?;
    let before = user.object.access.projects.get(project).copied();
    if let Some(role) = role.max(before) {
        caller.require(project, role, &format!("{project}/{name}")).await?;
    }
    let after = &mut user.object.access.projects;
    match role {
        Some(role) => after.insert(project.to_owned(), role),
        None => after.remove(project),
    };
    let action = if role.is_some() { "member.set" } else { "member.remove" };
    let object = format!("{project}/{}", user.object.name);
    let detail = role.map(|role| role.to_string()).unwrap_or_default();
    let entry = caller.entry_of(action, &object, detail);
    api.store.commit(Txn::new().update(&user).audit(entry)).await?;
    Ok(StatusCode::NO_CONTENT)
}
