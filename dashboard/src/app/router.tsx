import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  redirect,
} from '@tanstack/react-router';

import { asProblem } from '../api/problem';
import { meQuery } from '../api/queries';
import { ClustersPage } from '../resources/clusters/ClustersPage';
import { SignInPage } from '../resources/session/SignInPage';
import { client } from './client';
import { NotFound, PageError, PagePending } from './Fallbacks';
import { Shell } from './Shell';

const root = createRootRoute({ component: Outlet, errorComponent: PageError });

const signIn = createRoute({
  getParentRoute: () => root,
  path: '/sign-in',
  validateSearch: (search): { next?: string } =>
    // Only a path of this site may be gone to after signing in.
    typeof search.next === 'string' && /^\/(?!\/)/.test(search.next) ? { next: search.next } : {},
  component: SignInPage,
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
  component: lazyRouteComponent(
    () => import('../resources/clusters/create/CreatePage'),
    'CreatePage',
  ),
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
  component: lazyRouteComponent(() => import('../resources/clusters/ClusterPage'), 'ClusterPage'),
});

const activity = createRoute({
  getParentRoute: () => shell,
  path: '/activity',
  component: lazyRouteComponent(
    () => import('../resources/operations/ActivityPage'),
    'ActivityPage',
  ),
});

const backups = createRoute({
  getParentRoute: () => shell,
  path: '/backups',
  component: lazyRouteComponent(() => import('../resources/backups/BackupsPage'), 'BackupsPage'),
});

const password = createRoute({
  getParentRoute: () => shell,
  path: '/account/password',
  component: lazyRouteComponent(() => import('../resources/session/PasswordPage'), 'PasswordPage'),
});

const sessions = createRoute({
  getParentRoute: () => shell,
  path: '/account/sessions',
  component: lazyRouteComponent(() => import('../resources/session/SessionsPage'), 'SessionsPage'),
});

const people = createRoute({
  getParentRoute: () => shell,
  path: '/people',
  component: lazyRouteComponent(() => import('../resources/people/PeoplePage'), 'PeoplePage'),
});

const audit = createRoute({
  getParentRoute: () => shell,
  path: '/audit',
  component: lazyRouteComponent(() => import('../resources/audit/AuditPage'), 'AuditPage'),
});

const anything = createRoute({
  getParentRoute: () => shell,
  path: '$',
  component: NotFound,
});

export const router = createRouter({
  routeTree: root.addChildren([
    signIn,
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
      anything,
    ]),
  ]),
  defaultPreload: 'intent',
  defaultPendingComponent: PagePending,
  defaultErrorComponent: PageError,
  scrollRestoration: true,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
