import type { FieldProblem, ProblemBody } from './types';

/** What the server answered when it did not do what was asked, or that it did not answer. */
export class Problem extends Error {
  readonly body: ProblemBody;

  constructor(body: ProblemBody) {
    super(body.detail || body.title);
    this.name = 'Problem';
    this.body = body;
  }

  get code(): string {
    return this.body.code;
  }

  get fields(): FieldProblem[] {
    return this.body.fields ?? [];
  }

  /** Whether asking again may help: nobody answered, or the server was in trouble. */
  get isPassing(): boolean {
    return this.body.status === 0 || this.body.status >= 500 || this.body.status === 429;
  }
}

/** Nobody answered: the server is down or the network is. */
export function unreachable(): Problem {
  return new Problem({
    status: 0,
    code: 'unreachable',
    title: 'The server does not answer',
    detail: 'The server does not answer.',
    hint: 'Databases go on without it. Check that it runs, then try again.',
  });
}

/** Reads an answer that is no success; one that is no problem document is described by its status. */
export function toProblem(status: number, body: unknown): Problem {
  if (isProblemBody(body)) return new Problem({ ...body, status });
  return new Problem({
    status,
    code: 'unexpected',
    title: 'An answer that was not understood',
    detail: `The server answered with status ${status} and no explanation.`,
    hint: 'Is there a proxy between you and the server? The server’s log has more.',
  });
}

function isProblemBody(body: unknown): body is ProblemBody {
  return (
    typeof body === 'object' &&
    body !== null &&
    typeof (body as ProblemBody).code === 'string' &&
    typeof (body as ProblemBody).title === 'string'
  );
}

/** Anything thrown, as a problem. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  return new Problem({
    status: -1,
    code: 'dashboard',
    title: 'The dashboard stumbled',
    detail: error instanceof Error ? error.message : String(error),
    hint: 'Reload the page. If it happens again, it is a fault of the dashboard.',
  });
}
