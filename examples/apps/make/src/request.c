#include "request.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

int read_request(int connection, struct request *request) {
  char head[4096];
  size_t length = 0;
  while (length < sizeof head - 1) {
    const ssize_t got = read(connection, head + length, sizeof head - 1 - length);
    if (got <= 0) {
      return -1;
    }
    length += (size_t)got;
    head[length] = '\0';
    if (strstr(head, "\r\n\r\n")) {
      return sscanf(head, "%7s %255s", request->method, request->path) == 2 ? 0 : -1;
    }
  }
  return -1;
}
