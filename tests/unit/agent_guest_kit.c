#include "tests/unit/agent_guest_kit.h"

#include <sys/socket.h>

#define WORDS(...) ((char **)(const char *[]){__VA_ARGS__, NULL})

static void on_started(void *data, uint32_t n, pid_t pid, struct launch_streams *streams)
{
    ((struct peer *)data)->streams[n] = *streams;
}

static void on_failed(void *data, uint32_t n, const struct error *e)
{
    ((struct peer *)data)->failed[n] = e->code;
}

static void on_exited(void *data, uint32_t n, int status)
{
    ((struct peer *)data)->status[n] = status;
}

static void on_closed(void *data, const char *why)
{
    struct peer *p = data;
    p->closed = true;
    snprintf(p->why, sizeof(p->why), "%s", why ? why : "");
}

static void on_ready(void *data, const struct agent_ready *ready)
{
    ((struct peer *)data)->ready++;
}

static void on_quiet(void *data, const struct error *e)
{
    ((struct peer *)data)->quiet = e ? e->code : 0;
}

static void on_broken(void *data, const struct error *e)
{
    ((struct peer *)data)->broken = *e;
}

static void on_copied(void *data, uint32_t transfer, const struct error *e)
{
    struct peer *p = data;
    p->copied++;
    p->copy_code = e ? e->code : 0;
}

static void on_changes(void *data, struct changes *c, const struct error *e)
{
    struct peer *p = data;
    p->changes_count = e ? -e->code : (int)c->count;
    p->changes_cut = c->cut;
    p->changes_bytes = 0;
    for (size_t i = 0; i < c->count; i++)
        p->changes_bytes += strlen(c->list[i].path);
    if (c->count)
        snprintf(p->first_change, sizeof(p->first_change), "%s", c->list[0].path);
}

static const struct agent_host_events events = {
    .started = on_started,
    .failed = on_failed,
    .exited = on_exited,
    .closed = on_closed,
    .ready = on_ready,
    .quiet = on_quiet,
    .broken = on_broken,
    .copied = on_copied,
    .changes = on_changes,
};

int set_up(void **state)
{
    struct peer *p = NEW(struct peer);
    int pair[2];
    if (fd_socketpair(pair) < 0)
        return -1;
    p->host = agent_guest_new(pair[0]);
    p->socket = pair[1];
    for (size_t i = 0; i < 4; i++) {
        p->streams[i] = (struct launch_streams){FD_NONE, FD_NONE, FD_NONE, FD_NONE};
        p->status[i] = p->failed[i] = -1;
    }
    p->quiet = p->changes_count = -1;
    *state = p;
    return 0;
}

int tear_down(void **state)
{
    struct peer *p = *state;
    agent_host_free(p->host);
    fd_close(p->socket);
    for (size_t i = 0; i < 4; i++) {
        fd_close(p->streams[i].terminal);
        fd_close(p->streams[i].in);
        fd_close(p->streams[i].out);
        fd_close(p->streams[i].err);
    }
    free(p);
    return 0;
}

void turn(struct peer *p)
{
    for (int i = 0; i < 4; i++)
        agent_host_dispatch(p->host, &events, p);
}

void say(struct peer *p, enum agent_type type, uint16_t channel, const void *payload, size_t size)
{
    struct agent_head head;
    agent_encode_head(&head, type, channel, (uint32_t)size);
    assert_int_equal(fd_write_full(p->socket, &head, sizeof(head)), 0);
    assert_int_equal(fd_write_full(p->socket, payload, size), 0);
    turn(p);
}

void say_data(struct peer *p, uint16_t channel, unsigned stream, const char *bytes, size_t size)
{
    char payload[1 + AGENT_DATA_MAX] = {(char)stream};
    memcpy(payload + 1, bytes, size);
    say(p, AGENT_DATA, channel, payload, 1 + size);
}

void say_number(struct peer *p, enum agent_type type, uint16_t channel, uint32_t n)
{
    say(p, type, channel, &n, sizeof(n));
}

void say_result(struct peer *p, enum agent_type type, uint16_t channel, uint32_t code)
{
    char payload[5] = "";
    memcpy(payload, &code, sizeof(code));
    say(p, type, channel, payload, sizeof(payload));
}

unsigned hear(struct peer *p, char *to, size_t room, struct agent_head *head)
{
    turn(p);
    assert_int_equal(fd_read_full(p->socket, head, sizeof(*head)), 0);
    assert_true(head->size <= room);
    assert_int_equal(fd_read_full(p->socket, to, head->size), 0);
    return head->type;
}

bool silent(struct peer *p)
{
    char c;
    turn(p);
    return recv(p->socket, &c, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

void greet(struct peer *p)
{
    uint32_t hello[2] = {AGENT_VERSION, 0};
    say(p, AGENT_HELLO, 0, hello, sizeof(hello));
}

uint16_t ask_start(struct peer *p, uint32_t n, bool terminal)
{
    struct error e;
    struct agent_head head;
    char payload[4096];
    struct agent_host_command c = {
        .argv = WORDS("x"), .env = WORDS("A=b"), .cwd = "/", .terminal = terminal};
    assert_int_equal(agent_host_start(p->host, n, &c, &e), 0);
    assert_int_equal(hear(p, payload, sizeof(payload), &head), AGENT_START);
    return head.channel;
}

void start(struct peer *p, uint32_t n, bool terminal)
{
    say_number(p, AGENT_STARTED, ask_start(p, n, terminal), 5);
}
