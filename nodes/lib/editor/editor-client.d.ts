import type { RED as EditorApi } from '@node-red/editor-client';
import type { NodeDef } from 'node-red';
import type { ConfigNodeDefinition, FlowNodeDefinition } from './node-definition';

/** What Node-RED 4.1 and 5 have and the published types do not. */
declare module '@node-red/editor-client' {
  interface NodesRegistry {
    registerNodeType<Config extends NodeDef, Credentials>(
      type: string,
      definition: ConfigNodeDefinition<Config, Credentials> | FlowNodeDefinition<Config>,
    ): void;
  }

  interface Clipboard {
    /** Without an element beside which to say so. */
    copyText(value: string): boolean;
  }
}

declare global {
  /** The editor's API. */
  const RED: EditorApi;
}
