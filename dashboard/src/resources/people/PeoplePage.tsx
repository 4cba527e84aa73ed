import { Button } from '@mantine/core';
import { Link } from '@tanstack/react-router';

import { useTitle } from '../../ui/useTitle';
import { PageHead } from '../../ui/PageHead';
import { isAtLeast, useAccess } from './may';
import classes from './people.module.css';
import { messages } from './people.messages';
import { ProjectsCard } from './ProjectsCard';
import { UsersCard } from './UsersCard';

/** Who may use the server, and what each may. */
export function PeoplePage() {
  useTitle(messages.title);
  const access = useAccess();
  return (
    <>
      <PageHead
        title={messages.title}
        actions={
          isAtLeast(access?.everywhere, 'admin') && (
            <>
              <Button component={Link} to="/authority" variant="default">
                {messages.authority}
              </Button>
              <Button component={Link} to="/audit" variant="default">
                {messages.audit}
              </Button>
            </>
          )
        }
      />
      <div className={classes.stack}>
        {isAtLeast(access?.everywhere, 'admin') && <UsersCard />}
        <ProjectsCard />
      </div>
    </>
  );
}
