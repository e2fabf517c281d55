/* Actions: each is performed once, however often its message comes, and none that was signed before the newest that has been
   begun, over resets and power cuts. */
#ifndef IOT_ACTIONS_H
#define IOT_ACTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "iot_message.h"

/* Longest id, with a zero at the end. */
#define IOT_ACTION_ID_SIZE 64
/* How far the clocks of sender and device may be apart. */
#define IOT_FUTURE_SECONDS 60

/* What stands for an id: the first half of its SHA-256. */
#define IOT_ACTION_HASH_BYTES 16

/* IOT_UNKNOWN: begun, and the hardware could not tell whether it was performed. */
enum { IOT_FREE, IOT_BEGUN, IOT_DONE, IOT_UNKNOWN };

/* What is remembered of one action. All zero: a free slot. */
typedef struct {
  uint8_t hash[IOT_ACTION_HASH_BYTES];
  int64_t expires;
  uint8_t state;
} iot_action_record;

/* When an action was signed. */
typedef struct {
  int64_t seconds; /* since 1970 */
  int32_t nanoseconds;
} iot_signed_time;

/* Stores one record durably: it must be on the medium when this returns true, and a power cut must leave the old record or
   the new one (NVS and littlefs keep that promise). False: it could not be stored. */
typedef bool (*iot_store)(void *context, size_t slot, const iot_action_record *record);

/* The same for the signed time of the newest action. */
typedef bool (*iot_store_newest)(void *context, const iot_signed_time *newest);

typedef enum { IOT_WAS_NOT_PERFORMED, IOT_WAS_PERFORMED, IOT_NOBODY_KNOWS } iot_outcome;

/* Asks the hardware about an action that a reset or an error has interrupted. It is asked before any other action begins:
   afterwards the hardware shows what that one did. */
typedef iot_outcome (*iot_ask)(void *context, const uint8_t hash[IOT_ACTION_HASH_BYTES]);

/* The memory of one action topic. At start the sketch loads `records` and `newest` from where `store` and `store_newest` have
   put them. */
typedef struct {
  iot_action_record *records;
  size_t count;
  iot_store store;
  iot_ask was_performed;
  void *context;
  iot_store_newest store_newest;
  iot_signed_time newest; /* of the action that was begun last */
} iot_performed;

typedef enum {
  IOT_PERFORM,     /* perform it now, then iot_action_done(), then acknowledge */
  IOT_AGAIN,       /* performed before: acknowledge again */
  IOT_INTERRUPTED, /* begun before, and nobody knows whether it was performed: do nothing */
  IOT_EXPIRED,
  IOT_FUTURE,    /* signed in the future: check the clocks */
  IOT_FULL,      /* every slot holds an action that has not expired */
  IOT_NO_ACTION, /* no id, or no expires */
  IOT_NOT_VERIFIED,
  IOT_NOT_STORED, /* this action, or what became of one before it: do nothing, it comes again */
  IOT_OUTDATED    /* signed before the newest that has been begun: answer that it is not performed */
} iot_decision;

typedef struct {
  const char *payload; /* within the message */
  size_t length;
  char id[IOT_ACTION_ID_SIZE];
  uint8_t hash[IOT_ACTION_HASH_BYTES];
  size_t slot;
} iot_action;

/* What to do about a received message. `now`: seconds since 1970. */
iot_decision iot_action_receive(iot_performed *performed, const char *message, size_t length, const uint8_t *key,
                                size_t key_length, int64_t now, iot_action *action);

/* To be called when the action has been performed; acknowledge it only if this returns true. */
bool iot_action_done(iot_performed *performed, const iot_action *action);

/* To be called when it is not one for this device and nothing was done; answer so only if this returns true. */
bool iot_action_not_performed(iot_performed *performed, const iot_action *action);

#endif
