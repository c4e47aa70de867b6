/* A monitor of its own for each test, over the fake boundary, and a client that waits for events.
 */
#ifndef COFFERDAM_TESTS_UNIT_MONITOR_KIT_H
#define COFFERDAM_TESTS_UNIT_MONITOR_KIT_H

#include "console/client.h"
#include "console/state.h"
#include "console/wire.h"
#include "tests/unit/unit.h"

#include <sys/types.h>

#define KIT_ID "0123456789ab"

struct kit {
    char *folder; /* owned; everything below it */
    struct dirs dirs;
    pid_t monitor;
};

/* What a client has seen. */
struct seen {
    struct client *client;
    char *text;          /* owned; the screen as lines, without trailing blanks */
    struct buf out, err; /* streams */
    bool out_ended, err_ended;
    struct buf log, report, state;
    struct wire_sample sample;
    bool sampled;
    unsigned logs_ended, screens, dones, done_errors, starts, fails, exits;
    int fail_code, status;
    char *reason; /* owned */
    bool may_type, closed;
    unsigned viewers;
    uint64_t history_first;
    size_t history_count;
    uint16_t rows, cols;
};

void kit_init(struct kit *k);
/* Starts a monitor; `plan` is the fake's, without id and name; its first client is `s`. */
void kit_start(struct kit *k, struct seen *s, const char *plan);
void kit_start_as(struct kit *k, struct seen *s, const char *id, const char *name,
                  const char *plan);
void kit_connect(struct kit *k, struct seen *s);
int kit_end(struct kit *k); /* waits for the monitor: its exit status, or -signal */
void kit_done(struct kit *k);

void seen_done(struct seen *s);
/* Goes away: a monitor stays two seconds for those who look at a screen that has ended. */
void seen_leave(struct seen *s);
/* Dispatches until `*flag` is true; the test fails after a bound that only a broken monitor meets.
 */
void seen_until(struct seen *s, bool (*when)(const struct seen *s, const void *data),
                const void *data);
bool seen_exit(const struct seen *s, const void *unused);
bool seen_done_once(const struct seen *s, const void *unused);
bool seen_text(const struct seen *s, const void *what);
bool seen_out(const struct seen *s, const void *what);
bool seen_start(const struct seen *s, const void *unused);
bool seen_fail(const struct seen *s, const void *unused);
bool seen_close(const struct seen *s, const void *unused);
bool seen_typist(const struct seen *s, const void *unused);
bool seen_log_end(const struct seen *s, const void *unused);
bool seen_state(const struct seen *s, const void *unused);
bool seen_sample(const struct seen *s, const void *unused);

#endif
