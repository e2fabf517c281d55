/* Signs and verifies messages as node-red-contrib-mqtt2influx does. */
#ifndef IOT_MESSAGE_H
#define IOT_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "iot_base64.h"
#include "iot_sha256.h"

/* What a message has beside its payload. */
#define IOT_ENVELOPE_LENGTH 68

/* Longer messages are not read. */
#ifndef IOT_MAXIMUM_MESSAGE
#define IOT_MAXIMUM_MESSAGE 2048
#endif

/* A shorter key is a mistyped one. */
#define IOT_FEWEST_KEY_BYTES 16

typedef enum {
  IOT_VERIFIED, /* signed over the payload's canonical text */
  IOT_VERIFIED_AS_SENT,
  IOT_MALFORMED_MESSAGE,
  IOT_BAD_SIGNATURE,
  IOT_BAD_TIMESTAMP
} iot_verdict;

typedef struct {
  const char *payload; /* within the message */
  size_t length;
  int64_t seconds; /* since 1970 */
  int32_t nanoseconds;
} iot_verified;

/* The bytes of a device's key from base64, as the keyring's dialog shows it. Returns how many there are, or 0 where the text
   is no base64, or gives less than IOT_FEWEST_KEY_BYTES or more than `size`: then the device must not start. */
size_t iot_key(const char *text, uint8_t *key, size_t size);

/* Writes the whole message with the payload in canonical text, and a zero at the end. Where this board cannot write a number
   of it as Python does, the payload is signed and sent as it is. The payload must hold ts and ts_ns. Returns the length, or
   0 where the payload is no JSON object, the message does not fit into `size`, or the key is empty. */
size_t iot_sign(const char *payload, size_t length, const uint8_t *key, size_t key_length, char *message, size_t size);

/* Judges a message; `verified` is filled in when it is verified. With an empty key nothing is. */
iot_verdict iot_verify(const char *message, size_t length, const uint8_t *key, size_t key_length,
                       iot_verified *verified);

#endif
