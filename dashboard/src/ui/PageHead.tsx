import type { ReactNode } from 'react';

import classes from './PageHead.module.css';

interface Props {
  title: string;
  status?: ReactNode;
  sub?: ReactNode;
  actions?: ReactNode;
}

export function PageHead({ title, status, sub, actions }: Props) {
  return (
    <div className={classes.head}>
      <div className={classes.words}>
        <div className={classes.title}>
          <h1>{title}</h1>
          {status}
        </div>
        {sub && <p className={classes.sub}>{sub}</p>}
      </div>
      {actions && <div className={classes.actions}>{actions}</div>}
    </div>
  );
}
