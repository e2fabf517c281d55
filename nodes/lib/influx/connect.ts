import { connect1 } from './influx1';
import { connect2 } from './influx2';
import { connect3 } from './influx3';
import type { ConnectOptions, InfluxServer } from './server';

/**
 * Prepares the connection to a server; nothing is sent yet.
 *
 * @throws PackError `not-configured` for options that can never work, saying which.
 */
export function connect(options: ConnectOptions): InfluxServer {
  switch (options.version) {
    case '1':
      return connect1(options);
    case '2':
      return connect2(options);
    case '3':
      return connect3(options);
  }
}
