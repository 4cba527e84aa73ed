import { Button } from '@mantine/core';
import { Link } from '@tanstack/react-router';

import { Card } from '../../ui/Card';
import { PageHead } from '../../ui/PageHead';
import { useTitle } from '../../ui/useTitle';
import { hasSomewhere, useAccess } from '../people/may';
import { RepositoriesCard } from '../repositories/RepositoriesCard';
import { BackupList } from './BackupList';
import { messages } from './backups.messages';
import classes from './backups.module.css';
import { Proofs } from './Proofs';

/** Where backups are kept, and all of them: what a cluster can be made of again. */
export function BackupsPage() {
  useTitle(messages.title);
  const access = useAccess();
  return (
    <>
      <PageHead
        title={messages.title}
        sub={messages.sub}
        actions={
          hasSomewhere(access, 'admin') && (
            <Button
              variant="default"
              renderRoot={(props) => <Link to="/new-cluster" search={{ backup: '' }} {...props} />}
            >
              {messages.restore}
            </Button>
          )
        }
      />
      <div className={classes.stack}>
        <RepositoriesCard />
        <Card title={messages.all} flush>
          <Proofs />
          <BackupList />
        </Card>
      </div>
    </>
  );
}
