import { Button, Modal, Skeleton } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';

import { dropDatabaseUser, rotateDatabaseUser } from '../../api/databases';
import { keys } from '../../api/keys';
import { revealedQuery } from '../../api/queries';
import type { ClusterView, DatabaseUserView, DatabaseView } from '../../api/types';
import { AskDialog } from '../../ui/Ask';
import { CopyText } from '../../ui/CopyText';
import { ErrorNote } from '../../ui/ErrorNote';
import classes from './databases.module.css';
import { messages } from './databases.messages';
import { GrantsForm } from './GrantsForm';

export type UserAct = 'show' | 'change' | 'rotate' | 'drop';

interface Props {
  cluster: ClusterView;
  databases: DatabaseView[];
  user: DatabaseUserView;
  act: UserAct | null;
  onClose: () => void;
}

/** What can be done to one user, each in a dialog of its own. */
export function UserDialogs({ cluster, databases, user, act, onClose }: Props) {
  const client = useQueryClient();
  const settled = {
    onSuccess: onClose,
    onSettled: () => client.invalidateQueries({ queryKey: keys.databaseUsers(cluster.id) }),
  };
  const rotate = useMutation({
    mutationFn: () => rotateDatabaseUser(cluster.id, user.name),
    ...settled,
  });
  const drop = useMutation({ mutationFn: () => dropDatabaseUser(cluster.id, user.name), ...settled });
  const next = user.login === user.name ? `${user.name}_b` : user.name;
  return (
    <>
      <Modal
        opened={act === 'show'}
        onClose={onClose}
        title={<strong>{messages.showTitle(user.name)}</strong>}
      >
        <Shown cluster={cluster} user={user} onClose={onClose} />
      </Modal>
      <Modal
        opened={act === 'change'}
        onClose={onClose}
        title={<strong>{messages.changeTitle(user.name)}</strong>}
      >
        <GrantsForm cluster={cluster} databases={databases} user={user} onClose={onClose} />
      </Modal>
      <AskDialog
        title={messages.rotateTitle(user.name)}
        text={messages.rotateText(next)}
        action={messages.rotateAction}
        keep={messages.cancel}
        error={rotate.error}
        isPending={rotate.isPending}
        isOpen={act === 'rotate'}
        onAct={() => rotate.mutate()}
        onClose={onClose}
      />
      <AskDialog
        title={messages.dropTitle(user.name)}
        text={messages.dropText}
        action={messages.dropAction}
        keep={messages.cancel}
        error={drop.error}
        isPending={drop.isPending}
        isOpen={act === 'drop'}
        onAct={() => drop.mutate()}
        onClose={onClose}
      />
    </>
  );
}

interface ShownProps {
  cluster: ClusterView;
  user: DatabaseUserView;
  onClose: () => void;
}

/** The password of the login that counts now. Asked for only while it is looked at. */
function Shown({ cluster, user, onClose }: ShownProps) {
  const query = useQuery(revealedQuery(cluster.id, user.name));
  return (
    <div className={classes.form}>
      {query.error && <ErrorNote error={query.error} retry={() => void query.refetch()} />}
      {query.isPending && <Skeleton height={60} />}
      {query.data && (
        <>
          <p className={classes.dim}>{messages.showText(query.data.login)}</p>
          <CopyText
            text={query.data.password ?? ''}
            label={messages.showTitle(user.name)}
          />
        </>
      )}
      <div className={classes.buttons}>
        <Button onClick={onClose}>{messages.close}</Button>
      </div>
    </div>
  );
}
