#ifndef HELLO_REQUEST_H
#define HELLO_REQUEST_H

struct request {
  char method[8];
  char path[256];
};

/* Reads a request's head from the connection. Returns 0, or -1 where there was none that can be understood. */
int read_request(int connection, struct request *request);

#endif
