#ifndef HELLO_RESPONSE_H
#define HELLO_RESPONSE_H

#include "request.h"

/* Writes the whole answer to a request. */
void write_response(int connection, const struct request *request);

#endif
