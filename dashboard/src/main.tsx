import '@mantine/core/styles.css';
import './app/app.css';

import { MantineProvider } from '@mantine/core';
import { QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';

import { keys } from './api/keys';
import { client } from './app/client';
import { router } from './app/router';
import { theme } from './app/theme';

// A session that ended elsewhere: whoever notices writes it to the cache, the router acts on it.
client.getQueryCache().subscribe((event) => {
  const isMe = event.query.queryKey[0] === keys.me[0];
  if (isMe && event.type === 'updated' && event.query.state.data === null) {
    void router.invalidate();
  }
});

const page = document.getElementById('root');
if (page) {
  createRoot(page).render(
    <StrictMode>
      <MantineProvider theme={theme} defaultColorScheme="auto">
        <QueryClientProvider client={client}>
          <RouterProvider router={router} />
        </QueryClientProvider>
      </MantineProvider>
    </StrictMode>,
  );
}
