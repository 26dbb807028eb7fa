#include "server.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "request.h"
#include "response.h"

static volatile sig_atomic_t stopping = 0;

static void stop(int signal_number) {
  (void)signal_number;
  stopping = 1;
}

/* No SA_RESTART: accept() is to return when the signal comes. */
static void catch_signals(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = stop;
  sigemptyset(&action.sa_mask);
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);
  signal(SIGPIPE, SIG_IGN);
}

static int listen_on(unsigned short port) {
  const int one = 1;
  struct sockaddr_in address;
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_ANY);
  address.sin_port = htons(port);
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (listener < 0) {
    return -1;
  }
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 64) != 0) {
    close(listener);
    return -1;
  }
  return listener;
}

static void answer(int connection) {
  const struct timeval limit = {.tv_sec = 5, .tv_usec = 0};
  setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  struct request request;
  if (read_request(connection, &request) == 0) {
    write_response(connection, &request);
  }
  close(connection);
}

int serve(unsigned short port) {
  catch_signals();
  const int listener = listen_on(port);
  if (listener < 0) {
    perror("cannot listen");
    return 1;
  }
  printf("listening on port %u\n", port);
  fflush(stdout);
  while (!stopping) {
    const int connection = accept(listener, NULL, NULL);
    if (connection >= 0) {
      answer(connection);
    } else if (errno != EINTR && errno != ECONNABORTED) {
      perror("accept");
      return 1;
    }
  }
  puts("stopping");
  return 0;
}
