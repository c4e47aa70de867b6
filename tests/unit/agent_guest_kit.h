/* The host's side of a guest over a socket, with a made-up guest at the other end. */
#ifndef COFFERDAM_TESTS_UNIT_AGENT_GUEST_KIT_H
#define COFFERDAM_TESTS_UNIT_AGENT_GUEST_KIT_H

#include "backends/agent/agent_guest.h"

#include "base/fd.h"
#include "tests/unit/unit.h"

struct peer {
    struct agent_host *host; /* owned */
    int socket;              /* owned; the guest's end */
    struct launch_streams streams[4];
    int status[4], failed[4];
    int ready, quiet, changes_count;
    bool changes_cut;
    size_t changes_bytes; /* of paths */
    char first_change[64];
    struct error broken;
    int copied; /* how often told */
    int copy_code;
    bool closed;
    char why[128];
};

/* Of each test, with a peer of its own. */
int set_up(void **state);
int tear_down(void **state);
#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

void turn(struct peer *p); /* the host's loop */

/* The guest says this, and the host hears it. */
void say(struct peer *p, enum agent_type type, uint16_t channel, const void *payload, size_t size);
void say_data(struct peer *p, uint16_t channel, unsigned stream, const char *bytes, size_t size);
void say_number(struct peer *p, enum agent_type type, uint16_t channel, uint32_t n);
void say_result(struct peer *p, enum agent_type type, uint16_t channel, uint32_t code);
void greet(struct peer *p);

/* What the host says next: its type; the payload is kept in `to`. */
unsigned hear(struct peer *p, char *to, size_t room, struct agent_head *head);
bool silent(struct peer *p); /* it says nothing */

uint16_t ask_start(struct peer *p, uint32_t n, bool terminal); /* the channel it is heard on */
void start(struct peer *p, uint32_t n, bool terminal);         /* and has started */

#endif
