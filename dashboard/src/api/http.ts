// How the generated client speaks to this server: with the session's cookie and the header that other
// sites cannot set, and with one kind of error for everything that goes wrong.

import { learnServerTime } from './clock';
import { client } from './generated/client.gen';
import { toProblem, unreachable } from './problem';

client.setConfig({
  baseUrl: '',
  credentials: 'same-origin',
  // Another site's page cannot set this header: a cookie alone changes nothing.
  headers: { 'X-Bellwether': '1' },
});

client.interceptors.response.use((response) => {
  learnServerTime(response.headers.get('date'));
  return response;
});

client.interceptors.error.use((error, response: Response | undefined, request) => {
  if (response) return toProblem(response.status, error);
  // Whoever gave up waiting does not want to hear of it.
  return request.signal.aborted ? error : unreachable();
});

/** The body of an answer; everything else was thrown. */
export async function body<T>(answer: Promise<{ data: T }>): Promise<T> {
  return (await answer).data;
}
