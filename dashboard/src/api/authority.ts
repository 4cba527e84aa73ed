import {
  getV1Authority,
  postV1AuthorityRotation,
  postV1AuthorityRotationCancel,
  postV1AuthorityRotationEnd,
} from './generated/sdk.gen';
import { body } from './http';

export const showAuthority = (signal?: AbortSignal) => body(getV1Authority({ signal }));

export const rotateAuthority = () => body(postV1AuthorityRotation());

export const cancelAuthorityRotation = () => body(postV1AuthorityRotationCancel());

export const endAuthorityRotation = () => body(postV1AuthorityRotationEnd());
