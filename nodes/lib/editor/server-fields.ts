import { fieldValue } from './form';

/** Where a server listens unless it is told otherwise. */
const DEFAULT_URLS: Record<string, string> = {
  '1': 'http://localhost:8086',
  '2': 'http://localhost:8086',
  '3': 'http://localhost:8181',
};

/** A URL of a server, without a query: the API's paths are added to it. */
export function isHttpUrl(text: string): boolean {
  if (!/^https?:\/\//i.test(text)) return false;
  try {
    const { search, hash } = new URL(text);
    return search === '' && hash === '';
  } catch {
    return false;
  }
}

/** Shows only the fields that the chosen version of InfluxDB, and the URL, call for. */
export function prepareFields(): void {
  const url = $('#node-config-input-url');
  const showTls = () => $('#influx-server-tls-row').toggle(/^https:/i.test(fieldValue('url')));
  url.on('input change', showTls);

  $('#node-config-input-serverVersion').on('change', () => {
    const version = fieldValue('serverVersion');
    $('[data-versions]').each((_index, row) => {
      $(row).toggle(row.dataset['versions']?.split(' ').includes(version) ?? false);
    });
    const usual = DEFAULT_URLS[version] ?? '';
    url.attr('placeholder', usual);
    if (Object.values(DEFAULT_URLS).includes(fieldValue('url'))) url.val(usual).trigger('change');
  });
  showTls();
}
