import type { Node, NodeAPI } from 'node-red';
import { PackError, reasonOf } from '../lib/errors';
import { Listeners, configNode } from '../lib/runtime/config-nodes';
import { deployGate } from '../lib/runtime/deploy-gate';
import { secretMember } from '../lib/runtime/deployed';
import { EndpointError, addJsonEndpoint, textMember } from '../lib/runtime/endpoint';
import { variableIn } from '../lib/runtime/environment';
import { inUserDirectory } from '../lib/runtime/user-directory';
import { WatchedFile } from '../lib/runtime/watched-file';
import { withoutFinalLineBreak } from '../lib/secret-text';
import { isEncoding, type IotKeyringConfig, type IotKeyringCredentials } from './config';
import { addKeyFileEndpoint } from './key-file-endpoint';
import { Keyring, parseDeviceKeyFile, type KeySource } from './keyring';
import { weakDevices, weaknessOf, type Weakness } from './weakness';

/** What other nodes see of the keyring. */
export interface IotKeyringNode extends Node<IotKeyringCredentials> {
  /** The keys in force; undefined until there are any. */
  keyring: Keyring | undefined;
  /** What is wrong with the newest keys, if anything; earlier ones may still be in force. */
  problem: string | undefined;
  /** Why the keys in force protect little, if so. */
  weakness: Weakness | 'devices' | undefined;
  /** How the deployed secret is used. */
  use: Pick<IotKeyringConfig, 'mode' | 'encoding'>;
  changed: Listeners;
}

/** The keys of a keyring node; throws a {@link PackError} while there are none. */
export function keysInForce(node: IotKeyringNode): Keyring {
  if (node.keyring) return node.keyring;
  throw new PackError('keyring-unavailable', node.problem ?? 'the device-key file has not been read yet');
}

/** The keys of a keyring node, whatever they are at the time. Its methods throw a {@link PackError} while there are none. */
export function keySource(node: IotKeyringNode): Required<KeySource> {
  return {
    keysFor: (device) => keysInForce(node).keysFor(device),
    keep: (device, keys) => keysInForce(node).keep(device, keys),
  };
}

export default function register(RED: NodeAPI): void {
  function IotKeyring(this: IotKeyringNode, config: IotKeyringConfig) {
    RED.nodes.createNode(this, config);
    this.keyring = undefined;
    this.problem = undefined;
    this.weakness = undefined;
    this.use = { mode: config.mode, encoding: config.encoding };
    this.changed = new Listeners();
    const credentials = this.credentials as IotKeyringCredentials | undefined;

    // Core leaves the name of a variable that is not set, which anybody could make keys from.
    const secretIn = (name: keyof IotKeyringCredentials): string | undefined => {
      const secret = credentials?.[name];
      const variable = variableIn(secret ?? '');
      if (variable !== undefined) throw new Error(RED._('iot-keyring.error.no-variable', { variable }));
      const meant = secret && withoutFinalLineBreak(secret);
      if (meant !== secret) this.warn(RED._('iot-keyring.log.line-break'));
      return meant;
    };
    const tellWeakness = (secret: string | undefined, deviceKeys: ReadonlyMap<string, string | null>) => {
      const count = weakDevices(deviceKeys.values(), config.encoding);
      this.weakness = (secret && weaknessOf(secret, config.encoding)) || (count > 0 ? 'devices' : undefined);
      if (this.weakness) this.warn(RED._(`iot-keyring.weak.${this.weakness}`, { count }));
    };
    const use = (deviceKeys?: Map<string, string | null>) => {
      try {
        const secret = secretIn('secret');
        this.keyring = new Keyring({
          mode: config.mode,
          encoding: config.encoding,
          ...optional('secret', secret),
          ...optional('previousSecret', secretIn('previousSecret')),
          ...optional('previousUntil', moment(config.previousUntil)),
          ...optional('deviceKeys', deviceKeys),
        });
        this.problem = undefined;
        tellWeakness(secret, deviceKeys ?? new Map<string, string | null>());
      } catch (error) {
        refuse(reasonOf(error));
        return;
      }
      this.changed.notify();
    };
    const refuse = (problem: string) => {
      this.problem = problem;
      this.error(this.keyring ? `${problem}; the keys in force are kept` : problem);
      this.changed.notify();
    };

    if (!config.file) {
      if (credentials?.secret) use();
      else refuse(RED._('iot-keyring.error.none-deployed'));
      return;
    }
    const path = inUserDirectory(RED, config.file);
    const file = new WatchedFile(
      path,
      (text) => {
        let deviceKeys: Map<string, string | null>;
        try {
          deviceKeys = parseDeviceKeyFile(text, config.encoding);
        } catch (error) {
          refuse(RED._('iot-keyring.error.file-faults', { path, reason: reasonOf(error) }));
          return;
        }
        use(deviceKeys);
      },
      (error) => refuse(RED._('iot-keyring.error.unreadable', { path, reason: reasonOf(error) })),
    );
    // Without its file nobody knows who is revoked: until it has been read, no device has a key.
    deployGate(RED).waitFor(file.first);
    this.on('close', (done: () => void) => {
      file.close();
      done();
    });
  }

  RED.nodes.registerType('iot-keyring', IotKeyring as unknown as (this: Node, config: IotKeyringConfig) => void, {
    credentials: { secret: { type: 'password' }, previousSecret: { type: 'password' } },
  });

  addKeyFileEndpoint(RED);

  // The answer opens a device, so it takes the permission to change keyrings, not just to read flows.
  addJsonEndpoint(RED, 'iot-keyring/device-key', 'iot-keyring.write', (body) => {
    const deployed = configNode(RED, textMember(body, 'id'), 'iot-keyring') as IotKeyringNode | undefined;
    const device = textMember(body, 'device');
    const encoding = textMember(body, 'encoding');
    const isAsDeployed = deployed?.use.mode === 'master' && deployed.use.encoding === encoding;
    // The key of a device under a shared secret would be that secret itself.
    if (textMember(body, 'mode') !== 'master') throw new EndpointError('invalid-mode', RED._('iot-keyring.error.mode'));
    if (!isEncoding(encoding)) throw new EndpointError('invalid-encoding', RED._('iot-keyring.error.encoding'));
    const secret = secretMember(RED, body, 'secret', deployed, isAsDeployed);
    if (device === '') throw new EndpointError('no-device', RED._('iot-keyring.error.no-device'));
    if (secret === undefined) throw new EndpointError('no-secret', RED._('iot-keyring.error.no-secret'));
    try {
      const keyring = new Keyring({
        mode: 'master',
        encoding,
        secret: withoutFinalLineBreak(secret),
      });
      return { key: keyring.keyOf(device) };
    } catch (error) {
      throw new EndpointError('invalid-secret', reasonOf(error));
    }
  });
}

/** A mistyped end must not leave the previous secret valid for ever, so it is a fault. */
function moment(text: string): number | undefined {
  if (!text) return undefined;
  const milliseconds = Date.parse(text);
  if (Number.isNaN(milliseconds)) throw new Error(`The previous secret's end is no moment: ${text}`);
  return milliseconds;
}

/** A member for an object literal, or nothing where there is no value. */
function optional<K extends string, V>(name: K, value: V | undefined): Partial<Record<K, V>> {
  return value === undefined || value === '' ? {} : ({ [name]: value } as Record<K, V>);
}
