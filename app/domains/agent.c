/* What qemu-guest-agent does in a guest that has it: qemu-ga-ref(7). All it says is the guest's
 * word. */
#include "app/domains/domains.h"

#include "app/domains/say.h"
#include "base/fd.h"
#include "base/loop.h"
#include "base/str.h"

#include <libvirt/libvirt-qemu.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { AGENT_FD_WISH = DOMAIN_FD_CONTROL + 1, AGENT_FD_OUT, AGENT_FD_ERR };
enum {
    AGENT_ANSWER_S = 5,
    AGENT_FIRST_MS = 20,
    AGENT_MOST_MS = 500,
    AGENT_THAW_MS = 15000,
    AGENT_WISH_MOST = 1 << 20
};

/* --- asking ----------------------------------------------------------------------------------- */

static struct {
    uint32_t console;
    bool begun;
} agent_asked;

/* Nothing has been said to its output before: a line has room there. */
static void agent_hangs(void)
{
    struct error e;
    error_set(&e, ETIMEDOUT, "libvirt does not answer; the command may run on");
    if (agent_asked.begun) {
        fd_write_full(AGENT_FD_ERR, e.text, strlen(e.text));
        domains_say(DOMAIN_EXITED, agent_asked.console, 125, NULL);
    } else {
        domains_say(DOMAIN_EXECED, agent_asked.console, 0, &e);
    }
    _exit(0);
}

/* The answer's "return"; the caller's; NULL with error. */
static json_t *agent_ask(virDomainPtr d, const char *verb, json_t *arguments, struct error *e)
{
    json_t *j = json_pack("{s:s, s:o}", "execute", verb, "arguments", arguments);
    autofree char *text = json_dumps(j, JSON_COMPACT);
    json_decref(j);
    domains_limit(CONNECT_S, agent_hangs); /* a place for a command is not kept for ever */
    char *said = text ? virDomainQemuAgentCommand(d, text, AGENT_ANSWER_S, 0) : NULL;
    domains_limit(0, NULL);
    if (!said) {
        domains_error(e, "its agent");
        if (strstr(e->text, "not connected") || strstr(e->text, "not available"))
            error_set(e, EOPNOTSUPP,
                      "no qemu-guest-agent answers in it: install and start that inside, or attach "
                      "to its console");
        else if (strstr(e->text, "No such file"))
            e->code = ENOENT;
        else if (strstr(e->text, "Permission denied"))
            e->code = EACCES;
        return NULL;
    }
    json_t *answer = json_loads(said, 0, NULL);
    free(said);
    json_t *value = answer ? json_incref(json_object_get(answer, "return")) : NULL;
    json_decref(answer);
    if (!value)
        error_set(e, EPROTO, "its agent says nothing that can be read");
    return value;
}

/* --- a command -------------------------------------------------------------------------------- */

static int agent_digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* Base64, RFC 4648. What is none ends it. */
static void agent_tell(int fd, const char *text)
{
    struct buf b = {0};
    unsigned bits = 0, held = 0;
    for (int digit; text && (digit = agent_digit(*text)) >= 0; text++) {
        held = held << 6 | (unsigned)digit;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            buf_putc(&b, (char)(held >> bits & 0xff));
        }
    }
    if (b.used)
        fd_write_full(fd, b.data, b.used);
    buf_done(&b);
}

/* The agent tells of no end by itself. NULL: nobody wants to know any more, or with error. */
static json_t *agent_await(virDomainPtr d, json_int_t pid, struct error *e)
{
    int wait = AGENT_FIRST_MS;
    for (;;) {
        struct pollfd reader = {.fd = AGENT_FD_OUT};
        json_t *status = agent_ask(d, "guest-exec-status", json_pack("{s:I}", "pid", pid), e);
        if (!status || json_is_true(json_object_get(status, "exited")))
            return status;
        json_decref(status);
        if (poll(&reader, 1, wait) > 0)
            return NULL;
        wait = MIN(wait * 2, (int)AGENT_MOST_MS);
    }
}

static int agent_status(const json_t *status)
{
    const json_t *signal = json_object_get(status, "signal");
    return signal ? 128 + (int)(json_integer_value(signal) & 127)
                  : (int)(json_integer_value(json_object_get(status, "exitcode")) & 255);
}

static int agent_run(virDomainPtr d, uint32_t console, json_t *wish, struct error *e)
{
    struct error why = {0};
    json_t *begun = agent_ask(d, "guest-exec", wish, e);
    if (!begun)
        return -e->code;
    json_int_t pid = json_integer_value(json_object_get(begun, "pid"));
    json_decref(begun);
    domains_say(DOMAIN_EXECED, console, (int32_t)pid, NULL);
    agent_asked.begun = true;
    json_t *status = agent_await(d, pid, &why);
    agent_tell(AGENT_FD_OUT, json_string_value(json_object_get(status, "out-data")));
    agent_tell(AGENT_FD_ERR,
               status ? json_string_value(json_object_get(status, "err-data")) : NULL);
    if (!status && why.code)
        fd_write_full(AGENT_FD_ERR, why.text, strlen(why.text));
    fd_close(AGENT_FD_OUT);
    fd_close(AGENT_FD_ERR);
    domains_say(DOMAIN_EXITED, console, status ? agent_status(status) : 125, NULL);
    json_decref(status);
    return 0;
}

