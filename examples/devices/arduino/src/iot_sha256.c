#include "iot_sha256.h"

#include <string.h>

static const uint32_t ROUND[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t value, unsigned by) { return value >> by | value << (32 - by); }

static void compress(uint32_t state[8], const uint8_t block[64]) {
  /* The message schedule as a ring of sixteen words: a small board has no room for all 64. */
  uint32_t word[16], s[8];
  unsigned at;
  for (at = 0; at < 16; at++) {
    const uint8_t *from = block + 4 * at;
    word[at] = (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
  }
  memcpy(s, state, sizeof s);
  for (at = 0; at < 64; at++) {
    uint32_t first, second, w = word[at & 15];
    if (at >= 16) {
      const uint32_t w1 = word[(at + 1) & 15], w14 = word[(at + 14) & 15];
      w += (rotate(w1, 7) ^ rotate(w1, 18) ^ w1 >> 3) + word[(at + 9) & 15] +
           (rotate(w14, 17) ^ rotate(w14, 19) ^ w14 >> 10);
      word[at & 15] = w;
    }
    first = s[7] + (rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25)) + ((s[4] & s[5]) ^ (~s[4] & s[6])) +
            ROUND[at] + w;
    second = (rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22)) +
             ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
    memmove(s + 1, s, 7 * sizeof s[0]);
    s[4] += first;
    s[0] = first + second;
  }
  for (at = 0; at < 8; at++) state[at] += s[at];
}

void iot_sha256_start(iot_sha256 *sha) {
  static const uint32_t initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  memcpy(sha->state, initial, sizeof initial);
  sha->length = 0;
}

void iot_sha256_update(iot_sha256 *sha, const void *data, size_t length) {
  const uint8_t *from = data;
  while (length > 0) {
    const size_t used = (size_t)(sha->length & 63), room = 64 - used;
    const size_t part = length < room ? length : room;
    memcpy(sha->block + used, from, part);
    sha->length += part;
    from += part;
    length -= part;
    if (part == room) compress(sha->state, sha->block);
  }
}

void iot_sha256_finish(iot_sha256 *sha, uint8_t digest[IOT_DIGEST_BYTES]) {
  static const uint8_t padding[64] = {0x80};
  const uint64_t bits = sha->length * 8;
  uint8_t count[8];
  unsigned at;
  for (at = 0; at < 8; at++) count[at] = (uint8_t)(bits >> (56 - 8 * at));
  iot_sha256_update(sha, padding, (size_t)(1 + ((119 - (sha->length & 63)) & 63)));
  iot_sha256_update(sha, count, sizeof count);
  for (at = 0; at < IOT_DIGEST_BYTES; at++) digest[at] = (uint8_t)(sha->state[at / 4] >> (24 - 8 * (at % 4)));
}

static void start_with(iot_sha256 *sha, const uint8_t key[64], uint8_t pad) {
  uint8_t block[64];
  unsigned at;
  for (at = 0; at < sizeof block; at++) block[at] = key[at] ^ pad;
  iot_sha256_start(sha);
  iot_sha256_update(sha, block, sizeof block);
}

void iot_hmac_start(iot_hmac *hmac, const uint8_t *key, size_t key_length) {
  memset(hmac->key, 0, sizeof hmac->key);
  if (key_length > sizeof hmac->key) {
    iot_sha256_start(&hmac->inner);
    iot_sha256_update(&hmac->inner, key, key_length);
    iot_sha256_finish(&hmac->inner, hmac->key);
  } else if (key_length > 0) {
    memcpy(hmac->key, key, key_length);
  }
  start_with(&hmac->inner, hmac->key, 0x36);
}

void iot_hmac_update(iot_hmac *hmac, const void *data, size_t length) {
  iot_sha256_update(&hmac->inner, data, length);
}

void iot_hmac_finish(iot_hmac *hmac, uint8_t digest[IOT_DIGEST_BYTES]) {
  iot_sha256_finish(&hmac->inner, digest);
  start_with(&hmac->inner, hmac->key, 0x5c);
  iot_sha256_update(&hmac->inner, digest, IOT_DIGEST_BYTES);
  iot_sha256_finish(&hmac->inner, digest);
}
