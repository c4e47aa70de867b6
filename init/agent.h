/*
 * The agent protocol between the host and cofferdam-init: PID 1 of a native container (over a
 * socketpair) and of a guest (over virtio-serial or vsock). Version, frames, hard limits; the codec
 * does no I/O.
 *
 * A frame is struct agent_head, then `size` bytes. All integers are little-endian. Strings in a
 * payload are NUL-terminated, one behind the other. A reader drops the connection at the first
 * frame that is too long, unknown or malformed: whatever the agent says is the workload's own word.
 *
 * A channel is a command: 0 is main, others are numbered by the host. Where the transport can carry
 * descriptors (a socketpair) the channel's streams travel once, attached to AGENT_STARTED: the pty
 * master, or the host's ends of three pipes. Elsewhere they are AGENT_DATA frames with credit.
 */
#ifndef COFFERDAM_INIT_AGENT_H
#define COFFERDAM_INIT_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AGENT_VERSION 1
#define AGENT_FRAME_MAX                                                      \
    (256u * 1024) /* bytes behind the head, a command's environment included \
                   */
#define AGENT_CHANNELS_MAX 64
#define AGENT_FD 3 /* where cofferdam-init finds its socket in a container */

enum agent_type {
    /* host to agent */
    AGENT_START = 1, /* struct agent_start + strings: run a command on this channel */
    AGENT_SIGNAL,    /* u32 signo: to the channel's process group; channel ~0: to all but PID 1 */
    AGENT_RESIZE,    /* u16 rows, u16 cols (where no pty master travelled) */
    AGENT_COPY_IN,   /* string path; records follow on the attached descriptor (or as DATA);
                        `channel` is the transfer's number */
    AGENT_COPY_OUT,  /* string path; likewise */
    AGENT_FREEZE,    /* u8: 1 stop every process but PID 1, 0 go on (where no freezer exists) */
    AGENT_SHUTDOWN,  /* end everything, then PID 1 */
    AGENT_CREDIT,    /* u32 bytes more may be sent as DATA */
    AGENT_PING,      /* echoed as PONG */
    /* agent to host */
    AGENT_HELLO = 64, /* u32 version, u32 features; first frame of all */
    AGENT_STARTED,    /* u32 pid inside; descriptors attached */
    AGENT_FAILED,     /* u32 errno + string: which step ("exec", "chdir", "user", "terminal") */
    AGENT_EXITED,     /* u32 status, as the shell counts */
    AGENT_COPIED,     /* u32 errno (0: well) + string */
    AGENT_DATA,       /* u8 stream (0 in, 1 out, 2 err) + bytes; no bytes: end of file. both ways */
    AGENT_PONG,
};

struct agent_head {
    uint32_t size; /* bytes of payload */
    uint16_t type; /* enum agent_type */
    uint16_t channel;
};
_Static_assert(sizeof(struct agent_head) == 8, "the wire's layout");

/* Payload of AGENT_START, then the strings: cwd, user (empty: as uid/gid say), argv…, env…. */
struct agent_start {
    uint32_t flags; /* AGENT_START_… */
    uint32_t uid, gid;
    uint32_t groups_count; /* at most 32; u32 each stand between this struct and the strings */
    uint32_t argc, envc;
    uint32_t umask;
    uint16_t rows, cols;
};
_Static_assert(sizeof(struct agent_start) == 32, "the wire's layout");
enum {
    AGENT_START_TERMINAL = 1,
    AGENT_START_USER_NAME = 2, /* `user` is a name or UID[:GID] to look up inside, in /etc/passwd */
};

/*
 * What a container's set-up leaves for PID 1: descriptors 0, 1, 2 on /dev/null, the socket at
 * AGENT_FD, nothing else; the root pivoted, working directory "/"; no_new_privs and the workload's
 * seccomp filter already on. The bounding set holds exactly the capabilities of the plan. The
 * permitted and effective sets hold these and, where ids are to be switched, CAP_SETUID, CAP_SETGID
 * and CAP_KILL (carried over exec in the inheritable set of uid 0: capset(2) must put
 * them there before the bounding set loses them). A command of uid 0 gets the bounding set as
 * permitted and effective; any other uid gets none; inheritable and ambient sets are empty, as
 * docker has it. Only where one id is all there is, and it is not 0, the ambient set holds the
 * plan's capabilities, and every command keeps them.
 */

/*
 * A frame taken apart. `payload` points into the reader's buffer. Returns the bytes consumed, 0 if
 * more are needed, -EBADMSG if the stream is broken for good.
 */
struct agent_frame {
    enum agent_type type;
    uint16_t channel;
    const char *payload;
    uint32_t size;
};
long agent_decode(const char *data, size_t size, struct agent_frame *ret);

/* Writes a head for `size` bytes of payload. */
void agent_encode_head(struct agent_head *ret, enum agent_type type, uint16_t channel,
                       uint32_t size);

/* 0 if `data` is exactly `count` NUL-terminated strings, one behind the other, else -EBADMSG. */
int agent_strings(const char *data, size_t size, uint32_t count);

/* START taken apart: the vectors point into the payload. Bounds and NULs are checked. -EBADMSG. */
struct agent_command {
    struct agent_start head;
    uint32_t groups[32];
    const char *cwd, *user;
    const char *strings; /* argc then envc NUL-terminated strings */
};
int agent_decode_start(const struct agent_frame *f, struct agent_command *ret);

#endif
