import type { Node, NodeAPI } from 'node-red';
import { reasonOf } from '../lib/errors';
import { connect } from '../lib/influx/connect';
import { placeOf } from '../lib/influx/place';
import type { ConnectOptions, InfluxServer } from '../lib/influx/server';
import { configNode } from '../lib/runtime/config-nodes';
import { deployedOptions, optionMember, secretMember } from '../lib/runtime/deployed';
import { EndpointError, addJsonEndpoint, textMember } from '../lib/runtime/endpoint';
import { addCollector, serveMetrics } from '../lib/runtime/metrics';
import { MinuteLog } from '../lib/runtime/minute-log';
import { storeDirectory } from '../lib/runtime/store-directory';
import { tlsOptionsOf } from '../lib/runtime/tls-options';
import { withoutFinalLineBreak } from '../lib/secret-text';
import {
  DEFAULT_QUEUE_LIMIT,
  DEFAULT_TIMEOUT,
  type InfluxServerConfig,
  type InfluxServerCredentials,
  type ServerVersion,
} from './config';
import { useDelivery, type DeliveryUse } from './deliveries';
import type { Delivery, Report } from './delivery';
import { serveQueues } from './queue-endpoints';
import { queueMetrics } from './queue-metrics';

const MEGABYTE = 1_000_000;

/** What other nodes see of the server. */
export interface InfluxServerNode extends Node<InfluxServerCredentials> {
  /** The durable way there, shared with all nodes of the same place; undefined when the settings can never work. */
  delivery: Delivery | undefined;
  /** The InfluxDB itself, for reading and managing it by this node's settings; points go there by the queue. */
  connection: InfluxServer | undefined;
  /** Where its data is; empty when the settings can never work. */
  place: string;
  /** Its options, with the values of environment variables. */
  use: InfluxServerConfig;
}

/** What the deployed credentials are sent to, and how well it is known to be the right one. */
const BINDING = ['url', 'serverVersion', 'tls'] as const;

/** Settings of the connection, from the deployed node or from the dialog. */
type ConnectionSettings = Pick<
  InfluxServerConfig,
  'url' | 'serverVersion' | 'organization' | 'database' | 'tls' | 'timeout'
>;

export default function register(RED: NodeAPI): void {
  function InfluxServer(this: InfluxServerNode, config: InfluxServerConfig) {
    RED.nodes.createNode(this, config);
    const log = new MinuteLog((text) => this.warn(text));
    const report: Report = (level, name, values, about = '') => {
      const text = RED._(`influx-server.report.${name}`, values);
      if (level === 'log') this.log(text);
      else log.say(`${name} ${about}`, text);
    };
    this.place = '';
    this.use = config;
    let use: DeliveryUse;
    try {
      const options = connectionOptions(config, this.credentials);
      const connection = connect(options);
      this.place = placeOf(options);
      const limitBytes = (Number(config.queueLimit) || DEFAULT_QUEUE_LIMIT) * MEGABYTE;
      use = useDelivery(storeDirectory(RED), this.place, { server: this.id, limitBytes, connection, report });
      this.connection = connection;
      this.delivery = use.delivery;
    } catch (error) {
      this.error(reasonOf(error));
      return;
    }
    const nodesStarted = (): void => use.delivery.nodesStarted();
    RED.events.on('flows:started', nodesStarted);
    const stopCollecting = addCollector(() => (use.delivery.server === this.id ? queueMetrics(use.delivery) : []));
    this.on('close', (done: () => void) => {
      RED.events.removeListener('flows:started', nodesStarted);
      void use.leave().finally(() => {
        stopCollecting();
        log.close();
        done();
      });
    });
  }

  RED.nodes.registerType('influx-server', InfluxServer as (this: Node, config: InfluxServerConfig) => void, {
    credentials: { token: { type: 'password' }, username: { type: 'text' }, password: { type: 'password' } },
    settings: { influxServerStore: { value: '', exportable: false } },
  });
  serveMetrics(RED);
  serveQueues(RED);

  addJsonEndpoint(RED, 'influx-server/test', 'influx-server.write', async (body) => {
    const deployed = configNode(RED, textMember(body, 'id'), 'influx-server') as InfluxServerNode | undefined;
    const written = deployed && deployedOptions(RED, deployed.id);
    // Whoever may test a connection must not have the deployed password sent to a server of their own.
    const isAsDeployed = BINDING.every((name) => written && (written[name] ?? '') === textMember(body, name));
    const secret = (name: 'token' | 'username' | 'password') => secretMember(RED, body, name, deployed, isAsDeployed);
    const option = (name: 'url' | 'organization' | 'database') =>
      optionMember(body, name, written, deployed?.use as unknown as Record<string, unknown> | undefined);
    let connection;
    try {
      connection = connect(
        connectionOptions(
          {
            url: option('url'),
            serverVersion: textMember(body, 'serverVersion') as ServerVersion,
            organization: option('organization'),
            database: option('database'),
            tls: textMember(body, 'tls'),
            timeout: textMember(body, 'timeout'),
          },
          {
            ...withText('token', secret('token')),
            ...withText('username', secret('username')),
            ...withText('password', secret('password')),
          },
        ),
      );
    } catch (error) {
      if (error instanceof EndpointError) throw error;
      throw new EndpointError('invalid-settings', reasonOf(error));
    }
    try {
      return await connection.test();
    } finally {
      connection.close();
    }
  });

  function connectionOptions(
    settings: ConnectionSettings,
    credentials: InfluxServerCredentials | undefined,
  ): ConnectOptions {
    const tls = tlsOptionsOf(RED, settings.tls);
    return {
      version: settings.serverVersion,
      url: settings.url,
      timeout: (Number(settings.timeout) || DEFAULT_TIMEOUT) * 1000,
      ...withText('organization', settings.organization),
      ...withText('database', settings.database),
      ...withText('token', credentials?.token && withoutFinalLineBreak(credentials.token)),
      ...withText('username', credentials?.username),
      ...withText('password', credentials?.password && withoutFinalLineBreak(credentials.password)),
      ...(tls && { tls }),
    };
  }
}

/** A member for an object literal, or nothing where the text is empty. */
function withText<K extends string>(name: K, text: string | undefined): Partial<Record<K, string>> {
  return text === undefined || text === '' ? {} : ({ [name]: text } as Record<K, string>);
}
