/*
 * QEMU's control channel (qemu-qmp-ref(7)): one JSON object a line. Whoever has taken QEMU over
 * writes here too: lines are bounded, and a channel that cannot be understood is dead for good.
 */
#ifndef COFFERDAM_BACKENDS_MICROVM_QMP_H
#define COFFERDAM_BACKENDS_MICROVM_QMP_H

#include "base/error.h"
#include "base/str.h"

#include <jansson.h>

enum { QMP_LINE_MAX = 64 * 1024 };

struct qmp;

/* Takes `socket`, also on failure; the greeting is answered by itself. NULL with errno. */
struct qmp *qmp_new(int socket);
void qmp_free(struct qmp *q);    /* NULL is fine */
int qmp_fd(const struct qmp *q); /* readable when qmp_dispatch() has something to do */

/*
 * Runs a command and waits for its answer, at most `timeout_ms`. `arguments` (or NULL) is taken.
 * `*ret` (or NULL): what it returned, owned by the caller. -EIO with QEMU's own words, -ETIMEDOUT,
 * -EPIPE: QEMU is gone, -EPROTO.
 */
int qmp_call(struct qmp *q, const char *command, json_t *arguments, int timeout_ms, json_t **ret,
             struct error *e);

/* The same, with a descriptor (kept by the caller) on its way to QEMU: getfd, add-fd. */
int qmp_call_fd(struct qmp *q, const char *command, json_t *arguments, int fd, int timeout_ms,
                json_t **ret, struct error *e);

/*
 * Asks without arguments, and waits at most `wait_ms`: what it returns then, or later from whatever
 * reads, is `answered`. While one is due, or before the greeting, nothing is asked. -EPIPE.
 */
typedef void qmp_answer_fn(void *data, const json_t *value);
int qmp_query(struct qmp *q, const char *command, int wait_ms, qmp_answer_fn *answered, void *data,
              struct error *e);

/* Reads what has come; events call back by name ("SHUTDOWN", …), data borrowed or NULL. */
typedef void qmp_event_fn(void *data, const char *name, const json_t *what);
void qmp_dispatch(struct qmp *q, qmp_event_fn *event, void *data);
/* For all events to come, also those that come while an answer is waited for. */
void qmp_listen(struct qmp *q, qmp_event_fn *event, void *data);
/* Waits until an event has made `*done` true. -ETIMEDOUT, -EPIPE. */
int qmp_await(struct qmp *q, const bool *done, int timeout_ms, struct error *e);

#endif
