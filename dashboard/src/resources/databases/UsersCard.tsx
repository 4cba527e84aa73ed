import { ActionIcon, Button, Menu, Modal } from '@mantine/core';
import { useState } from 'react';

import type { ClusterView, DatabaseUserView, DatabaseView } from '../../api/types';
import { Card } from '../../ui/Card';
import { startSentence } from '../../ui/format';
import { DotsIcon } from '../../ui/icons';
import { Status } from '../../ui/Status';
import { useMay } from '../people/may';
import classes from './databases.module.css';
import { messages, rights, states } from './databases.messages';
import { GrantsForm } from './GrantsForm';
import { RotationNote } from './RotationNote';
import { type UserAct, UserDialogs } from './UserDialogs';

interface Props {
  cluster: ClusterView;
  databases: DatabaseView[];
  users: DatabaseUserView[];
}

/** Who may use the databases, the application's user first. */
export function UsersCard({ cluster, databases, users }: Props) {
  const [isAdding, setIsAdding] = useState(false);
  const may = useMay(cluster);
  return (
    <Card
      title={messages.users}
      aside={
        may.operate && (
          <Button size="xs" variant="default" onClick={() => setIsAdding(true)}>
            {messages.addUser}
          </Button>
        )
      }
    >
      <ul className={classes.list} aria-label={messages.users}>
        {users.map((user) => (
          <UserRow key={user.name} cluster={cluster} databases={databases} user={user} />
        ))}
      </ul>
      <Modal
        opened={isAdding}
        onClose={() => setIsAdding(false)}
        title={<strong>{messages.addUserTitle}</strong>}
      >
        <GrantsForm cluster={cluster} databases={databases} onClose={() => setIsAdding(false)} />
      </Modal>
    </Card>
  );
}

interface RowProps {
  cluster: ClusterView;
  databases: DatabaseView[];
  user: DatabaseUserView;
}

function UserRow({ cluster, databases, user }: RowProps) {
  const [act, setAct] = useState<UserAct | null>(null);
  const [ended, setEnded] = useState<number | null>(null);
  const may = useMay(cluster);
  const grants = user.grants.map((grant) => messages.may(rights[grant.rights], grant.on));
  const about = grants.length > 0 ? grants.join(', ') : messages.mayNothing;
  const login = user.login === user.name ? '' : messages.login(user.login);
  const isThere = user.state !== 'dropping';
  return (
    <li>
      <span>
        <span className={classes.name}>{user.name}</span>
        <p className={classes.dim}>{[login, about].filter((words) => words !== '').join(' · ')}</p>
        {user.reason && <p className={classes.dim}>{startSentence(user.reason)}</p>}
      </span>
      <span className={classes.tools}>
        <Status look={states[user.state]} />
        {may.operate && isThere && (
          <Menu position="bottom-end">
            <Menu.Target>
              <ActionIcon size={30} aria-label={messages.actions(user.name)}>
                <DotsIcon />
              </ActionIcon>
            </Menu.Target>
            <Menu.Dropdown>
              <Menu.Item onClick={() => setAct('show')}>{messages.show}</Menu.Item>
              {!user.rotation && (
                <Menu.Item onClick={() => setAct('rotate')}>{messages.rotate}</Menu.Item>
              )}
              {!user.is_first && (
                <>
                  <Menu.Item onClick={() => setAct('change')}>{messages.change}</Menu.Item>
                  <Menu.Item color="red" onClick={() => setAct('drop')}>
                    {messages.drop}
                  </Menu.Item>
                </>
              )}
            </Menu.Dropdown>
          </Menu>
        )}
      </span>
      {user.rotation && (
        <RotationNote
          cluster={cluster}
          name={user.name}
          rotation={user.rotation}
          isReady={user.state === 'in_force'}
          onSessionsEnded={setEnded}
        />
      )}
      {!user.rotation && ended !== null && (
        <p className={classes.ended} role="status">
          {messages.ended(ended)}
        </p>
      )}
      <UserDialogs
        cluster={cluster}
        databases={databases}
        user={user}
        act={act}
        onClose={() => setAct(null)}
      />
    </li>
  );
}
