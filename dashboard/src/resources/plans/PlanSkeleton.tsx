import { Skeleton } from '@mantine/core';

export function PlanSkeleton() {
  return (
    <div style={{ display: 'grid', gap: 12 }} aria-busy="true">
      <Skeleton height={14} width="85%" />
      <Skeleton height={14} width="60%" />
      <Skeleton height={90} />
    </div>
  );
}
