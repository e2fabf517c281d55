/* Actions: each is performed once, however often its message comes, over resets and power cuts. */
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

enum { IOT_FREE, IOT_BEGUN, IOT_DONE };

/* What is remembered of one action. All zero: a free slot. */
typedef struct {
  uint8_t id[16]; /* the first half of its SHA-256 */
  int64_t expires;
  uint8_t state;
} iot_action_record;

/* Stores one record durably: it must be on the medium when this returns true, and a power cut must leave the old record or
   the new one (NVS and littlefs keep that promise). False: it could not be stored. */
typedef bool (*iot_store)(void *context, size_t slot, const iot_action_record *record);

/* The memory of a device that acts. At start the sketch loads `records` from where `store` has put them. */
typedef struct {
  iot_action_record *records;
  size_t count;
  iot_store store;
  void *context;
} iot_performed;

typedef enum {
  IOT_PERFORM,     /* perform it now, then iot_action_done(), then acknowledge */
  IOT_AGAIN,       /* performed before: acknowledge again */
  IOT_INTERRUPTED, /* begun before a reset. Performed? Then iot_action_done() and acknowledge. Not performed? Then as
                      IOT_PERFORM, unless `expired`. Who cannot tell does nothing. */
  IOT_EXPIRED,
  IOT_FUTURE,    /* signed in the future: check the clocks */
  IOT_FULL,      /* every slot holds an action that has not expired */
  IOT_NO_ACTION, /* no id, or no expires */
  IOT_NOT_VERIFIED,
  IOT_NOT_STORED
} iot_decision;

typedef struct {
  const char *payload; /* within the message */
  size_t length;
  char id[IOT_ACTION_ID_SIZE];
  size_t slot;
  bool expired;
} iot_action;

/* What to do about a received message. `now`: seconds since 1970. */
iot_decision iot_action_receive(iot_performed *performed, const char *message, size_t length, const uint8_t *key,
                                size_t key_length, int64_t now, iot_action *action);

/* To be called when the action has been performed; acknowledge it only if this returns true. */
bool iot_action_done(iot_performed *performed, const iot_action *action);

#endif
