import { createRootRoute, createRoute, createRouter, Outlet, redirect } from '@tanstack/react-router';

import { asProblem } from '../api/problem';
import { meQuery } from '../api/queries';
import { AuditPage } from '../resources/audit/AuditPage';
import { AuthorityPage } from '../resources/authority/AuthorityPage';
import { BackupsPage } from '../resources/backups/BackupsPage';
import { ClusterPage } from '../resources/clusters/ClusterPage';
import { ClustersPage } from '../resources/clusters/ClustersPage';
import { CreatePage } from '../resources/clusters/create/CreatePage';
import { ActivityPage } from '../resources/operations/ActivityPage';
import { PeoplePage } from '../resources/people/PeoplePage';
import { PasswordPage } from '../resources/session/PasswordPage';
import { ReturnPage } from '../resources/session/ReturnPage';
import { SessionsPage } from '../resources/session/SessionsPage';
import { SignInPage } from '../resources/session/SignInPage';
import { client } from './client';
import { NotFound, PageError, PagePending } from './Fallbacks';
import { Shell } from './Shell';

// Every page comes with the first: one asked for later could be gone after an upgrade of the server,
// and a browser remembers for good that a module could not be loaded, as when a network appears on
// its machine at that moment (https://github.com/whatwg/html/issues/6768).
const root = createRootRoute({ component: Outlet, errorComponent: PageError });

const signIn = createRoute({
  getParentRoute: () => root,
  path: '/sign-in',
  validateSearch: (search): { next?: string } =>
    // Only a path of this site may be gone to after signing in.
    typeof search.next === 'string' && /^\/(?!\/)/.test(search.next) ? { next: search.next } : {},
  component: SignInPage,
});

const signInReturn = createRoute({
  getParentRoute: () => root,
  path: '/sign-in/return',
  component: ReturnPage,
});

const shell = createRoute({
  getParentRoute: () => root,
  id: 'shell',
  beforeLoad: async ({ location }) => {
    const toSignIn = () => redirect({ to: '/sign-in', search: { next: location.href } });
    let me: unknown;
    try {
      me = await client.ensureQueryData(meQuery);
    } catch (error) {
      if (asProblem(error).code === 'unauthenticated') throw toSignIn();
      throw error;
    }
    if (!me) throw toSignIn();
  },
  component: Shell,
  errorComponent: PageError,
  notFoundComponent: NotFound,
});

const index = createRoute({
  getParentRoute: () => shell,
  path: '/',
  beforeLoad: () => {
    throw redirect({ to: '/clusters', replace: true });
  },
});

const clusters = createRoute({
  getParentRoute: () => shell,
  path: '/clusters',
  component: ClustersPage,
});

const newCluster = createRoute({
  getParentRoute: () => shell,
  path: '/new-cluster',
  // With a backup the new cluster begins with what is in it; an empty one is to be chosen.
  validateSearch: (search): { step?: string; backup?: string } => ({
    ...(typeof search.step === 'string' && { step: search.step }),
    ...(typeof search.backup === 'string' && { backup: search.backup }),
  }),
  component: CreatePage,
});

const tabs = [
  'overview',
  'nodes',
  'databases',
  'access',
  'backups',
  'activity',
  'settings',
] as const;
export type ClusterTab = (typeof tabs)[number];

const cluster = createRoute({
  getParentRoute: () => shell,
  path: '/clusters/$name',
  validateSearch: (search): { tab?: ClusterTab; operation?: string } => ({
    ...(tabs.includes(search.tab as ClusterTab) && { tab: search.tab as ClusterTab }),
    ...(typeof search.operation === 'string' && { operation: search.operation }),
  }),
  component: ClusterPage,
});

const activity = createRoute({
  getParentRoute: () => shell,
  path: '/activity',
  component: ActivityPage,
});

const backups = createRoute({
  getParentRoute: () => shell,
  path: '/backups',
  component: BackupsPage,
});

const password = createRoute({
  getParentRoute: () => shell,
  path: '/account/password',
  component: PasswordPage,
});

const sessions = createRoute({
  getParentRoute: () => shell,
  path: '/account/sessions',
  component: SessionsPage,
});

const people = createRoute({
  getParentRoute: () => shell,
  path: '/people',
  component: PeoplePage,
});

const audit = createRoute({
  getParentRoute: () => shell,
  path: '/audit',
  component: AuditPage,
});

const authority = createRoute({
  getParentRoute: () => shell,
  path: '/authority',
  component: AuthorityPage,
});

const anything = createRoute({
  getParentRoute: () => shell,
  path: '$',
  component: NotFound,
});

export const router = createRouter({
  routeTree: root.addChildren([
    signIn,
    signInReturn,
    shell.addChildren([
      index,
      clusters,
      newCluster,
      cluster,
      backups,
      activity,
      password,
      sessions,
      people,
      audit,
      authority,
      anything,
    ]),
  ]),
  defaultPendingComponent: PagePending,
  defaultErrorComponent: PageError,
  scrollRestoration: true,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
