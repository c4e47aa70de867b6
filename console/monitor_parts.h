/* What the monitor's files share. Nobody else includes this. */
#ifndef COFFERDAM_CONSOLE_MONITOR_PARTS_H
#define COFFERDAM_CONSOLE_MONITOR_PARTS_H

#include "base/loop.h"
#include "console/link.h"
#include "console/log.h"
#include "console/monitor.h"
#include "console/screen.h"
#include "console/snapshots.h"
#include "console/state_json.h"

enum {
    PEERS_MAX = 32,
    CONSOLES_MAX = 64,
    PENDING_MAX = 32,          /* requests of one client that wait for the end */
    FRAME_MS = 16,             /* between two pictures for one viewer */
    STREAM_BACKLOG = 256 * 1024, /* beyond it an owner's stream is not read any more */
    INPUT_QUEUE = 64 * 1024,   /* beyond it the typist is not asked for more */
    INPUT_HARD = 512 * 1024,   /* beyond it its socket is not read any more */
    REPLY_QUEUE = 4 * 1024,    /* beyond it answers to a workload's queries are dropped */
    READ_CHUNK = 64 * 1024,
    TIME_MARKS = 2048,
};

struct monitor;
struct peer;

/* Somebody looking at a console. */
struct view {
    struct view *next; /* of console.views; owned by the console */
    struct peer *peer; /* borrowed */
    bool read_only;
    bool whole; /* the next picture must be a full one */
    uint16_t rows, cols;
    uint64_t seen;            /* the stamp up to which lines were sent */
    struct wire_screen shown; /* the head that was sent last */
    char title[128];
    uint64_t sent_ms;
};

/* One output pipe of a console without a terminal. */
struct stream {
    struct console *console; /* borrowed */
    int number;              /* 1 out, 2 err */
    int fd;                  /* owned; FD_NONE: ended */
    struct loop_watch *watch;
};

/* What had come by the end of the second that began then. */
struct time_mark {
    uint64_t line;  /* where the cursor was, as the history counts */
    uint64_t stamp; /* screen_stamp() */
    int64_t at_ms;  /* CLOCK_REALTIME */
};

struct console {
    struct console *next; /* owned by the monitor */
    struct monitor *monitor;
    uint32_t number; /* on the wire */
    uint32_t slot;   /* the backend's: 0 to CONSOLES_MAX - 1 */
    bool terminal, started, exited, told, failed;
    int status;
    char *command; /* owned; of an exec; NULL: main's */
    struct peer *starter; /* borrowed; who asked for this exec; NULL: gone, or main */
    uint32_t request;
    uint64_t signals_due; /* are sent when it has begun: bit 0 is signal 1 */
    uint16_t rows, cols;

    int master; /* owned; the pty, or FD_NONE */
    struct loop_watch *master_watch;
    struct loop_timer *reopen; /* looks again at a pty that nobody holds open */
    struct loop_timer *settle; /* the last wait for a pty's bytes */
    struct screen *screen;     /* owned */
    struct time_mark *marks;   /* owned; how far it was when */
    size_t marks_count;

    struct stream out[2];
    int in; /* owned; FD_NONE: closed */
    struct loop_watch *in_watch;
    struct buf input; /* waits to be read by the workload */
    bool input_ends;

    struct view *views;  /* owned */
    struct view *typist; /* one of them, or NULL; for streams: the owner */
};

/* A client's connection. */
struct peer {
    struct peer *next; /* owned by the monitor */
    struct monitor *monitor;
    struct link link;
    struct loop_watch *watch;
    struct loop_timer *greet; /* until HELLO has come */
    bool greeted, dead;
    bool full, blocked; /* beyond INPUT_QUEUE, INPUT_HARD */
    bool busy;          /* whole frames may wait in `link` */
    uint32_t untaken;   /* bytes of its input not reported as taken yet */
    uint32_t pending[PENDING_MAX]; /* answered with DONE at the end */
    size_t pending_count;
    bool wants_report, waits;
    struct {
        bool active, follow, kernel;
        uint32_t request;
        int64_t since_ms;
        uint64_t at;   /* position in the log */
        uint64_t line; /* terminals: of the history */
    } log;
};

