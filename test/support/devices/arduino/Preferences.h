// NVS: each value a file, replaced as a whole and synced before `put` returns. A file `fault` says what happens once the valve
// has moved: `full`, or `crash`.
#pragma once
#include <fcntl.h>
#include <signal.h>
#include <string>

#include "Arduino.h"

class Preferences {
  std::string folder = ".";
  std::string path(const char *name) const { return folder + "/" + name; }

  bool isFull() {
    char word[8] = "";
    if (!isKey("fault") || !isKey("valve")) return false;
    getBytes("fault", word, sizeof word - 1);
    if (strcmp(word, "crash") == 0) kill(getpid(), SIGKILL);
    return true;
  }

 public:
  bool begin(const char *, bool) { return true; }
  bool isKey(const char *name) { return access(path(name).c_str(), F_OK) == 0; }
  size_t putBytes(const char *name, const void *data, size_t length) {
    const std::string fresh = path(name) + ".new";
    if (isFull()) return 0;
    const int file = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (file < 0) return 0;
    const bool stored = write(file, data, length) == (ssize_t)length && fsync(file) == 0;
    close(file);
    return stored && rename(fresh.c_str(), path(name).c_str()) == 0 ? length : 0;
  }
  size_t getBytes(const char *name, void *data, size_t length) {
    const int file = open(path(name).c_str(), O_RDONLY);
    if (file < 0) return 0;
    const ssize_t got = read(file, data, length);
    close(file);
    return got < 0 ? 0 : (size_t)got;
  }
};
