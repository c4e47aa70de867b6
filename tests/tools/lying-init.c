/*
 * A PID 1 for guests that does what it is told until the command runs, and then lies on the agent's
 * port. Which lie is the last word of the command (LIE, or `changes-LIE` for when it is asked what
 * changed), of a command beside it, or the path of a copy.
 */
#include "init/agent.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/records.h"
#include "tests/tools/guest-port.h"

static int port;
static char in[AGENT_FRAME_MAX + sizeof(struct agent_head)];
static char said[256]; /* by main's command */
static uint16_t late;  /* a command that begins when the copy of /begin is asked for */
static struct stream {
    uint32_t credit;
    enum { NOTHING, NOISE, CHANGES, LONG_CHANGES, ZEROS } endless;
    uint16_t channel;
} streams[AGENT_CHANNELS_MAX + AGENT_TRANSFERS_MAX];

/* What is said in one turn comes in one piece, as far as the driver can. */
static char out[1 << 20];
static size_t out_used;

static void flush(void)
{
    for (size_t done = 0; done < out_used;) {
        ssize_t n = write(port, out + done, out_used - done);
        done += n > 0 ? (size_t)n : 0;
    }
    out_used = 0;
}

static void put(const void *data, size_t size)
{
    if (out_used + size > sizeof(out))
        flush();
    memcpy(out + out_used, data, size);
    out_used += size;
}

static void say(uint16_t type, uint16_t channel, const void *payload, size_t size)
{
    static char frame[sizeof(struct agent_head) + AGENT_FRAME_MAX];
    struct agent_head head = {(uint32_t)size, type, channel};
    memcpy(frame, &head, sizeof(head));
    if (size)
        memcpy(frame + sizeof(head), payload, size);
    put(frame, sizeof(head) + size);
}

static void say_number(uint16_t type, uint16_t channel, uint32_t number)
{
    say(type, channel, &number, sizeof(number));
}

static void say_text(uint16_t type, uint16_t channel, uint32_t number, const char *text)
{
    char payload[512];
    memcpy(payload, &number, sizeof(number));
    strcpy(payload + sizeof(number), text);
    say(type, channel, payload, sizeof(number) + strlen(text) + 1);
}

static void say_data(uint16_t channel, const void *data, size_t size)
{
    static char payload[1 + AGENT_FRAME_MAX];
    payload[0] = 1;
    if (size)
        memcpy(payload + 1, data, size);
    say(AGENT_DATA, channel, payload, 1 + size);
}

static struct stream *stream_of(uint16_t channel)
{
    unsigned n =
        channel < AGENT_CHANNELS_MAX ? channel : AGENT_CHANNELS_MAX + (channel - AGENT_TRANSFER);
    struct stream *s = &streams[n];
    s->channel = channel;
    return s;
}

/* --- lies of main's --------------------------------------------------------------------------- */

static void say_ready(void)
{
    static struct agent_ready ready;
    strcpy(ready.hostname, "liar");
    ready.memory = 1;
    say(AGENT_READY, 0, &ready, sizeof(ready));
}

static void fill_memory(void)
{
    for (;;) {
        char *p = malloc(1 << 20);
        if (p)
            memset(p, 'x', 1 << 20);
    }
}

static void reopen(void)
{
    for (int i = 0; i < 50; i++) {
        close(port);
        port = open_port();
    }
}

static void end_somehow(const char *how)
{
    flush();
    if (!strcmp(how, "reboot"))
        reboot(RB_AUTOBOOT);
    if (!strcmp(how, "halt"))
        reboot(RB_HALT_SYSTEM);
    if (!strcmp(how, "panic"))
        _exit(0);
    if (!strcmp(how, "off"))
        reboot(RB_POWER_OFF);
    while (!strcmp(how, "mute"))
        pause();
    while (!strcmp(how, "forks"))
        (void)!fork();
    if (!strcmp(how, "memory"))
        fill_memory();
    if (!strcmp(how, "reopened"))
        reopen();
    if (!strcmp(how, "closed"))
        close(port);
    while (!strcmp(how, "closed"))
        pause();
    if (!strcmp(how, "debug-exit") && iopl(3) == 0) {
        outb(3, 0xf4);
        outb(3, 0x501);
    }
    if (!strcmp(how, "reset") && iopl(3) == 0)
        for (;;) {
            outb(0xfe, 0x64);
            outb(6, 0xcf9);
        }
}

