import type { ConnectOptions } from './server';

/** Where data is, for people to read: the same for all who write to the same databases, and different for others. */
export function placeOf({ version, url, database = '', organization = '' }: ConnectOptions): string {
  const { origin, pathname } = new URL(url.trim());
  const server = `${origin}${pathname.replace(/\/+$/, '')}`;
  switch (version) {
    case '1':
      return `${server}, database ${database}`;
    case '2':
      return `${server}, organization ${organization}`;
    case '3':
      return server;
  }
}
