/** Actions of each device: one that is answered, one that is answered and supersedes older ones, one that is not. */
export const actionRegistry = `
version: 1
buckets:
  raw: { retention: 7d }
  events: { retention: 365d }
topics:
  sensors/{site}/{device}/climate:
    kind: sensor
    device: "{site}/{device}"
    bucket: raw
    measurement: climate
    tags: { site: "{site}", device: "{device}" }
    fields:
      temperature: { type: float }
      count: { type: integer, optional: true }
  alarms/{site}/{device}/smoke:
    kind: alarm
    device: "{site}/{device}"
    bucket: events
    measurement: alarms
    tags: { site: "{site}", device: "{device}", alarm: smoke }
    fields:
      active: { type: boolean }
  actions/{site}/{device}/valve:
    kind: action
    device: "{site}/{device}"
    bucket: events
    measurement: actions
    tags: { site: "{site}", device: "{device}", action: valve }
    fields:
      position: { type: float }
    acknowledge: { topic: "actions/{site}/{device}/valve/ack", within: 1s }
  actions/{site}/{device}/slider:
    kind: action
    device: "{site}/{device}"
    bucket: events
    measurement: actions
    tags: { site: "{site}", device: "{device}", action: slider }
    fields:
      position: { type: float }
    acknowledge: { topic: "actions/{site}/{device}/slider/ack", within: 1s }
    supersede: true
  actions/{site}/{device}/relay:
    kind: action
    device: "{site}/{device}"
    bucket: events
    measurement: actions
    tags: { site: "{site}", device: "{device}", action: relay }
    fields:
      position: { type: float }
`;
