/** Why the runtime did not do what the dialog asked for. */
export class RequestError extends Error {
  /** HTTP status; 0 when the runtime could not be reached. */
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/**
 * Asks one of our endpoints of the admin API. jQuery is set up by the editor to send the user's token and to use the
 * right root.
 *
 * @param path - below `mqtt2influx/`
 */
export async function ask<Answer>(path: string, body: Record<string, unknown>): Promise<Answer> {
  return new Promise((resolve, reject) => {
    $.ajax({
      url: `mqtt2influx/${path}`,
      type: 'POST',
      contentType: 'application/json; charset=utf-8',
      dataType: 'json',
      data: JSON.stringify(body),
    })
      .done((answer: Answer) => resolve(answer))
      .fail((response) => {
        const { message } = (response.responseJSON ?? {}) as { message?: string };
        reject(new RequestError(response.status, message ?? ''));
      });
  });
}
