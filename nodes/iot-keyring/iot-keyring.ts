import type { Node, NodeAPI } from 'node-red';
import { PackError, reasonOf } from '../lib/errors';
import { Listeners, configNode } from '../lib/runtime/config-nodes';
import { EndpointError, addJsonEndpoint, secretMember, textMember } from '../lib/runtime/endpoint';
import { variableIn } from '../lib/runtime/environment';
import { inUserDirectory } from '../lib/runtime/user-directory';
import { WatchedFile } from '../lib/runtime/watched-file';
import type { IotKeyringConfig, IotKeyringCredentials, KeyMode, SecretEncoding } from './config';
import { Keyring, parseDeviceKeyFile, type KeySource } from './keyring';

/** What other nodes see of the keyring. */
export interface IotKeyringNode extends Node<IotKeyringCredentials> {
  /** The keys in force; undefined until there are any. */
  keyring: Keyring | undefined;
  /** What is wrong with the newest keys, if anything; earlier ones may still be in force. */
  problem: string | undefined;
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
    this.changed = new Listeners();
    const credentials = this.credentials as IotKeyringCredentials | undefined;

    // Core leaves the name of a variable that is not set, which anybody could make keys from.
    const secretIn = (name: keyof IotKeyringCredentials): string | undefined => {
      const secret = credentials?.[name];
      const variable = variableIn(secret ?? '');
      if (variable !== undefined) throw new Error(RED._('iot-keyring.error.no-variable', { variable }));
      return secret;
    };
    const use = (deviceKeys?: Map<string, string | null>) => {
      try {
        this.keyring = new Keyring({
          mode: config.mode,
          encoding: config.encoding,
          ...optional('secret', secretIn('secret')),
          ...optional('previousSecret', secretIn('previousSecret')),
          ...optional('previousUntil', moment(config.previousUntil)),
          ...optional('deviceKeys', deviceKeys),
        });
        this.problem = undefined;
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
      else refuse(RED._('iot-keyring.error.no-secret'));
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
    this.on('close', (done: () => void) => {
      file.close();
      done();
    });
  }

  RED.nodes.registerType('iot-keyring', IotKeyring as unknown as (this: Node, config: IotKeyringConfig) => void, {
    credentials: { secret: { type: 'password' }, previousSecret: { type: 'password' } },
  });

  // The answer opens a device, so it takes the permission to change keyrings, not just to read flows.
  addJsonEndpoint(RED, 'iot-keyring/device-key', 'iot-keyring.write', (body) => {
    const deployed = configNode(RED, textMember(body, 'id'), 'iot-keyring') as IotKeyringNode | undefined;
    const device = textMember(body, 'device');
    const secret = secretMember(RED, body, 'secret', deployed);
    if (device === '') throw new EndpointError('no-device', RED._('iot-keyring.error.no-device'));
    if (secret === undefined) throw new EndpointError('no-secret', RED._('iot-keyring.error.no-secret'));
    try {
      const keyring = new Keyring({
        mode: textMember(body, 'mode') as KeyMode,
        encoding: textMember(body, 'encoding') as SecretEncoding,
        secret,
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
