// A climate sensor with a valve on an ESP32: publishes sensors/<device>/climate, performs actions/<device>/valve.
// Needs the library PubSubClient beside this one.
#include <PubSubClient.h>
#include <Preferences.h>
#include <SignedDevice.h>
#include <WiFi.h>
#include <WiFiClientSecure.h>
#include <time.h>

#include "config.h"

const unsigned long READING_MILLISECONDS = 10000;
// Unix time of 2020: an earlier one means that the clock has not been set.
const time_t CLOCK_IS_SET = 1577836800;
// More than can come within the time in which they expire.
#ifndef REMEMBERED_ACTIONS
#define REMEMBERED_ACTIONS 32
#endif

const char SENSOR_TOPIC[] = "sensors/" DEVICE "/climate";
const char ACTION_TOPIC[] = "actions/" DEVICE "/valve";
const char ACKNOWLEDGE_TOPIC[] = "actions/" DEVICE "/valve/ack";

WiFiClientSecure network;
PubSubClient broker(network);
Preferences flash;

uint8_t key[64];
size_t keyLength;
iot_action_record records[REMEMBERED_ACTIONS];
unsigned long lastReading;
bool hasRead = false;

// ---- the hardware: replace these ----

double readTemperature() { return 20.5; }

// Where the valve stands, and which action has put it there: stored as one, so that it can tell after a reset.
struct ValveState {
  double position;
  uint8_t action[IOT_ACTION_HASH_BYTES];
  uint32_t moves;
} valve;

bool moveTo(double percent, const iot_action *action) {
  ValveState next = valve;
  next.position = percent;
  next.moves++;
  memcpy(next.action, action->hash, sizeof next.action);
  if (flash.putBytes("valve", &next, sizeof next) != sizeof next) return false;
  valve = next;
  return true;
}

// It is asked before another action begins, so an interrupted one is the last that moved the valve or was not performed.
iot_outcome wasPerformed(void *, const uint8_t *hash) {
  return memcmp(valve.action, hash, sizeof valve.action) == 0 ? IOT_WAS_PERFORMED : IOT_WAS_NOT_PERFORMED;
}

// ---- the memory of actions, in flash ----

void slotName(size_t slot, char name[8]) { snprintf(name, 8, "a%u", (unsigned)slot); }

bool storeRecord(void *, size_t slot, const iot_action_record *record) {
  char name[8];
  slotName(slot, name);
  return flash.putBytes(name, record, sizeof *record) == sizeof *record;
}

bool storeNewest(void *, const iot_signed_time *newest) {
  return flash.putBytes("newest", newest, sizeof *newest) == sizeof *newest;
}

iot_performed performed = {records, REMEMBERED_ACTIONS, storeRecord, wasPerformed, NULL, storeNewest, {0, 0}};

// What is stored must be read: an action that is forgotten is performed again.
bool load(const char *name, void *value, size_t size) {
  return !flash.isKey(name) || flash.getBytes(name, value, size) == size;
}

bool loadState() {
  char name[8];
  if (!flash.begin("actions", false) || !load("valve", &valve, sizeof valve)) return false;
  if (!load("newest", &performed.newest, sizeof performed.newest)) return false;
  for (size_t slot = 0; slot < REMEMBERED_ACTIONS; slot++) {
    slotName(slot, name);
    if (!load(name, &records[slot], sizeof records[slot])) return false;
  }
  return true;
}

// ---- messages ----

void publish(const char *topic, iot_payload *payload) {
  char message[512];
  struct timeval now;
  gettimeofday(&now, NULL);
  if (!iot_payload_end(payload, now.tv_sec, (int32_t)now.tv_usec * 1000)) return;
  if (iot_sign(payload->text, payload->length, key, keyLength, message, sizeof message) == 0) return;
  broker.publish(topic, message);
}

void publishReading() {
  char text[256];
  iot_payload payload;
  iot_payload_begin(&payload, text, sizeof text);
  iot_payload_float(&payload, "temperature", readTemperature(), 2);
  publish(SENSOR_TOPIC, &payload);
}

void acknowledge(const iot_action *action) {
  char text[256];
  iot_payload payload;
  iot_payload_begin(&payload, text, sizeof text);
  iot_payload_text(&payload, "id", action->id);
  iot_payload_float(&payload, "position", valve.position, 2);
  publish(ACKNOWLEDGE_TOPIC, &payload);
}

// The sender need not wait, and knows why.
void refuse(const iot_action *action, const char *reason) {
  char text[256];
  iot_payload payload;
  iot_payload_begin(&payload, text, sizeof text);
  iot_payload_text(&payload, "id", action->id);
  iot_payload_boolean(&payload, "ok", false);
  iot_payload_text(&payload, "reason", reason);
  publish(ACKNOWLEDGE_TOPIC, &payload);
}

// Whether it is done. What cannot be stored is not answered: it is settled when something comes again.
bool perform(const iot_action *action) {
  double percent;
  if (!iot_get_number(action->payload, action->length, "position", &percent) || percent < 0 || percent > 100) {
    if (iot_action_not_performed(&performed, action)) refuse(action, "no position from 0 to 100");
    return false;
  }
  return moveTo(percent, action) && iot_action_done(&performed, action);
}

// Without an answer the action comes again. PubSubClient acknowledges to the broker when this returns.
void onMessage(char *, uint8_t *message, unsigned int length) {
  iot_action action;
  iot_decision decision = iot_action_receive(&performed, (const char *)message, length, key, keyLength, time(NULL), &action);
  Serial.printf("action: %d\n", decision);
  if (decision == IOT_PERFORM) {
    if (!perform(&action)) return;
    decision = IOT_AGAIN;
  }
  if (decision == IOT_AGAIN) acknowledge(&action);
  if (decision == IOT_OUTDATED) refuse(&action, "outdated: an action that was signed later has been begun before");
}

// ---- the board ----

bool connectBroker() {
  char client[] = DEVICE;
  for (char *at = client; *at; at++) {
    if (*at == '/') *at = '-';
  }
  // With a session, the broker keeps actions while the device is away. PubSubClient cannot receive QoS 2; at QoS 1 a copy
  // may come, which does no harm here.
  if (!broker.connect(client, BROKER_USER, BROKER_PASSWORD, NULL, 0, false, NULL, false)) return false;
  return broker.subscribe(ACTION_TOPIC, 1);
}

// Says it again and again, for whoever opens the serial monitor later.
void stop(const char *reason) {
  for (;;) {
    Serial.printf("stopped: %s\n", reason);
    delay(5000);
  }
}

void setup() {
  Serial.begin(115200);
  keyLength = iot_key(KEY, key, sizeof key);
  if (keyLength == 0) stop("KEY in config.h is not the base64 of 16 to 64 bytes");
  if (!loadState()) stop("the memory of actions cannot be read");
  WiFi.begin(WIFI_NAME, WIFI_PASSWORD);
  while (WiFi.status() != WL_CONNECTED) delay(100);
  // Signed times, expiry and certificates need the true time.
  configTime(0, 0, "pool.ntp.org");
  while (time(NULL) < CLOCK_IS_SET) delay(100);
  network.setCACert(AUTHORITY);
  broker.setServer(BROKER, 8883);
  broker.setBufferSize(IOT_MAXIMUM_MESSAGE);
  broker.setCallback(onMessage);
}

void loop() {
  if (!broker.connected() && !connectBroker()) {
    delay(5000);
    return;
  }
  broker.loop();
  if (!hasRead || millis() - lastReading >= READING_MILLISECONDS) {
    hasRead = true;
    lastReading = millis();
    publishReading();
  }
}
