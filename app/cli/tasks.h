/* One request to the monitors of several workloads at once. */
#ifndef COFFERDAM_APP_CLI_TASKS_H
#define COFFERDAM_APP_CLI_TASKS_H

#include "app/cli/verb.h"
#include "console/client.h"
#include "console/state.h"

struct task {
    struct state_record record; /* owned */
    struct client *client;      /* owned; NULL: it does not live, or cannot be reached */
    bool done;                  /* answered, one way or the other */
    int result;                 /* 0, or -errno with `error` */
    struct error error;
    bool explained; /* why nothing is heard of it */
    bool exited; /* its end was told: `status` */
    int status;
    char *state; /* owned; JSON, if it was asked for */
};

struct tasks {
    struct task *of; /* owned */
    size_t count;
};

/* Those that the words name, each once. -ENOENT, -EEXIST with text at the first that cannot be
 * found. */
int tasks_find(const struct dirs *d, char *const *words, size_t count, struct tasks *ret,
               struct error *e);
/* Those of `list` (taken over, with its records). */
void tasks_of(struct tasks *t, struct state_record *list, size_t count);
void tasks_done(struct tasks *t);

/*
 * Connects to every living one, calls `ask` (which makes requests) and waits until each is
 * answered: by done(), by state(), or by the monitor's end. `timeout_ms` -1: without end; those
 * that do not answer in time get -ETIMEDOUT. Those that do not live are left alone, done, result 0.
 */
void tasks_ask(const struct dirs *d, struct tasks *t, void (*ask)(struct task *t, void *data),
               void *data, int timeout_ms);

/* Prints the errors of those that failed; the exit status: 0 or EXIT_OURS. */
int tasks_report(const struct cli *c, const struct tasks *t);

/*
 * The whole of a verb for the workloads its arguments name: finds them, then calls `work`, whose
 * exit status it returns.
 */
typedef int tasks_work_fn(struct cli *c, const struct dirs *d, struct tasks *t, void *data);
int tasks_run(struct cli *c, tasks_work_fn *work, void *data);

/* tasks_ask() without end, an error for each that is not running, tasks_report(). */
int tasks_ask_living(struct cli *c, const struct dirs *d, struct tasks *t,
                     void (*ask)(struct task *t, void *data), void *data);

#endif