static void lie(const char *how)
{
    static const char noise[64 * 1024] = "noise";
    if (strncmp(how, "later-", 6) == 0) {
        flush();
        usleep(300000);
        how += 6;
    }
    if (!strncmp(how, "end-", 4))
        end_somehow(how + 4);
    if (!strcmp(how, "twice"))
        say_number(AGENT_STARTED, 0, 2);
    if (!strcmp(how, "half"))
        put("\x10\0\0\0\x45", 5);
    if (!strcmp(how, "huge"))
        put("\xff\xff\xff\x7f\x45\0\0\0", 8);
    if (!strcmp(how, "zero-data"))
        say(AGENT_DATA, 0, NULL, 0);
    if (!strcmp(how, "ended-by-nobody"))
        say_number(AGENT_EXITED, 9, 0);
    if (!strcmp(how, "data-of-nobody"))
        say_data(9, "x", 1);
    if (!strcmp(how, "data-of-no-copy"))
        say_data(AGENT_TRANSFER + 3, "x", 1);
    if (!strcmp(how, "data-of-no-channel"))
        say_data(0xffff, "x", 1);
    if (!strcmp(how, "copied-by-nobody"))
        say_text(AGENT_COPIED, 2, 0, "");
    if (!strcmp(how, "quiet"))
        say_text(AGENT_QUIET, 0, 0, "");
    if (!strcmp(how, "sampled"))
        say(AGENT_SAMPLED, 0, noise, sizeof(struct agent_sample));
    if (!strcmp(how, "ready"))
        say_ready();
    if (!strcmp(how, "running"))
        say(AGENT_RUNNING, 0, noise, sizeof(struct agent_running));
    if (!strcmp(how, "status"))
        say_number(AGENT_EXITED, 0, 256);
    if (!strcmp(how, "too-much"))
        for (int i = 0; i < 64; i++)
            say_data(0, noise, AGENT_DATA_MAX);
    if (!strcmp(how, "credit"))
        say(AGENT_CREDIT, 0, &(struct agent_credit){UINT32_MAX, 0}, 8);
    if (!strcmp(how, "ended-twice"))
        say_number(AGENT_EXITED, 0, 0), say_number(AGENT_EXITED, 0, 0);
    if (!strcmp(how, "host-word"))
        say(AGENT_SHUTDOWN, 0, NULL, 0);
    if (!strcmp(how, "unknown"))
        say(0x7777, 0, NULL, 0);
    if (!strcmp(how, "broken-late"))
        say_text(AGENT_BROKEN, 0, 5, "\033[2J\033]0;owned\a it was not me");
}

/* --- lies about a command, a copy, a list ------------------------------------------------------
 */

static void lie_of_command(uint16_t channel, const char *how)
{
    struct stream *s = stream_of(channel);
    if (!strcmp(how, "never"))
        return;
    if (!strcmp(how, "late")) {
        late = channel;
        return;
    }
    if (!strcmp(how, "cannot")) {
        say_text(AGENT_FAILED, channel, 0xffffffff, "\033[2Jstep");
        return;
    }
    say_number(AGENT_STARTED, channel, 2);
    s->credit = AGENT_WINDOW;
    if (!strcmp(how, "endless"))
        s->endless = NOISE;
    if (!strcmp(how, "twice"))
        say_number(AGENT_STARTED, channel, 3);
    if (!strcmp(how, "ends")) {
        say_number(AGENT_EXITED, channel, 5);
        say_data(channel, NULL, 0);
        say(AGENT_DATA, channel, "\2", 1);
    }
}

