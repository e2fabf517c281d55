import type { Node, NodeAPI } from 'node-red';
import { EndpointError, textMember } from './endpoint';
import { variableIn } from './environment';

/** What the editor sends for a password it was never told. */
const DEPLOYED = '__PWRD__';

const NOT_DEPLOYED =
  'What is deployed is used only together with the settings that it was deployed with: deploy first, or type the secret';

/** The options of a node as they were deployed, with the names of environment variables still in them. */
export function deployedOptions(RED: NodeAPI, id: string): Readonly<Record<string, unknown>> | undefined {
  let found: Readonly<Record<string, unknown>> | undefined;
  RED.nodes.eachNode((node) => {
    if (node.id === id) found = node as unknown as Record<string, unknown>;
  });
  return found;
}

/**
 * The secret that was typed into the dialog, or the deployed one where the dialog only shows that there is one. A variable's
 * name is the deployed secret too, where it was deployed with that very text, and nothing anywhere else: whoever may ask
 * could read the whole environment.
 *
 * @param node - the deployed node, if there is one
 * @param isAsDeployed - whether the secret would be used as it was deployed to be: whoever does not know it must not find it out
 * @throws EndpointError when it must not be used so, or its variable is not set
 */
export function secretMember(
  RED: NodeAPI,
  body: Record<string, unknown>,
  name: string,
  node: Node | undefined,
  isAsDeployed: boolean,
): string | undefined {
  const typed = textMember(body, name);
  if (typed !== DEPLOYED && variableIn(typed) === undefined) return typed === '' ? undefined : typed;
  const deployed = (node?.credentials as Record<string, string | undefined> | undefined)?.[name];
  // The published type has it as credentials of any type.
  const written = node && (RED.nodes.getCredentials(node.id) as Record<string, unknown> | undefined)?.[name];
  if (!isAsDeployed || (typed !== DEPLOYED && typed !== written)) throw new EndpointError('not-deployed', NOT_DEPLOYED);
  if (deployed === undefined || deployed === '') return undefined;
  const variable = variableIn(deployed);
  if (variable !== undefined) throw new EndpointError('no-variable', unsetVariable(variable));
  return deployed;
}

/**
 * An option as the dialog shows it; the value of a variable only where the option was deployed with that very text.
 *
 * @param written - the options as they were deployed
 * @param inForce - the same with the values of variables
 * @throws EndpointError for any other variable
 */
export function optionMember(
  body: Record<string, unknown>,
  name: string,
  written: Readonly<Record<string, unknown>> | undefined,
  inForce: Readonly<Record<string, unknown>> | undefined,
): string {
  const typed = textMember(body, name);
  if (variableIn(typed) === undefined) return typed;
  const value = inForce?.[name];
  if (written?.[name] !== typed || typeof value !== 'string') throw new EndpointError('not-deployed', NOT_DEPLOYED);
  const variable = variableIn(value);
  if (variable !== undefined) throw new EndpointError('no-variable', unsetVariable(variable));
  return value;
}

function unsetVariable(name: string): string {
  return `The environment variable ${name} is not set in Node-RED. If it has just been added to the flow, deploy first`;
}
