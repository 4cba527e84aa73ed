import { ActionIcon, Button, Menu, Skeleton } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { keys } from '../../api/keys';
import { changeAccess } from '../../api/people';
import { meQuery, usersQuery } from '../../api/queries';
import type { Role, UserSummary } from '../../api/types';
import { AskDialog } from '../../ui/Ask';
import { Card } from '../../ui/Card';
import { ErrorNote } from '../../ui/ErrorNote';
import { DotsIcon } from '../../ui/icons';
import { AddUserDialog } from './AddUserDialog';
import { isAtLeast, useAccess } from './may';
import classes from './people.module.css';
import { messages } from './people.messages';
import { RoleSelect } from './RoleSelect';
import { type UserAct, UserDialog } from './UserDialog';

/** Everybody who may use the server. */
export function UsersCard() {
  const query = useQuery(usersQuery);
  const isOwner = isAtLeast(useAccess()?.everywhere, 'owner');
  const [isAdding, setIsAdding] = useState(false);
  return (
    <Card
      title={messages.users}
      aside={
        isOwner && (
          <Button size="xs" variant="default" onClick={() => setIsAdding(true)}>
            {messages.addUser}
          </Button>
        )
      }
    >
      {query.error && <ErrorNote error={query.error} retry={() => void query.refetch()} />}
      {query.isPending && <Skeleton height={60} />}
      <ul className={classes.list} aria-label={messages.users}>
        {query.data?.map((user) => <UserRow key={user.id} user={user} isOwner={isOwner} />)}
      </ul>
      <AddUserDialog isOpen={isAdding} onClose={() => setIsAdding(false)} />
    </Card>
  );
}

function UserRow({ user, isOwner }: { user: UserSummary; isOwner: boolean }) {
  const me = useQuery(meQuery).data;
  const client = useQueryClient();
  const [asked, setAsked] = useState<UserAct | null>(null);
  // The own role that was chosen and is less than the present one.
  const [lower, setLower] = useState<{ role: Role | null } | null>(null);
  const change = useMutation({
    mutationFn: (everywhere: Role | null) =>
      changeAccess(user.id, { ...user.access, everywhere }),
    onSettled: () =>
      Promise.all(
        [keys.users, keys.me, keys.projects].map((queryKey) =>
          client.invalidateQueries({ queryKey }),
        ),
      ),
  });
  const choose = (role: Role | null) => {
    const isOwn = user.id === me?.id && !isAtLeast(role, user.access.everywhere ?? 'viewer');
    if (isOwn) setLower({ role });
    else change.mutate(role);
  };
  const projects = Object.entries(user.access.projects ?? {}).map(([project, role]) =>
    messages.inProject(messages.roles[role], project),
  );
  const counts = messages.counts(user.sessions, user.tokens);
  const through = user.by_provider ? [messages.byProvider] : [];
  const about = [...projects, counts, ...through].join(' · ');
  return (
    <li>
      <span className={classes.who}>
        <span className={classes.name}>{user.name}</span>
        {user.id === me?.id && ` (${messages.you})`}
        <p className={classes.dim}>{about}</p>
        {change.error && <ErrorNote error={change.error} />}
      </span>
      <span className={classes.tools}>
        <RoleSelect
          label={messages.roleOf(user.name)}
          isLabelHidden
          none={messages.nowhere}
          value={user.access.everywhere ?? null}
          isDisabled={!isOwner || change.isPending || user.by_provider === true}
          onChange={choose}
        />
        {isOwner && (
          <Menu position="bottom-end">
            <Menu.Target>
              <ActionIcon size={30} aria-label={messages.actions(user.name)}>
                <DotsIcon />
              </ActionIcon>
            </Menu.Target>
            <Menu.Dropdown>
              {!user.by_provider && (
                <Menu.Item onClick={() => setAsked('reset')}>{messages.reset}</Menu.Item>
              )}
              {user.second_factor && (
                <Menu.Item onClick={() => setAsked('factor')}>{messages.removeFactor}</Menu.Item>
              )}
              <Menu.Item color="red" onClick={() => setAsked('remove')}>
                {messages.remove}
              </Menu.Item>
            </Menu.Dropdown>
          </Menu>
        )}
      </span>
      <AskDialog
        title={messages.lowerTitle}
        text={messages.lowerText(
          lower?.role ? messages.roles[lower.role].toLowerCase() : messages.nobody,
        )}
        action={messages.lowerConfirm}
        keep={messages.cancel}
        error={null}
        isPending={false}
        isOpen={lower !== null}
        onAct={() => {
          if (lower) change.mutate(lower.role);
          setLower(null);
        }}
        onClose={() => setLower(null)}
      />
      <UserDialog user={user} act={asked} onClose={() => setAsked(null)} />
    </li>
  );
}
