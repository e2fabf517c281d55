#include "iot_actions.h"

#include <string.h>

#include "iot_payload.h"

static bool find(const iot_performed *performed, const uint8_t hash[IOT_ACTION_HASH_BYTES], size_t *slot) {
  for (*slot = 0; *slot < performed->count; (*slot)++) {
    const iot_action_record *record = &performed->records[*slot];
    if (record->state != IOT_FREE && memcmp(record->hash, hash, sizeof record->hash) == 0) return true;
  }
  return false;
}

/* A free slot, or the one that has expired first; false where there is none. */
static bool find_free(const iot_performed *performed, int64_t now, size_t *slot) {
  bool found = false;
  for (size_t at = 0; at < performed->count; at++) {
    const iot_action_record *record = &performed->records[at];
    if (record->state == IOT_FREE) {
      *slot = at;
      return true;
    }
    if (record->expires > now || (found && record->expires >= performed->records[*slot].expires)) continue;
    *slot = at;
    found = true;
  }
  return found;
}

static bool store(iot_performed *performed, size_t slot, const iot_action_record *record) {
  if (!performed->store(performed->context, slot, record)) return false;
  performed->records[slot] = *record;
  return true;
}

/* Finds out what became of each interrupted action; false where that could not be stored. */
static bool settle(iot_performed *performed) {
  for (size_t slot = 0; slot < performed->count; slot++) {
    iot_action_record record = performed->records[slot];
    if (record.state != IOT_BEGUN) continue;
    switch (performed->was_performed(performed->context, record.hash)) {
      case IOT_WAS_PERFORMED: record.state = IOT_DONE; break;
      case IOT_WAS_NOT_PERFORMED: record.state = IOT_FREE; break;
      default: record.state = IOT_UNKNOWN;
    }
    if (!store(performed, slot, &record)) return false;
  }
  return true;
}

static bool is_before(const iot_signed_time *left, const iot_signed_time *right) {
  return left->seconds < right->seconds || (left->seconds == right->seconds && left->nanoseconds < right->nanoseconds);
}

/* A newest time that is ahead of the clock is a clock's fault. It must not keep the device from acting. */
static bool is_outdated(const iot_performed *performed, const iot_signed_time *at, int64_t now) {
  return is_before(at, &performed->newest) && performed->newest.seconds <= now + IOT_FUTURE_SECONDS;
}

static bool store_newest(iot_performed *performed, const iot_signed_time *at) {
  if (!performed->store_newest(performed->context, at)) return false;
  performed->newest = *at;
  return true;
}

iot_decision iot_action_receive(iot_performed *performed, const char *message, size_t length, const uint8_t *key,
                                size_t key_length, int64_t now, iot_action *action) {
  iot_action_record record = {{0}, 0, IOT_FREE};
  iot_signed_time at = {0, 0};
  iot_verified verified;
  uint8_t digest[IOT_DIGEST_BYTES];
  iot_sha256 sha;
  if (iot_verify(message, length, key, key_length, &verified) > IOT_VERIFIED_AS_SENT) return IOT_NOT_VERIFIED;
  action->payload = verified.payload;
  action->length = verified.length;
  if (!iot_get_text(verified.payload, verified.length, "id", action->id, sizeof action->id) || action->id[0] == 0 ||
      !iot_get_integer(verified.payload, verified.length, "expires", &record.expires))
    return IOT_NO_ACTION;
  iot_sha256_start(&sha);
  iot_sha256_update(&sha, action->id, strlen(action->id));
  iot_sha256_finish(&sha, digest);
  memcpy(action->hash, digest, sizeof action->hash);
  memcpy(record.hash, digest, sizeof record.hash);

  if (find(performed, action->hash, &action->slot) && performed->records[action->slot].state == IOT_DONE)
    return IOT_AGAIN;
  if (!settle(performed)) return IOT_NOT_STORED;
  if (find(performed, action->hash, &action->slot))
    return performed->records[action->slot].state == IOT_DONE ? IOT_AGAIN : IOT_INTERRUPTED;
  if (verified.seconds > now + IOT_FUTURE_SECONDS) return IOT_FUTURE;
  if (now >= record.expires) return IOT_EXPIRED;
  at.seconds = verified.seconds;
  at.nanoseconds = verified.nanoseconds;
  if (is_outdated(performed, &at, now)) return IOT_OUTDATED;
  if (!find_free(performed, now, &action->slot)) return IOT_FULL;
  /* First: whatever is cut off here, nothing older is performed after this one. */
  if (!store_newest(performed, &at)) return IOT_NOT_STORED;
  record.state = IOT_BEGUN;
  return store(performed, action->slot, &record) ? IOT_PERFORM : IOT_NOT_STORED;
}

static bool end(iot_performed *performed, const iot_action *action, uint8_t state) {
  iot_action_record record = performed->records[action->slot];
  record.state = state;
  return store(performed, action->slot, &record);
}

bool iot_action_done(iot_performed *performed, const iot_action *action) { return end(performed, action, IOT_DONE); }

bool iot_action_not_performed(iot_performed *performed, const iot_action *action) {
  return end(performed, action, IOT_FREE);
}
