import type { ReactNode } from 'react';

import classes from './Empty.module.css';

interface Props {
  picture?: ReactNode;
  title: string;
  text: ReactNode;
  action?: ReactNode;
}

/** Nothing is here yet: what would be, and how to get it. */
export function Empty({ picture, title, text, action }: Props) {
  return (
    <div className={classes.empty}>
      {picture}
      <h2 className={classes.title}>{title}</h2>
      <p className={classes.text}>{text}</p>
      {action && <div className={classes.action}>{action}</div>}
    </div>
  );
}
