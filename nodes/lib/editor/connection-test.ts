import { chosenNode, fieldValue } from './form';
import { RequestError, ask } from './request';
import { clearResult, showResult } from './result';
import { translate } from './translate';

/** What `POST mqtt2influx/influx-server/test` answers, whether the server could be reached or not. */
interface TestAnswer {
  ok: boolean;
  code: string;
  /** What the runtime found, in words. */
  message: string;
}

const EXPLANATIONS: Record<string, string> = {
  ok: 'influx-server.test.ok',
  unreachable: 'influx-server.test.unreachable',
  timeout: 'influx-server.test.timeout',
  tls: 'influx-server.test.tls',
  unauthorized: 'influx-server.test.unauthorized',
  forbidden: 'influx-server.test.forbidden',
  'not-found': 'influx-server.test.not-found',
  'other-organization': 'influx-server.test.other-organization',
  'wrong-version': 'influx-server.test.wrong-version',
  unexpected: 'influx-server.test.unexpected',
};

const OPTIONS = ['url', 'serverVersion', 'organization', 'database', 'timeout', 'token', 'username', 'password'];

/** The button that tries what is in the dialog, deployed or not. */
export function prepareConnectionTest(id: string): void {
  const button = $('#influx-server-test');
  const result = $('#influx-server-result');
  /** Number of the newest test: what is said of fields that have changed since is dropped. */
  let newest = 0;
  const test = async () => {
    newest += 1;
    const number = newest;
    const show = (...shown: [outcome: 'success' | 'failure', text: string, details?: string[]]) => {
      if (number === newest) showResult(result, ...shown);
    };
    button.prop('disabled', true);
    showResult(result, 'progress', translate('influx-server.test.running'));
    const options = Object.fromEntries(OPTIONS.map((option) => [option, fieldValue(option)]));
    try {
      const answer = await ask<TestAnswer>('influx-server/test', { id, ...options, tls: chosenNode('tls') });
      show(answer.ok ? 'success' : 'failure', explanation(answer.code), [answer.message].filter(Boolean));
    } catch (error) {
      show('failure', translate('influx-server.test.not-run'), [reason(error)].filter(Boolean));
    } finally {
      // A button that is disabled loses the focus, and with it the place of whoever uses the keyboard.
      button.prop('disabled', false).trigger('focus');
    }
  };
  button.on('click', () => void test());
  const fields = [...OPTIONS, 'tls'].map((option) => `#node-config-input-${option}`).join();
  $('#node-config-dialog-edit-form').on('input', fields, () => {
    newest += 1;
    clearResult(result);
  });
}

function explanation(code: string): string {
  return translate(EXPLANATIONS[code] ?? 'influx-server.test.unexpected');
}

function reason(error: unknown): string {
  if (!(error instanceof RequestError)) return String(error);
  if (error.status === 401 || error.status === 403) return translate('influx-server.test.no-permission');
  return error.message;
}