/* A copy that the agent works on, or a snapshot the backend takes. */
struct transfer {
    struct transfer *next; /* owned */
    uint32_t number, request;
    struct peer *peer; /* borrowed; NULL: gone */
};

struct monitor {
    const struct launch_ops *ops;
    struct monitor_setup *setup;
    struct launch_env env;
    struct launch *launch;               /* owned */
    const struct launch_wishes *wishes;  /* borrowed from launch */
    struct loop *loop;                   /* owned */
    struct state_writer *writer;         /* owned */
    struct snapshot_writer *exit_snapshot; /* owned; NULL: none is wished */
    struct state_record record;
    int listener; /* owned */
    struct loop_watch *listener_watch;
    struct loop_watch *launch_watches[4];
    struct loop_watch *signals_watch;
    struct peer *peers;
    unsigned peers_count;
    struct console *consoles; /* main is the last */
    struct console *main;
    struct console_log log;
    struct console_log kernel; /* what the kernel of a guest prints; in memory alone */
    uint64_t log_own; /* where this run's begins; before it stands what earlier ones wrote */
    struct transfer *transfers;
    uint32_t transfers_made;
    int record_file; /* owned; console.record */
    uint64_t record_size;

    bool frame_armed;
    struct loop_timer *time_limit, *idle_limit, *grace, *frame, *death, *linger, *restart;
    uint64_t begun_us, folder_us; /* loop_now_us() when it began, and when it had its folder */
    struct loop_timer *later; /* writes down record.phase: */
    bool state_due;           /* it is not written down yet */
    uint64_t active_ms; /* when anything was last read or typed */
    int spare;          /* owned; writing a byte starts the workload anew; FD_NONE */

    bool locked; /* it has locked itself in, or tried to: */
    struct error lock_error;
    struct peer *holder; /* borrowed; who has it held still for a snapshot; NULL: nobody */
    bool held;           /* frozen for the holder, not by pause */
    bool booting;            /* its start is under way (LAUNCH_UNDER_WAY) */
    struct error boot_error; /* code 0: it has started, or is still at it */
    enum state_phase noted; /* among its events */
    bool paused, stopping, killed;
    bool restart_waits, restart_waited;
    char *ended_why; /* owned; what `reason` may point to */
    bool main_exited, ended, finished, unkillable;
    int status;
    const char *reason; /* borrowed; NULL: it ended by itself */
    char *clean_failed; /* owned */
    struct launch_sample last;
    bool sampled;
};

/* --- monitor_peers.c */
int peers_listen(struct monitor *m, struct error *e);
void peers_stop_listening(struct monitor *m); /* whoever has knocked already is still let in */
struct peer *peer_add(struct monitor *m, int fd); /* takes `fd`; NULL: no room */
void peer_kill(struct peer *p);                    /* reaped at the end of the round */
void peer_receive(struct peer *p);
void peers_round(struct monitor *m); /* sends, unblocks, reaps */
void peer_fail(struct peer *p, uint32_t console, uint32_t request, const struct error *e);
void peer_done(struct peer *p, uint32_t request, const struct error *e); /* e NULL: well */
void peers_free(struct monitor *m);

/* --- monitor_requests.c */
void request_handle(struct peer *p, const struct wire_frame *f, int fd); /* `fd` is taken over */

uint32_t transfer_new(struct peer *p, uint32_t request); /* its number */
void transfer_drop(struct monitor *m, uint32_t number);  /* without a word */

