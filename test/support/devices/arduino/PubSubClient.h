// The connection to the test, which has the one to the broker. Lines on standard input: `message <topic> <hexadecimal>`; on
// standard output: `subscribe <topic>`, `publish <topic> <hexadecimal>`, and `handled` when the callback has returned.
#pragma once
#include <poll.h>
#include <stdlib.h>

#include <string>

#include "Arduino.h"
#include "WiFiClientSecure.h"

class PubSubClient {
  typedef void (*Callback)(char *, uint8_t *, unsigned int);
  Callback callback = nullptr;
  bool isConnected = false;
  std::string input;

  void handle(const std::string &line) {
    const size_t first = line.find(' '), second = line.find(' ', first + 1);
    std::string topic = line.substr(first + 1, second - first - 1), hexadecimal = line.substr(second + 1);
    const size_t length = hexadecimal.size() / 2;
    // A block of exactly this size: the sanitizers see what reads beyond it.
    uint8_t *message = static_cast<uint8_t *>(malloc(length > 0 ? length : 1));
    for (size_t at = 0; at < length; at++) message[at] = (uint8_t)strtoul(hexadecimal.substr(2 * at, 2).c_str(), nullptr, 16);
    callback(&topic[0], message, (unsigned)length);
    free(message);
    puts("handled");
  }

 public:
  explicit PubSubClient(WiFiClientSecure &) { setvbuf(stdout, nullptr, _IOLBF, 0); }
  void setServer(const char *, uint16_t) {}
  void setBufferSize(uint16_t) {}
  void setCallback(Callback given) { callback = given; }
  bool connected() { return isConnected; }
  bool connect(const char *, const char *, const char *, const char *, uint8_t, bool, const char *, bool) {
    return isConnected = true;
  }
  bool subscribe(const char *topic, uint8_t) { return printf("subscribe %s\n", topic) > 0; }
  bool publish(const char *topic, const char *message) {
    printf("publish %s ", topic);
    for (; *message; message++) printf("%02x", (unsigned char)*message);
    return puts("") >= 0;
  }
  bool loop() {
    struct pollfd ready = {STDIN_FILENO, POLLIN, 0};
    char part[4096];
    if (poll(&ready, 1, 20) <= 0) return true;
    const ssize_t got = read(STDIN_FILENO, part, sizeof part);
    if (got <= 0) exit(0);
    input.append(part, (size_t)got);
    for (size_t end; (end = input.find('\n')) != std::string::npos; input.erase(0, end + 1)) handle(input.substr(0, end));
    return true;
  }
};
