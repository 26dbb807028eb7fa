#include "response.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void write_all(int connection, const char *bytes, size_t length) {
  while (length > 0) {
    const ssize_t written = write(connection, bytes, length);
    if (written <= 0) {
      return;
    }
    bytes += written;
    length -= (size_t)written;
  }
}

void write_response(int connection, const struct request *request) {
  const int found = strcmp(request->path, "/") == 0;
  const char *body = found ? "Hello from C\n" : "Not found\n";
  char head[160];
  const int length = snprintf(head, sizeof head,
                              "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n"
                              "Connection: close\r\n\r\n",
                              found ? "200 OK" : "404 Not Found", strlen(body));
  write_all(connection, head, (size_t)length);
  if (strcmp(request->method, "HEAD") != 0) {
    write_all(connection, body, strlen(body));
  }
}
