import {
  deleteV1ProjectsByProject,
  deleteV1ProjectsByProjectMembersByUser,
  deleteV1SessionsById,
  deleteV1TokensById,
  deleteV1UsersByUser,
  deleteV1UsersByUserSecondFactor,
  getV1Projects,
  getV1Sessions,
  getV1Tokens,
  getV1Users,
  patchV1UsersByUser,
  postV1Projects,
  postV1Tokens,
  postV1Users,
  postV1UsersByUserPassword,
  putV1ProjectsByProjectMembersByUser,
} from './generated/sdk.gen';
import { body } from './http';
import type { Access, Role, Scope } from './types';

export const listUsers = (signal?: AbortSignal) => body(getV1Users({ signal }));

export const createUser = (name: string, access: Access) =>
  body(postV1Users({ body: { name, access } }));

export const changeAccess = (user: string, access: Access) =>
  body(patchV1UsersByUser({ path: { user }, body: { access } }));

export const resetPassword = (user: string) => body(postV1UsersByUserPassword({ path: { user } }));

export const removeSecondFactor = (user: string) =>
  body(deleteV1UsersByUserSecondFactor({ path: { user } }));

export const deleteUser = (user: string) => body(deleteV1UsersByUser({ path: { user } }));

export const listProjects = (signal?: AbortSignal) => body(getV1Projects({ signal }));

export const createProject = (name: string) => body(postV1Projects({ body: { name } }));

export const deleteProject = (project: string) =>
  body(deleteV1ProjectsByProject({ path: { project } }));

export const setMember = (project: string, user: string, role: Role) =>
  body(putV1ProjectsByProjectMembersByUser({ path: { project, user }, body: { role } }));

export const removeMember = (project: string, user: string) =>
  body(deleteV1ProjectsByProjectMembersByUser({ path: { project, user } }));

export const listSessions = (signal?: AbortSignal) => body(getV1Sessions({ signal }));

export const endSession = (id: string) => body(deleteV1SessionsById({ path: { id } }));

export const listTokens = (signal?: AbortSignal) => body(getV1Tokens({ signal }));

export const createToken = (name: string, days: number | null, scope: Scope) =>
  body(postV1Tokens({ body: { name, days, scope } }));

export const deleteToken = (id: string) => body(deleteV1TokensById({ path: { id } }));