static void record(uint16_t channel, uint8_t type, const char *name, size_t name_size,
                   const char *link, uint64_t size, const char *content)
{
    char bytes[16384];
    struct record_head h = {.type = type,
                            .mode = type == RECORD_END ? 0 : 0777,
                            .size = size,
                            .name_size = (uint16_t)name_size,
                            .link_size = (uint16_t)strlen(link)};
    memcpy(bytes, &h, sizeof(h));
    memcpy(bytes + sizeof(h), name, name_size);
    memcpy(bytes + sizeof(h) + name_size, link, strlen(link));
    size_t used = sizeof(h) + name_size + strlen(link);
    memcpy(bytes + used, content, strlen(content));
    say_data(channel, bytes, used + strlen(content));
}

static void lie_of_copy(uint16_t n, const char *how)
{
    uint16_t c = AGENT_TRANSFER + n;
    struct stream *s = stream_of(c);
    uint8_t end = RECORD_END;
    s->credit = AGENT_WINDOW;
    if (!strcmp(how, "/never"))
        return;
    if (!strcmp(how, "/begin")) {
        say_number(AGENT_STARTED, late, 2);
        say_text(AGENT_COPIED, n, 13, "");
        return;
    }
    if (!strcmp(how, "/zeros")) {
        record(c, RECORD_FILE, "f", 1, "", (uint64_t)1 << 50, "");
        s->credit -= 33;
        s->endless = ZEROS;
        return;
    }
    if (!strcmp(how, "/error")) {
        say_text(AGENT_COPIED, n, 13, "\033[2J\033]0;owned\a");
        return;
    }
    if (!strcmp(how, "/nothing")) {
        say_text(AGENT_COPIED, n, 0, "");
        return;
    }
    if (!strcmp(how, "/cut")) {
        record(c, RECORD_FILE, "f", 1, "", 100, "ten bytes.");
    } else if (!strcmp(how, "/device")) {
        record(c, 7, "f", 1, "", 0, "");
    } else {
        record(c, RECORD_DIR, "d", 1, "", 0, "");
        if (!strcmp(how, "/up"))
            record(c, RECORD_FILE, "../up", 5, "", 1, "x");
        if (!strcmp(how, "/absolute"))
            record(c, RECORD_FILE, "/tmp/up", 7, "", 1, "x");
        if (!strcmp(how, "/nul"))
            record(c, RECORD_FILE, "a\0b", 3, "", 1, "x");
        if (!strcmp(how, "/through")) {
            record(c, RECORD_LINK, "l", 1, "..", 0, "");
            record(c, RECORD_FILE, "l/up", 4, "", 1, "x");
        }
        if (!strcmp(how, "/escape"))
            record(c, RECORD_FILE, "\033[2J", 4, "", 1, "x");
    }
    record(c, end, "", 0, "", 0, "");
    say_data(c, NULL, 0);
    say_text(AGENT_COPIED, n, 0, "");
}

static void lie_of_changes(uint16_t n)
{
    struct stream *s = stream_of(AGENT_TRANSFER + n);
    static const char none[5];
    s->credit = AGENT_WINDOW;
    if (!strcmp(said, "changes-never"))
        return;
    if (!strcmp(said, "changes-endless"))
        s->endless = CHANGES;
    else if (!strcmp(said, "changes-long"))
        s->endless = LONG_CHANGES;
    else if (!strcmp(said, "changes-up"))
        say_data(s->channel, &(struct agent_change){.mode = 0100644, .name_size = 0}, 16);
    else {
        if (!strcmp(said, "changes-cut"))
            say_data(s->channel, "abc", 3);
        say_data(s->channel, NULL, 0);
        say(AGENT_COPIED, n, none, sizeof(none));
    }
}

