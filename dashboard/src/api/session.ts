import {
  deleteV1SessionsCurrent,
  getV1Me,
  postV1Sessions,
  putV1MePassword,
} from './generated/sdk.gen';
import { body } from './http';

export const getMe = (signal?: AbortSignal) => body(getV1Me({ signal }));

/** The answer's token is for programs; the browser keeps the cookie that comes with it. */
export const signIn = (user: string, password: string) =>
  body(postV1Sessions({ body: { user, password } }));

export const signOut = () => body(deleteV1SessionsCurrent());

export const changePassword = (current: string, next: string) =>
  body(putV1MePassword({ body: { current, new: next } }));
