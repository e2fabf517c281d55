import { placeOf } from '../../nodes/lib/influx/place';
import { connect } from '../../nodes/lib/influx/connect';
import type { ConnectOptions, InfluxServer } from '../../nodes/lib/influx/server';
import { useDelivery, type DeliveryUse } from '../../nodes/influx-server/deliveries';
import type { Report } from '../../nodes/influx-server/delivery';

/** The durable way to an InfluxDB, as an `influx-server` node of the id `s1` has it. */
export function deliveryTo(
  directory: string,
  options: ConnectOptions,
  report: Report = () => undefined,
): DeliveryUse & { connection: InfluxServer } {
  const connection = connect(options);
  return {
    ...useDelivery(directory, placeOf(options), { server: 's1', limitBytes: 1e9, connection, report }),
    connection,
  };
}
