import { request } from './http';
import type { UserView } from './types';

export const getMe = (signal?: AbortSignal) => request<UserView>('GET', '/v1/me', { signal });

/** The answer's token is for programs; the browser keeps the cookie that comes with it. */
export const signIn = (user: string, password: string) =>
  request<{ user: UserView }>('POST', '/v1/sessions', { body: { user, password } });

export const signOut = () => request<void>('DELETE', '/v1/sessions/current');

export const changePassword = (current: string, next: string) =>
  request<void>('PUT', '/v1/me/password', { body: { current, new: next } });