static json_t *agent_wish(struct error *e)
{
    struct buf b = {0};
    char piece[4096];
    for (ssize_t n;
         (n = read(AGENT_FD_WISH, piece, sizeof(piece))) > 0 && b.used < AGENT_WISH_MOST;)
        buf_add(&b, piece, (size_t)n);
    json_t *wish = b.used ? json_loadb(b.data, b.used, 0, NULL) : NULL;
    buf_done(&b);
    if (!wish)
        error_set(e, EINVAL, "the guest's agent takes UTF-8 alone");
    return wish;
}

int domains_agent(const char *uri, const char *id, const char *console)
{
    struct error e = {0};
    uint64_t number = 0;
    str_to_uint(console, &number);
    json_t *wish = agent_wish(&e);
    agent_asked.console = (uint32_t)number;
    domains_limit(CONNECT_S, agent_hangs);
    virConnectPtr c = wish ? domains_connect(uri, &e) : NULL;
    virDomainPtr d = c ? domains_find(c, id) : NULL;
    if (c && !d)
        error_set(&e, ESRCH, "it is not running");
    if (!d || agent_run(d, (uint32_t)number, wish, &e) < 0)
        domains_say(DOMAIN_EXECED, (uint32_t)number, 0, &e);
    if (!d)
        json_decref(wish);
    domains_limit(CONNECT_S, NULL); /* all has been told */
    if (d)
        virDomainFree(d);
    if (c)
        virConnectClose(c);
    return 0;
}

/* --- its file systems, its addresses ---------------------------------------------------------- */

/* "QEMU guest agent is not connected", and not configured. */
static bool agent_is_none(void)
{
    int code = virGetLastErrorCode();
    return code == VIR_ERR_ARGUMENT_UNSUPPORTED ||
           (code == VIR_ERR_AGENT_UNRESPONSIVE &&
            strstr(virGetLastErrorMessage(), "not connected"));
}

static void agent_note(const char *what)
{
    struct error e;
    domains_error(&e, what);
    domains_say(DOMAIN_NOTE, 0, 0, &e);
}

bool domains_agent_hold(virDomainPtr d)
{
    virDomainAgentSetResponseTimeout(d, AGENT_ANSWER_S, 0);
    if (virDomainFSFreeze(d, NULL, 0, 0) >= 0)
        return true;
    if (agent_is_none())
        return false;
    agent_note("its file systems were not held still for a snapshot");
    return true; /* they may yet be: whoever is late does it all the same */
}

void domains_agent_let_go(virDomainPtr d)
{
    uint64_t until = loop_now_ms() + AGENT_THAW_MS;
    while (virDomainFSThaw(d, NULL, 0, 0) < 0) {
        if (virGetLastErrorCode() == VIR_ERR_OPERATION_INVALID || /* it does not run */
            loop_now_ms() >= until) {
            agent_note("its file systems may stand still since a snapshot");
            return;
        }
        poll(NULL, 0, AGENT_MOST_MS);
    }
}

static void addresses_add(json_t *list, const virDomainInterface *one)
{
    for (unsigned i = 0; i < one->naddrs; i++) {
        autofree char *name = str_escape_z(one->name), *addr = str_escape_z(one->addrs[i].addr);
        if (!str_starts(addr, "127.") && !str_equal(addr, "::1"))
            json_array_append_new(list, json_pack("{s:s, s:s, s:i}", "interface", name, "address",
                                                  addr, "prefix", (int)one->addrs[i].prefix));
    }
}

int domains_addresses(const char *uri, const char *id)
{
    struct error e;
    virDomainInterfacePtr *of = NULL;
    domains_limit(AGENT_ANSWER_S, NULL);
    virConnectPtr c = domains_connect(uri, &e);
    virDomainPtr d = c ? domains_find(c, id) : NULL;
    if (d)
        virDomainAgentSetResponseTimeout(d, AGENT_ANSWER_S - 2, 0);
    int count =
        d ? virDomainInterfaceAddresses(d, &of, VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT, 0) : 0;
    json_t *list = json_array();
    for (int i = 0; i < count; i++) {
        addresses_add(list, of[i]);
        virDomainInterfaceFree(of[i]);
    }
    free(of);
    json_dumpf(list, stdout, JSON_COMPACT);
    json_decref(list);
    if (d)
        virDomainFree(d);
    if (c)
        virConnectClose(c);
    return 0;
}
