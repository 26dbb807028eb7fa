#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "server.h"

int main(void) {
  const char *text = getenv("PORT");
  char *end = NULL;
  errno = 0;
  const long port = text ? strtol(text, &end, 10) : 5000;
  if (errno != 0 || (text && (end == text || *end != '\0')) || port < 1 || port > 65535) {
    fprintf(stderr, "PORT must be a number from 1 to 65535, not '%s'\n", text ? text : "");
    return 2;
  }
  return serve((unsigned short)port);
}
