/* What a guest says of itself, and how it holds still. */
#include "init/guest.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

enum { STATE_RESTS = 3, STATE_REST_MS = 20 };

static void state_text(char *to, size_t room, const char *from)
{
    struct guest_text t = {.to = to, .room = room};
    guest_put(&t, from);
}

void state_ready(void)
{
    struct agent_ready ready = {.seeded = steps_seeded};
    struct timespec now = {0};
    struct utsname names = {0};
    struct sysinfo info = {0};
    char id[64] = "";
    guest_phases[AGENT_PHASE_READY] = guest_now_us();
    memcpy(ready.phase_us, guest_phases, sizeof(ready.phase_us));
    syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
    ready.realtime_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    if (syscall(SYS_sysinfo, &info) == 0)
        ready.memory = (uint64_t)info.totalram * info.mem_unit;
    if (syscall(SYS_uname, &names) == 0)
        state_text(ready.hostname, sizeof(ready.hostname), names.nodename);
    autoclose int file = tree_open("/etc/machine-id", O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    ssize_t n = file < 0 ? 0 : read(file, id, sizeof(id) - 1);
    for (ssize_t i = 0; i < n; i++)
        if (id[i] == '\n')
            id[i] = 0;
    state_text(ready.machine_id, sizeof(ready.machine_id), id);
    net_read_mac(ready.mac);
    wire_send(AGENT_READY, 0, &ready, sizeof(ready), NULL, 0);
}

/* --- figures -----------------------------------------------------------------------------------
 */

/* The number behind a word at the beginning of a line, or UINT64_MAX. */
static uint64_t state_find(const char *text, const char *word)
{
    size_t size = strlen(word);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, word, size) != 0)
            continue;
        line += size;
        while (*line == ' ' || *line == ':')
            line++;
        return guest_number(&line);
    }
    return UINT64_MAX;
}

static uint64_t state_kilo(const char *text, const char *word)
{
    uint64_t n = state_find(text, word);
    return n == UINT64_MAX ? n : n * 1024;
}

/* Of the first line of /proc/stat, in hundredths of a second: all but idle and waiting for disks.
 */
static uint64_t state_cpu(const char *text)
{
    uint64_t busy = 0;
    const char *p = text;
    if (strncmp(p, "cpu ", 4) != 0)
        return UINT64_MAX;
    p += 4;
    for (int i = 0; i < 8; i++) {
        while (*p == ' ')
            p++;
        uint64_t n = guest_number(&p);
        if (i != 3 && i != 4)
            busy += n;
    }
    return busy * 10000;
}

void state_sample(void)
{
    static char text[16384];
    struct agent_sample s;
    struct sysinfo info;
    struct statfs fs;
    memset(&s, 0xff, sizeof(s));
    if (syscall(SYS_sysinfo, &info) == 0) {
        s.memory = (uint64_t)info.totalram * info.mem_unit;
        s.memory_free = (uint64_t)info.freeram * info.mem_unit;
        s.swap = (uint64_t)info.totalswap * info.mem_unit;
        s.swap_free = (uint64_t)info.freeswap * info.mem_unit;
        s.tasks = info.procs;
        for (int i = 0; i < 3; i++)
            s.load[i] = (uint64_t)info.loads[i] * 1000 >> 16;
    }
    s.uptime_us = guest_now_us();
    if (guest_read_file(guest_proc, "meminfo", text, sizeof(text)) > 0) {
        s.memory_available = state_kilo(text, "MemAvailable");
        s.memory_cached = state_kilo(text, "Cached");
    }
    if (guest_read_file(guest_proc, "vmstat", text, sizeof(text)) > 0)
        s.oom_kills = state_find(text, "oom_kill");
    if (guest_read_file(guest_proc, "stat", text, sizeof(text)) > 0)
        s.cpu_busy_us = state_cpu(text);
    if (steps_scratch >= 0 && fstatfs(steps_scratch, &fs) == 0) {
        s.scratch = (uint64_t)fs.f_blocks * (uint64_t)fs.f_bsize;
        s.scratch_free = (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize;
    }
    wire_send(AGENT_SAMPLED, 0, &s, sizeof(s), NULL, 0);
}

/* --- holding still -----------------------------------------------------------------------------
 */

static bool state_frozen[sizeof(steps_disks) / sizeof(steps_disks[0])];

static int state_thaw(void)
{
    int r = 0;
    for (size_t i = 0; i < sizeof(steps_disks) / sizeof(steps_disks[0]); i++) {
        if (state_frozen[i] && ioctl(steps_disks[i], FITHAW, 0) < 0 && errno != EINVAL)
            r = -errno;
        state_frozen[i] = false;
    }
    return r;
}

/* Freezing writes everything out first. */
static int state_freeze(void)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < sizeof(steps_disks) / sizeof(steps_disks[0]); i++) {
        if (steps_disks[i] < 0)
            continue;
        r = ioctl(steps_disks[i], FIFREEZE, 0) < 0 ? -errno : 0;
        state_frozen[i] = r == 0;
    }
    if (r < 0)
        state_thaw();
    return r;
}

/* From here on it is before all others, or a clone would answer when they have done their part. */
static void state_first(void)
{
    const struct sched_attr first = {
        .size = sizeof(first), .sched_flags = SCHED_FLAG_RESET_ON_FORK, .sched_nice = -20};
    syscall(SYS_sched_setattr, 0, &first, 0);
}

/*
 * Nothing tells when a kernel has nothing left to do. What is under way in it when it stops each
 * clone has to end first, and emulated that takes longer than all that is asked of one. What ends
 * once the disks stand still is for both lives to tell.
 */
static int state_rest(void)
{
    for (int i = 0; i < STATE_RESTS; i++) {
        poll(NULL, 0, STATE_REST_MS);
        reap_children();
    }
    int r = state_freeze();
    if (r == 0) {
        state_first();
        poll(NULL, 0, STATE_REST_MS);
    }
    return r;
}

int state_quiesce(const struct agent_frame *f, bool *ret_quiet)
{
    if (f->size != 1)
        return -EBADMSG;
    int how = f->payload[0], r;
    uint32_t hello[2] = {AGENT_VERSION, 0};
    switch (how) {
    case AGENT_QUIESCE_ON:
        r = *ret_quiet ? 0 : state_rest();
        break;
    case AGENT_QUIESCE_OFF:
        r = state_thaw();
        break;
    case AGENT_QUIESCE_ADOPT:
        r = state_thaw();
        wire_send(AGENT_HELLO, 0, hello, sizeof(hello), NULL, 0);
        pump_adopt();
        break;
    default:
        return -EBADMSG;
    }
    *ret_quiet = how == AGENT_QUIESCE_ON && r == 0;
    wire_send_result(AGENT_QUIET, 0, -r, r < 0 ? "freezing the disks" : "");
    return 0;
}
