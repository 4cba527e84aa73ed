import { MutationCache, QueryCache, QueryClient } from '@tanstack/react-query';

import { keys } from '../api/keys';
import { asProblem } from '../api/problem';
import { Stream } from '../api/stream';

/** A session that ended shows the sign-in page, whichever request found out. */
function noticeSignedOut(error: unknown): void {
  if (asProblem(error).code === 'unauthenticated') client.setQueryData(keys.me, null);
}

export const client: QueryClient = new QueryClient({
  queryCache: new QueryCache({
    onError: noticeSignedOut,
  }),
  mutationCache: new MutationCache({ onError: noticeSignedOut }),
  defaultOptions: {
    queries: {
      // Events keep what is shown fresh; asking again on every focus would add nothing.
      staleTime: 60_000,
      refetchOnWindowFocus: false,
      retry: (failures, error) => failures < 2 && asProblem(error).isPassing,
      retryDelay: (failures) => 400 * 2 ** failures,
    },
  },
});

/** The events of the server, for as long as somebody is signed in. */
export const stream = new Stream(client, undefined, () => {
  // An ended session refuses the stream; a server that is away refuses everything.
  void client.invalidateQueries({ queryKey: keys.me });
});
