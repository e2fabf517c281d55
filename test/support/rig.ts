import { startCollector, type Collector } from './collector';
import { ids, labels, pipeline, registryDocument, type PipelineFlow, type PipelineOptions } from './flows';
import { startInfluxd, type Influxd, type InfluxdOptions } from './influxd';
import { startMosquitto, type Mosquitto } from './mosquitto';
import {
  packageRoot,
  startNodeRed,
  type Credentials,
  type FlowNode,
  type NodeRed,
  type NodeRedOptions,
} from './node-red';
import { startPublisher, type Publisher } from './publisher';
import { watchStatus } from './status';
import { until } from './until';

export const SECRET = 'a secret of the tests';

export interface RigOptions extends Omit<NodeRedOptions, 'flows' | 'credentials'> {
  pipeline?: Partial<PipelineOptions>;
  influxd?: InfluxdOptions;
  /** Databases to make at once; default: `iot` with the buckets of the registry. */
  databases?: Record<string, Record<string, string>>;
  /** Changes the flow before it is deployed. */
  change?: (flows: FlowNode[]) => FlowNode[];
  /** Other credentials than the pipeline's, by node id. */
  secrets?: Credentials;
  /** Gets the private InfluxDB and gives the URL that the pipeline is to use; default: its own. */
  influxUrl?: (influxd: Influxd) => string | Promise<string>;
}

export interface Status {
  fill?: string;
  shape?: string;
  text?: string;
}

/** The whole chain on loopback: publisher, mosquitto, Node-RED with the pipeline, InfluxDB, and who watches it. */
export interface Rig {
  broker: Mosquitto;
  influxd: Influxd;
  collector: Collector;
  publisher: Publisher;
  nodeRed: NodeRed;
  flow: PipelineFlow;
  /** Waits until the pipeline has subscribed again, after a restart or deploy, since a `broker.mark()`. */
  subscribed(since?: number): Promise<void>;
  /** The last status that a node has shown. */
  status(node: string): Status | undefined;
  /** Waits until a node's status says something. */
  waitForStatus(node: string, pattern: RegExp): Promise<Status>;
}

export const DATABASES = { iot: { raw: '7d', events: '365d' } };

/** Starts the chain and waits until a published message would reach the pipeline. */
export async function startRig(options: RigOptions): Promise<Rig> {
  const {
    pipeline: more,
    influxd: influxdOptions,
    databases = DATABASES,
    influxUrl,
    change,
    secrets,
    ...nodeRedOptions
  } = options;
  const [broker, influxd, collector] = await Promise.all([
    startMosquitto(),
    startInfluxd(influxdOptions),
    startCollector(),
  ]);
  for (const [name, retentionPolicies] of Object.entries(databases)) {
    await influxd.createDatabase(name, retentionPolicies);
  }
  const topic = more?.topic ?? '#';
  const flow = pipeline({
    brokerPort: broker.port,
    influxUrl: influxUrl ? await influxUrl(influxd) : influxd.url,
    collectorPort: collector.port,
    registry: registryDocument,
    secret: SECRET,
    ...more,
  });
  Object.assign(flow.credentials, secrets);
  if (change) flow.flows = change(flow.flows);
  const nodeRed = await startNodeRed({ ...nodeRedOptions, ...flow });
  await broker.waitForSubscription(topic);
  const publisher = await startPublisher(broker.url);

  const status = watchStatus(packageRoot, nodeRed.url);
  return {
    broker,
    influxd,
    collector,
    publisher,
    nodeRed,
    flow,
    subscribed: (since) => broker.waitForSubscription(topic, since),
    status,
    waitForStatus: async (node, pattern) =>
      (await until(
        `the status of ${node} matches ${String(pattern)}`,
        () => status(node),
        (seen) => pattern.test(`${seen?.fill ?? ''} ${seen?.shape ?? ''} ${seen?.text ?? ''}`),
      )) ?? {},
  };
}

export { ids, labels };
