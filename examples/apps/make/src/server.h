#ifndef HELLO_SERVER_H
#define HELLO_SERVER_H

/* Answers HTTP requests on this port of every interface until SIGTERM or SIGINT; returns the process's exit code. */
int serve(unsigned short port);

#endif
