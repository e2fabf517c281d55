/** The registry document that the documentation shows. */
export const EXAMPLE = `version: 1
buckets:
  raw:      { retention: 1d }
  averages: { retention: 30d }
  events:   { retention: 365d }
topics:
  sensors/{site}/{device}/climate:
    kind: sensor
    device: "{site}/{device}"
    bucket: raw
    measurement: climate
    tags: { site: "{site}", device: "{device}" }
    fields:
      temperature: { type: float, unit: °C, minimum: -40, maximum: 85 }
      humidity:    { type: float, unit: "%", minimum: 0, maximum: 100, optional: true }
    interval: 10s
    window: { past: 1d, future: 60s }
    aggregate:
      - { every: 5m, functions: [mean, max], into: averages }
  alarms/{site}/{device}/smoke:
    kind: alarm
    device: "{site}/{device}"
    bucket: events
    measurement: alarms
    tags: { site: "{site}", device: "{device}", alarm: smoke }
    fields:
      active:   { type: boolean }
      severity: { type: string, enum: [low, high, critical] }
  actions/{site}/{device}/valve:
    kind: action
    device: "{site}/{device}"
    bucket: events
    measurement: actions
    tags: { site: "{site}", device: "{device}", action: valve }
    fields:
      id:       { type: string }
      position: { type: float, minimum: 0, maximum: 100 }
    acknowledge: { topic: "actions/{site}/{device}/valve/ack", within: 10s }
`;
