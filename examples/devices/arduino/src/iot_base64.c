#include "iot_base64.h"

#include <string.h>

static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void iot_base64_encode(const uint8_t *data, size_t length, char *text) {
  size_t at;
  for (at = 0; at < length; at += 3) {
    const uint32_t second = at + 1 < length ? data[at + 1] : 0, third = at + 2 < length ? data[at + 2] : 0;
    const uint32_t bits = (uint32_t)data[at] << 16 | second << 8 | third;
    *text++ = ALPHABET[bits >> 18];
    *text++ = ALPHABET[bits >> 12 & 63];
    *text++ = at + 1 < length ? ALPHABET[bits >> 6 & 63] : '=';
    *text++ = at + 2 < length ? ALPHABET[bits & 63] : '=';
  }
}

size_t iot_base64_decode(const char *text, size_t length, uint8_t *data, size_t size) {
  size_t at, written = 0;
  uint32_t bits = 0;
  unsigned padding = 0;
  if (length == 0 || length % 4 != 0) return 0;
  while (padding < 2 && text[length - 1 - padding] == '=') padding++;
  if (length / 4 * 3 - padding > size) return 0;
  for (at = 0; at < length; at++) {
    const int is_padding = at >= length - padding;
    const char *found = is_padding ? ALPHABET : memchr(ALPHABET, text[at], 64);
    if (found == NULL) return 0;
    bits = bits << 6 | (uint32_t)(found - ALPHABET);
    if (at % 4 != 3) continue;
    for (unsigned byte = 0; byte < 3 - (at == length - 1 ? padding : 0); byte++) {
      data[written++] = (uint8_t)(bits >> (16 - 8 * byte));
    }
    bits = 0;
  }
  return written;
}
