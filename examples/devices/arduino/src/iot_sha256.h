/* SHA-256 (FIPS 180-4) and HMAC-SHA-256 (RFC 2104). */
#ifndef IOT_SHA256_H
#define IOT_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define IOT_DIGEST_BYTES 32

typedef struct {
  uint32_t state[8];
  uint64_t length; /* bytes so far */
  uint8_t block[64];
} iot_sha256;

void iot_sha256_start(iot_sha256 *sha);
void iot_sha256_update(iot_sha256 *sha, const void *data, size_t length);
void iot_sha256_finish(iot_sha256 *sha, uint8_t digest[IOT_DIGEST_BYTES]);

typedef struct {
  iot_sha256 inner;
  uint8_t key[64];
} iot_hmac;

void iot_hmac_start(iot_hmac *hmac, const uint8_t *key, size_t key_length);
void iot_hmac_update(iot_hmac *hmac, const void *data, size_t length);
void iot_hmac_finish(iot_hmac *hmac, uint8_t digest[IOT_DIGEST_BYTES]);

#endif
