import {
  deleteV1SessionsCurrent,
  getV1Me,
  postV1MeSecondFactor,
  postV1MeSecondFactorEnd,
  postV1Sessions,
  putV1MePassword,
  putV1MeSecondFactor,
} from './generated/sdk.gen';
import { body } from './http';

export const getMe = (signal?: AbortSignal) => body(getV1Me({ signal }));

/** The answer's token is for programs; the browser keeps the cookie that comes with it. */
export const signIn = (user: string, password: string, code: string) =>
  body(postV1Sessions({ body: { user, password, ...(code !== '' && { code }) } }));

export const beginSecondFactor = (password: string) =>
  body(postV1MeSecondFactor({ body: { password } }));

export const confirmSecondFactor = (code: string) => body(putV1MeSecondFactor({ body: { code } }));

export const endSecondFactor = (password: string) =>
  body(postV1MeSecondFactorEnd({ body: { password } }));

export const signOut = () => body(deleteV1SessionsCurrent());

export const changePassword = (current: string, next: string) =>
  body(putV1MePassword({ body: { current, new: next } }));