static void go_on(struct stream *s)
{
    static char bytes[AGENT_DATA_MAX];
    static unsigned number;
    size_t size = sizeof(bytes);
    memset(bytes, 0, sizeof(bytes));
    if (s->endless == NOISE)
        memset(bytes, 'n', sizeof(bytes));
    if (s->endless == CHANGES || s->endless == LONG_CHANGES) {
        size_t name = s->endless == CHANGES ? 20 : 4096;
        for (size = 0; size + 16 + name <= sizeof(bytes); size += 16 + name) {
            struct agent_change a = {.mode = 0100644, .name_size = (uint16_t)name, .size = 1};
            memcpy(bytes + size, &a, sizeof(a));
            memset(bytes + size + 16, 1, name);
            bytes[size + 16] = '/';
            for (int i = 0; i < 8; i++)
                bytes[size + 20 + i] = (char)('a' + (number >> (4 * i) & 15));
            number++;
        }
    }
    if (s->credit < size)
        return;
    s->credit -= (uint32_t)size;
    say_data(s->channel, bytes, size);
    flush();
}

/* --- what comes from the host ------------------------------------------------------------------
 */

static void on_frame(const struct agent_frame *f)
{
    static const char well[5];
    static struct agent_sample sample;
    struct agent_step_view step;
    struct agent_command command;
    struct agent_credit credit;
    const char *word;
    uint32_t signo;
    switch ((int)f->type) {
    case AGENT_STEP:
        if (agent_decode_step(f, &step) == 0 && step.head.kind == AGENT_STEP_END)
            say_ready();
        return;
    case AGENT_COPY_IN:
        return;
    case AGENT_DATA:
        if (f->channel >= AGENT_TRANSFER && f->size == 1)
            say(AGENT_COPIED, f->channel - AGENT_TRANSFER, well, sizeof(well));
        else if (f->channel >= AGENT_TRANSFER)
            say(AGENT_CREDIT, f->channel, &(struct agent_credit){f->size - 1, 0}, 8);
        return;
    case AGENT_START:
        if (agent_decode_start(f, &command) < 0)
            return;
        word = command.strings;
        for (uint32_t i = 1; i < command.head.argc; i++)
            word += strlen(word) + 1;
        if (f->channel) {
            lie_of_command(f->channel, word);
            return;
        }
        snprintf(said, sizeof(said), "%s", word);
        say_number(AGENT_STARTED, 0, 2);
        lie(word);
        return;
    case AGENT_CREDIT:
        memcpy(&credit, f->payload, sizeof(credit));
        stream_of(f->channel)->credit += credit.bytes;
        if (!credit.bytes && strcmp(said, "deaf") != 0)
            stream_of(f->channel)->endless = NOTHING;
        return;
    case AGENT_SIGNAL:
        memcpy(&signo, f->payload, sizeof(signo));
        if (late && f->channel == late)
            say_number(AGENT_EXITED, late, 128 + signo);
        return;
    case AGENT_SAMPLE:
        memset(&sample, 0xff, sizeof(sample));
        say(AGENT_SAMPLED, 0, &sample, sizeof(sample));
        return;
    case AGENT_COPY_OUT:
        lie_of_copy(f->channel, f->payload);
        return;
    case AGENT_CHANGES:
        lie_of_changes(f->channel);
        return;
    }
}

int main(void)
{
    static size_t used;
    static const uint32_t hello[2] = {AGENT_VERSION, 0};
    mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
    signal(SIGCHLD, SIG_IGN);
    load_modules();
    port = open_port();
    say(AGENT_HELLO, 0, hello, sizeof(hello));
    flush();
    for (;;) {
        bool busy = false;
        for (size_t i = 0; i < sizeof(streams) / sizeof(*streams); i++)
            if (streams[i].endless != NOTHING) {
                go_on(&streams[i]);
                busy |= streams[i].credit >= AGENT_DATA_MAX;
            }
        struct pollfd p = {.fd = port, .events = POLLIN};
        if (poll(&p, 1, busy ? 0 : 1000) <= 0 || !(p.revents & POLLIN))
            continue;
        ssize_t n = read(port, in + used, sizeof(in) - used);
        if (n <= 0)
            continue;
        used += (size_t)n;
        struct agent_frame f;
        for (long size; (size = agent_decode(in, used, &f)) > 0;) {
            on_frame(&f);
            flush();
            memmove(in, in + size, used - (size_t)size);
            used -= (size_t)size;
        }
    }
}