/* --- monitor_events.c */
void monitor_note(struct monitor *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool monitor_noted_last(const struct monitor *m, const char *what); /* nothing has been noted since */
void monitor_note_phase(struct monitor *m, enum state_phase now); /* once each time it is another */
void monitor_earlier_events(struct monitor *m); /* of the runs before a restart */

/* --- monitor_snapshot.c */
unsigned snapshot_kinds(const struct monitor *m, uint64_t ret_cost[2]); /* launch_ops.snapshots */
int hold_end(struct monitor *m, struct error *e); /* whoever holds it has lost it */
int exit_snapshot_begin(struct monitor *m, struct error *e); /* before it locks itself in */
/* Makes what it changed a snapshot; what goes wrong is said in the record. */
void exit_snapshot_take(struct monitor *m);
void on_hold(struct peer *p, const struct wire_frame *f);
void on_snapshot(struct peer *p, const struct wire_frame *f, int fd); /* `fd` is taken over */

/* --- monitor_consoles.c */
struct console *console_new(struct monitor *m, uint32_t number, uint32_t slot, bool terminal);
void console_start(struct console *c, struct launch_streams *s); /* takes the streams */
void console_free(struct console *c);
struct console *console_find(struct monitor *m, uint32_t number);
struct console *console_of_slot(struct monitor *m, uint32_t slot);
void console_exit(struct console *c, int status); /* drains what is there, then tells */
void console_tell_exit(struct console *c);
void console_input(struct console *c, const char *data, size_t size);
void console_input_end(struct console *c);
void console_push_input(struct console *c); /* writes what the workload takes */
void console_resize(struct console *c, uint16_t rows, uint16_t cols);
void monitor_active(struct monitor *m);

/* --- monitor_terminal.c */
void terminal_start(struct console *c);
void terminal_drain(struct console *c);      /* after the exit */
void terminal_show(struct console *c);       /* pictures to the viewers whose time has come */
void terminal_send_history(struct console *c, struct peer *p, uint32_t request, uint64_t first, uint32_t count);
bool terminal_log(struct console *c, struct peer *p); /* some more of a log request; false: nothing now */
void terminal_add_log(struct console *c, struct console_log *to); /* all of it, as text */
uint64_t terminal_line_at(const struct console *c, int64_t ms);

/* --- streams.c */
void streams_start(struct console *c);
void streams_drain(struct console *c);
void stream_close(struct stream *s);
void streams_resume(struct console *c); /* the owner has room again */
void streams_replay(struct console *c, struct view *v);

/* --- monitor_views.c */
struct view *view_add(struct console *c, struct peer *p, const struct wire_attach *a);
unsigned views_count(const struct console *c);
struct view *view_find(struct console *c, const struct peer *p);
void view_remove(struct console *c, struct view *v);
void views_drop_peer(struct monitor *m, struct peer *p);
void console_give(struct console *c, struct view *v); /* the keyboard; NULL: to nobody */
void console_tell_roles(struct console *c);
unsigned monitor_viewers(const struct monitor *m);

/* --- monitor.c */
void monitor_started(struct monitor *m, struct launch_streams *s); /* takes the streams */

/* --- monitor_life.c */
extern const struct launch_events life_events;
int life_stop(struct monitor *m, int64_t grace_ms, const char *reason, struct error *e);
int life_kill(struct monitor *m, const char *reason, struct error *e);
int life_pause(struct monitor *m, bool paused, struct error *e);
int life_update(struct monitor *m, const struct launch_limits *x, struct error *e);
void life_begin(struct monitor *m);
void life_limit(struct monitor *m);           /* from now on its limits of time run */
void life_ended_at_start(struct monitor *m); /* it was killed while it was being started */
void life_round(struct monitor *m);
bool life_is_over(const struct monitor *m);
void life_put_state(struct monitor *m, enum state_phase phase);
/* Before anybody can know of it from us, or in a moment; never, if all is over by then. */
void life_put_state_soon(struct monitor *m, enum state_phase phase);
void life_settle_state(struct monitor *m);

/* --- monitor_report.c */
int monitor_sample(struct monitor *m, struct launch_sample *ret); /* as launch_ops.sample */
json_t *report_state(struct monitor *m);
void report_sample(struct monitor *m, struct wire_sample *ret);
char *report_make(struct monitor *m);
void report_send(struct peer *p, const char *text);

/* --- monitor_spare.c */
int spare_fork(struct monitor *m, struct error *e);
void spare_go(struct monitor *m);

/* --- monitor_confine.c */
int monitor_confine(struct monitor *m, struct error *e);

static inline int64_t real_ms(void);
#include <time.h>
static inline int64_t real_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

#endif
