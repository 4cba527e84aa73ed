const statuses = {
  'bad-request': 400,
  unauthenticated: 401,
  'wrong-password': 401,
  'not-found': 404,
  'name-taken': 409,
  'operation-refused': 409,
  'invalid-field': 422,
};

/** Something to throw: the server answers it as a problem document. */
export function problem(code, detail, more = {}) {
  const body = {
    type: `/docs/errors/${code}`,
    status: statuses[code] ?? 500,
    code,
    title: code.replaceAll('-', ' '),
    detail,
    request_id: 'pretended',
    ...more,
  };
  return Object.assign(new Error(detail), { body });
}
