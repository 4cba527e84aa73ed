import { ActionIcon, Button, Modal, Skeleton, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useId, useState } from 'react';

import { keys } from '../../api/keys';
import { createProject, deleteProject, removeMember, setMember } from '../../api/people';
import { projectsQuery, usersQuery } from '../../api/queries';
import type { ProjectView, Role } from '../../api/types';
import { AskDialog } from '../../ui/Ask';
import { Card } from '../../ui/Card';
import { ErrorNote } from '../../ui/ErrorNote';
import { TrashIcon } from '../../ui/icons';
import { DEFAULT_PROJECT, isAtLeast, useAccess } from './may';
import classes from './people.module.css';
import { messages } from './people.messages';
import { RoleSelect } from './RoleSelect';

/** The projects, and who has a role in each. */
export function ProjectsCard() {
  const query = useQuery(projectsQuery);
  const isAdmin = isAtLeast(useAccess()?.everywhere, 'admin');
  const [isAdding, setIsAdding] = useState(false);
  return (
    <>
      {query.error && <ErrorNote error={query.error} retry={() => void query.refetch()} />}
      {query.isPending && <Skeleton height={60} />}
      {query.data?.map((project) => (
        <ProjectCard key={project.name} project={project} mayDelete={isAdmin} />
      ))}
      {isAdmin && (
        <div>
          <Button variant="default" onClick={() => setIsAdding(true)}>
            {messages.addProject}
          </Button>
        </div>
      )}
      <Modal
        opened={isAdding}
        onClose={() => setIsAdding(false)}
        title={<strong>{messages.addProjectTitle}</strong>}
      >
        <AddProject onClose={() => setIsAdding(false)} />
      </Modal>
    </>
  );
}

function useRenewed() {
  const client = useQueryClient();
  return () =>
    Promise.all(
      [keys.projects, keys.users, keys.me].map((queryKey) =>
        client.invalidateQueries({ queryKey }),
      ),
    );
}

function AddProject({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState('');
  const renew = useRenewed();
  const create = useMutation({
    mutationFn: () => createProject(name.trim()),
    onSuccess: async () => {
      await renew();
      onClose();
    },
  });
  return (
    <form
      className={classes.form}
      onSubmit={(event) => {
        event.preventDefault();
        create.mutate();
      }}
    >
      <TextInput
        label={messages.name}
        description={messages.projectHelp}
        value={name}
        required
        autoCapitalize="none"
        spellCheck={false}
        onChange={(event) => setName(event.currentTarget.value)}
      />
      {create.error && <ErrorNote error={create.error} />}
      <div className={classes.formButtons}>
        <Button variant="default" onClick={onClose}>
          {messages.cancel}
        </Button>
        <Button type="submit" loading={create.isPending}>
          {messages.createProject}
        </Button>
      </div>
    </form>
  );
}

function ProjectCard({ project, mayDelete }: { project: ProjectView; mayDelete: boolean }) {
  const renew = useRenewed();
  const [isAsked, setIsAsked] = useState(false);
  const remove = useMutation({ mutationFn: () => deleteProject(project.name), onSuccess: renew });
  const isManaged = isAtLeast(project.role, 'admin');
  return (
    <Card
      title={messages.project(project.name)}
      aside={
        <span className={classes.tools}>
          <span className={classes.dim}>
            {messages.about(project.clusters, messages.roles[project.role])}
          </span>
          {mayDelete && project.name !== DEFAULT_PROJECT && (
            <ActionIcon
              size={30}
              color="red"
              variant="subtle"
              aria-label={messages.deleteProject(project.name)}
              onClick={() => setIsAsked(true)}
            >
              <TrashIcon />
            </ActionIcon>
          )}
        </span>
      }
    >
      <AskDialog
        title={messages.deleteProjectTitle(project.name)}
        text={messages.deleteProjectText}
        action={messages.deleteProjectConfirm}
        keep={messages.cancel}
        error={remove.error}
        isPending={remove.isPending}
        isOpen={isAsked}
        onAct={() => remove.mutate()}
        onClose={() => {
          remove.reset();
          setIsAsked(false);
        }}
      />
      {!isManaged && <p className={classes.dim}>{messages.notManaged}</p>}
      {isManaged && <Members project={project} />}
    </Card>
  );
}

function Members({ project }: { project: ProjectView }) {
  const renew = useRenewed();
  const [user, setUser] = useState('');
  const [role, setRole] = useState<Role | null>('viewer');
  const set = useMutation({
    mutationFn: ([who, what]: readonly [string, Role | null]) =>
      what === null ? removeMember(project.name, who) : setMember(project.name, who, what),
    onSuccess: () => setUser(''),
    onSettled: renew,
  });
  const own = project.members.filter((member) => !member.everywhere);
  const listId = useId();
  // Who may see the users is offered them; others type the name.
  const isAdmin = isAtLeast(useAccess()?.everywhere, 'admin');
  const users = (useQuery({ ...usersQuery, enabled: isAdmin }).data ?? [])
    .map((one) => one.name)
    .filter((name) => !own.some((member) => member.user === name));
  return (
    <>
      {own.length === 0 && <p className={classes.dim}>{messages.noMembers}</p>}
      <ul className={classes.list} aria-label={messages.members(project.name)}>
        {own.map((member) => (
          <li key={member.user}>
            <span className={classes.who}>
              <span className={classes.name}>{member.user}</span>
            </span>
            <span className={classes.tools}>
              <RoleSelect
                label={messages.inProject(member.user, project.name)}
                isLabelHidden
                value={member.role}
                isDisabled={set.isPending}
                onChange={(next) => set.mutate([member.user, next])}
              />
              <ActionIcon
                size={30}
                color="red"
                variant="subtle"
                aria-label={messages.removeMember(member.user, project.name)}
                onClick={() => set.mutate([member.user, null])}
              >
                <TrashIcon />
              </ActionIcon>
            </span>
          </li>
        ))}
      </ul>
      <form
        className={classes.members}
        onSubmit={(event) => {
          event.preventDefault();
          set.mutate([user.trim(), role]);
        }}
      >
        {set.error && <ErrorNote error={set.error} />}
        <span className={classes.tools}>
          <TextInput
            size="xs"
            aria-label={messages.user}
            placeholder={messages.user}
            list={listId}
            value={user}
            required
            autoCapitalize="none"
            spellCheck={false}
            onChange={(event) => setUser(event.currentTarget.value)}
          />
          <datalist id={listId}>
            {users.map((name) => (
              <option key={name} value={name} />
            ))}
          </datalist>
          <RoleSelect label={messages.addMember} isLabelHidden value={role} onChange={setRole} />
          <Button type="submit" size="xs" variant="default" loading={set.isPending}>
            {messages.addMember}
          </Button>
        </span>
      </form>
    </>
  );
}
