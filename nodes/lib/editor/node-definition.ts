import type { NodeDef } from 'node-red';

/** The options of a node as its dialog edits them: what config.ts declares, without what Node-RED itself adds. */
export type Options<Config extends NodeDef> = Omit<Config, 'id' | 'type' | 'z'>;

/** A node as the editor holds it. */
export type EditorNode<Config extends NodeDef> = Options<Config> & { readonly id: string; readonly type: string };

/**
 * Says whether a value is valid, or why not. Node-RED takes the answer of a validator that declares only one parameter
 * as true or false, so that a message would count as valid: `length` admits only what `validator()` makes.
 */
export interface Validator {
  (this: unknown, value: unknown, options: { label?: string }): true | string;
  readonly length: 2;
}

/** One option of a node: its default and how it is checked. */
export interface Property<Value> {
  value: Value;
  /** May not be empty. */
  required?: boolean;
  /** Type of the config node that the option refers to. */
  type?: string;
  /** Names the option in the list of faults that the workspace shows for a node. */
  label?: string;
  validate?: Validator;
}

/** A secret, kept apart from the flow; a `password` never returns to the editor. */
export interface Credential {
  type: 'text' | 'password';
  label?: string;
  required?: boolean;
  validate?: Validator;
}

/** Every option and every credential of config.ts has to be there: the editor would lose one that is not. */
interface Dialog<Config extends NodeDef, Credentials> {
  defaults: { [Name in keyof Options<Config>]-?: Property<Options<Config>[Name]> };
  credentials?: { [Name in keyof Credentials]-?: Credential };
  icon: string;
  paletteLabel: () => string;
  label: (this: EditorNode<Config>) => string;
  labelStyle: (this: EditorNode<Config>) => string;
  oneditprepare?: (this: EditorNode<Config>) => void;
  oneditsave?: (this: EditorNode<Config>) => void;
  oneditcancel?: (this: EditorNode<Config>) => void;
  oneditdelete?: (this: EditorNode<Config>) => void;
  oneditresize?: (this: EditorNode<Config>, size: { width: number; height: number }) => void;
}

/** A config node's half in the editor. */
export interface ConfigNodeDefinition<Config extends NodeDef, Credentials = unknown> extends Dialog<
  Config,
  Credentials
> {
  category: 'config';
}

/** The half in the editor of a node that can be placed in a flow. */
export interface FlowNodeDefinition<Config extends NodeDef> extends Dialog<Config, unknown> {
  category: 'mqtt2influx';
  /** Tooltip of the category in the palette. */
  categoryDescription: string;
  color: string;
  icon: string;
  inputs: 0 | 1;
  outputs: number;
  outputLabels: (index: number) => string | undefined;
}
