/** Catalogues are named after the module and the set of nodes they belong to. */
const MODULE = 'node-red-contrib-mqtt2influx';

/**
 * A text of the catalogue in the user's language.
 *
 * @param key - starts with the node type, in whose catalogue the text is: `iot-keyring.error.base64`
 */
export function translate(key: string, values?: Record<string, string | number>): string {
  const [type = ''] = key.split('.');
  return RED._(`${MODULE}/${type}:${key}`, values);
}
