/** A small registry that works as it is: what a new registry node starts with. */
export const STARTER_DOCUMENT = `version: 1

# Where points are kept, and for how long.
buckets:
  raw: { retention: 1d }
  events: { retention: 365d }

# What may arrive. {name} captures one level of the topic.
topics:
  sensors/{site}/{device}/climate:
    kind: sensor
    device: "{site}/{device}"        # whose key signs it
    bucket: raw
    measurement: climate
    tags: { site: "{site}", device: "{device}" }
    fields:
      temperature: { type: float, unit: °C, minimum: -40, maximum: 85 }
      humidity: { type: float, unit: "%", minimum: 0, maximum: 100, optional: true }
    interval: 10s

  alarms/{site}/{device}/smoke:
    kind: alarm
    device: "{site}/{device}"
    bucket: events
    measurement: alarms
    tags: { site: "{site}", device: "{device}", alarm: smoke }
    fields:
      active: { type: boolean }
      severity: { type: string, enum: [low, high, critical] }
`;
